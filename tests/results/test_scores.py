"""Files of scores: read whole, or refused before they cost memory."""

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from results.scores import Scores

COLUMNS = {
    "id": np.array(["a", "b", "c"]),
    "class": np.array(["normal", "dot", "normal"]),
    "label": np.array([0, 1, 0], dtype=np.int8),
    "score": np.array([0.1, 0.9, 0.3]),
}


def packed(method=zipfile.ZIP_DEFLATED, **changed):
    """A file of scores; a changed column is an array, or the bytes of its member."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, values in {**COLUMNS, **changed}.items():
            with file.open(f"{name}.npy", "w") as member:
                if isinstance(values, bytes):
                    member.write(values)
                elif values is not None:
                    np.lib.format.write_array(member, values)
    return buffer.getvalue()


def header(descr, shape):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": descr, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def raw_header(text):
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def lying():
    """A member of 100 MB that its folder says is of a kilobyte."""
    data = bytearray(packed(score=header("<f8", (3,)) + bytes(100 * 2**20)))
    place = data.rindex(b"score.npy") - 46
    data[place + 24 : place + 28] = struct.pack("<I", 1024)
    return bytes(data)


BOMBS = {
    "members larger than is read": lambda: packed(id=header("<U64", (1 << 20,)) + bytes(160 * 2**20)),
    "a shape of a terabyte": lambda: packed(id=header("<U64", (1 << 32,)) + bytes(2**20)),
    "a member larger than it says": lying,
    "packed by LZMA": lambda: packed(zipfile.ZIP_LZMA, score=header("<f8", (3,)) + bytes(100 * 2**20)),
    "a deep header": lambda: packed(score=raw_header(b"-" * 9000 + b"1")),
    "nested brackets in the header": lambda: packed(score=raw_header(b"(" * 9000)),
    "texts without letters": lambda: packed(id=header("<U0", (1 << 40,))),
    "a file of 20 MB": lambda: packed() + bytes(20 * 2**20),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_is_refused_before_it_costs_memory(bomb):
    data = bomb()
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"scores|columns"):
            Scores.decode(data)
        assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    finally:
        tracemalloc.stop()


WRONG = {
    "no scores": b"PK",
    "a column is missing": packed(label=None),
    "an empty column": packed(label=b""),
    "columns of unequal length": packed(score=np.array([0.1, 0.2])),
    "an image twice": packed(id=np.array(["a", "b", "a"])),
    "labels of other classes": packed(label=np.array([0, 0, 0], dtype=np.int8)),
    "a score that is none": packed(score=np.array([0.1, np.nan, 0.3])),
    "scores in two dimensions": packed(score=np.array([[0.1], [0.9], [0.3]])),
    "pickled objects": packed(id=header("|O", (3,)) + bytes(24)),
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG.keys())
def test_what_are_no_scores_is_refused(data):
    with pytest.raises(ValueError, match=r"scores|columns|twice|labels"):
        Scores.decode(data)


def test_scores_come_back_whatever_letters_their_ids_have():
    scores = Scores(("ü/1", "日本"), ("normal", "dot"), np.array([0.5, -1e300]))
    again = Scores.decode(scores.encode())
    assert (again.ids, again.classes, again.values.tolist()) == (scores.ids, scores.classes, [0.5, -1e300])


def test_scores_that_could_not_be_read_again_are_not_written():
    ids = tuple(f"{number:012000}" for number in range(3000))
    with pytest.raises(ValueError, match="more than"):
        Scores(ids, ("normal",) * len(ids), np.zeros(len(ids))).encode()
