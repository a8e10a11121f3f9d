import hashlib
import pickle
from pathlib import Path

import pytest

from protocols.datasets.manifest import MANIFEST, MANIFEST_COLUMNS, Row, assemble_dataset, read_manifest, write_manifest
from protocols.errors import DataError

ROWS = [
    Row("b, with comma.png", "b, with comma.png", "cut", "", "b" * 64, 4, 5, 3, 'strip "7"', "sub"),
    Row("a/ä.png", "a/ä.png", "normal", "train", "a" * 64, 2, 3, 1),
]


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    dataset = assemble_dataset("toy", tmp_path, ROWS)
    write_manifest(dataset, tmp_path)
    assert read_manifest(tmp_path, "toy") == dataset
    assert [row.id for row in dataset.rows] == ["a/ä.png", "b, with comma.png"]


def test_a_manifest_has_the_columns_of_the_design_and_line_feeds(tmp_path: Path) -> None:
    write_manifest(assemble_dataset("toy", tmp_path, ROWS), tmp_path)
    data = (tmp_path / MANIFEST).read_bytes()
    assert data.startswith(b"id,file,label,split,sha256,width,height,channels,group,subclass\n")
    assert b"\r" not in data


def test_the_fingerprint_hashes_sorted_lines_of_id_label_split_and_sha256() -> None:
    text = f"a/ä.png\tnormal\ttrain\t{'a' * 64}\nb, with comma.png\tcut\t\t{'b' * 64}\n"
    assert assemble_dataset("toy", Path(), ROWS).fingerprint == hashlib.sha256(text.encode()).hexdigest()


def test_the_fingerprint_knows_neither_name_nor_folder_nor_order() -> None:
    assert (
        assemble_dataset("x", Path("x"), ROWS).fingerprint == assemble_dataset("y", Path("y"), ROWS[::-1]).fingerprint
    )


def test_a_dataset_is_grey_only_if_every_image_is() -> None:
    assert assemble_dataset("toy", Path(), ROWS).channels == 3
    assert assemble_dataset("toy", Path(), ROWS[1:]).channels == 1


def test_labels_are_the_anomaly_classes() -> None:
    assert assemble_dataset("toy", Path(), ROWS).labels == ("cut",)


def test_a_dataset_survives_pickling() -> None:
    dataset = assemble_dataset("toy", Path(), ROWS)
    assert pickle.loads(pickle.dumps(dataset)).fingerprint == dataset.fingerprint


def test_an_unknown_id_is_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"toy has no image 'c.png': .*bench data show toy"):
        assemble_dataset("toy", Path(), ROWS).row("c.png")


def test_an_id_twice_is_refused() -> None:
    with pytest.raises(DataError, match=r"two images of the id 'b, with comma.png'"):
        assemble_dataset("toy", Path(), [*ROWS, ROWS[0]])


def test_no_rows_are_refused() -> None:
    with pytest.raises(DataError, match="toy has no images"):
        assemble_dataset("toy", Path(), [])


GOOD_LINE = f"a,a.png,normal,,{'a' * 64},1,1,1,,"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("a,a.png,normal", "line 2 is damaged"),
        (GOOD_LINE.replace(",1,1,1,", ",x,1,1,"), "line 2 is damaged"),
        (GOOD_LINE.replace(",1,1,1,", ",0,1,1,"), "line 2 has a value out of range"),
        (GOOD_LINE.replace(",1,1,1,", ",1,1,4,"), "line 2 has a value out of range"),
        (GOOD_LINE.replace("a.png", "../a.png"), "line 2 has a value out of range"),
        (GOOD_LINE.replace("a.png", "/a.png"), "line 2 has a value out of range"),
        (GOOD_LINE.replace("a" * 64, "a" * 63), "line 2 has a value out of range"),
        (GOOD_LINE.replace("normal,", "normal,validation"), "line 2 has a value out of range"),
        ('"a', "unexpected end of data"),
    ],
)
def test_a_damaged_line_is_named_with_a_next_step(tmp_path: Path, line: str, problem: str) -> None:
    (tmp_path / MANIFEST).write_text(",".join(MANIFEST_COLUMNS) + "\n" + line + "\n")
    with pytest.raises(DataError, match=rf"{problem}.*: remove the folder and prepare or adopt toy again"):
        read_manifest(tmp_path, "toy")


def test_a_manifest_cut_short_to_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_bytes(b"")
    with pytest.raises(DataError, match="does not start with the columns id,file,label"):
        read_manifest(tmp_path, "toy")


def test_a_folder_without_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no manifest.csv: prepare or adopt toy first"):
        read_manifest(tmp_path, "toy")


def test_a_manifest_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="cannot read"):
        read_manifest(tmp_path, "toy")
