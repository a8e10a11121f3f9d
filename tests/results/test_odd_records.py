"""Whatever lies in a record's place, the others are read, it is named, and nothing of it is lost."""

import os

import msgspec
import pytest

from results.errors import ResultsError
from results.record import LARGEST_RECORD, SCHEMA, decode_record, encode_record
from results.store import Store, read_record_lines


def folder(path, text):
    path.mkdir()


def pipe(path, text):
    os.mkfifo(path)


def huge(path, text):
    with path.open("wb") as file:
        file.truncate(9 * 2**30)


def link_to_nothing(path, text):
    path.symlink_to("gone")


def deep(path, text):
    path.write_text(text.rstrip().removesuffix("}") + ', "more": ' + "[" * 100_000 + "]" * 100_000 + "}")


def put(before, after):
    def change(path, text):
        assert before in text
        path.write_text(text.replace(before, after, 1))

    return change


ODD = {
    "a folder": folder,
    "a pipe": pipe,
    "9 GB": huge,
    "a link to nothing": link_to_nothing,
    "deep JSON": deep,
    "another number than a fraction": put('"auroc": 0.75', '"auroc": 1.75'),
    "an infinite number": put('"auroc": 0.75', '"auroc": 1e999'),
    "a count below zero": put('"test_normal": 1', '"test_normal": -1'),
    "no image of a kind": put('"test_normal": 1', '"test_normal": 0'),
    "no training anomalies but a list of them": put('"train_anomaly": 10', '"train_anomaly": 0'),
    "a time below zero": put('"timings": {}', '"timings": {"fit_s": -1.0}'),
    "an integer of 5000 digits": put('"seed": 0', '"seed": ' + "9" * 5000),
    "a schema of 5000 digits": put('"schema": 1', '"schema": ' + "9" * 5000),
    "another split than its series": put('"shots": 10', '"shots": 1'),
    "no metrics": put('"status": "done"', '"status": "failed"'),
    "half a letter": put('"elpv"', '"\\ud800"'),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_an_odd_record_is_set_aside_and_named_and_costs_no_other(odd, tmp_path, spec, record):
    said = []
    store = Store(tmp_path, warn=said.append)
    for seed in (0, 1):
        store.put(record(spec(fit__seed=seed)))
    path = store.record_path(spec().key)
    text = path.read_text()
    path.unlink()
    odd(path, text)
    assert [one.spec.fit.seed for one in store.records()] == [1]
    assert len(said) == 1
    assert str(path) in said[0]
    assert os.path.lexists(tmp_path / "set_aside" / path.name)
    assert store.get(path.stem) is None


def test_what_was_set_aside_before_stays(tmp_path, record):
    store = Store(tmp_path)
    path = store.record_path(record().key)
    path.parent.mkdir(parents=True)
    for text in ("one", "two", "three"):
        path.write_text(text)
        assert store.get(path.stem) is None
    assert sorted(one.read_text() for one in (tmp_path / "set_aside").iterdir()) == ["one", "three", "two"]


def test_a_record_of_a_newer_version_is_named_and_left_and_costs_no_other(tmp_path, spec, record):
    said = []
    store = Store(tmp_path, warn=said.append)
    for seed in (0, 1):
        store.put(record(spec(fit__seed=seed)))
    path = store.record_path(spec().key)
    path.write_bytes(path.read_bytes().replace(b'"schema": %d' % SCHEMA, b'"schema": 99'))
    assert [one.spec.fit.seed for one in store.records()] == [1]
    assert [str(path) in text and "schema 99" in text for text in said] == [True]
    with pytest.raises(ResultsError, match="upgrade swanbench"):
        store.get(path.stem)
    assert path.exists()


def test_a_record_says_which_fit_its_own_starts_from(spec, record):
    source = spec(fit__seed=8).fit
    honest = record(spec(fit__source=source.fit_key, source=source))
    assert decode_record(encode_record(honest)) == honest
    for other in (None, spec(fit__seed=9).fit):
        changed = msgspec.structs.replace(honest.spec, source=other)
        with pytest.raises(ResultsError, match="source"):
            decode_record(encode_record(msgspec.structs.replace(honest, spec=changed, series=changed.series)))


def test_a_number_of_the_history_that_is_not_finite_is_none_when_it_is_read_again(record):
    again = decode_record(
        encode_record(record(history={"loss": [1.0, float("nan"), 2.0], "fid": [float("inf")], "none": []}))
    )
    assert again.history == {"loss": [1.0, None, 2.0], "fid": [None], "none": []}
    assert [again.last(name) for name in ("loss", "fid", "none", "other")] == [2.0, None, None, None]


def test_a_line_longer_than_any_record_costs_no_other_line(tmp_path, record):
    path = tmp_path / "records.jsonl"
    line = msgspec.json.encode(record())
    path.write_bytes(b"\n".join([b" " * (2 * LARGEST_RECORD + 5) + b"x", line, b"[" * 100_000, line]))
    problems = [(seen.origin.rpartition(":")[2], seen.record is None) for seen in read_record_lines(path)]
    assert problems == [("1", True), ("2", False), ("3", True), ("4", False)]
