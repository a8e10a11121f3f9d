"""`bench results verify`, and what `merge` and `run` do about records that are not what they say."""

import json

import msgspec
import pytest

from benchmark.execution.worker import execute
from results.record import Metrics

SUITE = """
id = "checked"
title = "Runs to verify"
rule = "general"
recipe = "official"
methods = ["drift"]
shots = [10]
seeds = [0, 1]
[datasets]
tiny = []
"""


@pytest.fixture
def bench(drifting, rows, calls_in):
    """Calls in a house where two runs are done."""
    drifting.prepare("tiny", rows["texture"](60))
    for task in drifting.plan(drifting.suite(SUITE)).tasks({"missing"}):
        assert execute(task, drifting.machine).state == "done"
    return calls_in(drifting.house.root, **drifting.house.env)


@pytest.fixture
def store(drifting):
    return drifting.store


def tree(root):
    return {path: path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def alter(store):
    """Give the first record another AUC, one that such images can have; gives the record as it was."""
    record = next(store.records())
    pairs = record.counts.test_normal * record.counts.test_anomaly
    auroc = (round(record.metrics.auroc * pairs) + (1 if record.metrics.auroc < 1 else -1)) / pairs
    store.put(msgspec.structs.replace(record, metrics=msgspec.structs.replace(record.metrics, auroc=auroc)))
    return record


def test_whole_records_are_verified_and_nothing_is_changed(bench, store):
    before = tree(store.root)
    assert bench("results", "verify", "--require-scores") == (0, "2 records: 2 what their scores give\n", "")
    code, out, _ = bench("results", "verify", "--json")
    assert (code, [row["state"] for row in json.loads(out)]) == (0, ["verified"] * 2)
    assert tree(store.root) == before


def test_an_auc_that_the_scores_do_not_give_is_named(bench, store):
    record = alter(store)
    code, out, err = bench("results", "verify")
    assert (code, out) == (1, "2 records: 1 what their scores give, 1 not what their keys or scores say\n")
    assert record.spec.name in err
    assert f"its scores give {record.metrics.auroc!r}" in err


def test_merge_names_such_a_record_and_leaves_it(bench, store, drifting):
    record = alter(store)
    code, out, err = bench("results", "merge", store.root, "--results", "all")
    assert code == 1
    assert "1 brought to all, 1 left, with other numbers than their scores give" in out
    assert record.spec.name in err
    brought = [path.stem for path in (drifting.house.root / "all").glob("records/*/*.json")]
    assert brought == [one.key for one in store.records() if one.key != record.key]


def test_a_record_without_scores_is_counted_and_named(bench, store):
    record = next(store.records())
    store.scores_path(record.key).unlink()
    code, out, err = bench("results", "verify")
    assert (code, out) == (0, "2 records: 1 what their scores give, 1 without scores\n")
    assert record.spec.name in err
    assert bench("results", "verify", "--require-scores")[0] == 1
    assert bench("results", "verify", "--results", "reference")[0] == 0
    assert bench("results", "verify", "--results", "reference", "--require-scores")[0] == 1


def test_damaged_scores_are_a_difference(bench, store):
    record = next(store.records())
    store.scores_path(record.key).write_bytes(b"PK")
    code, _, err = bench("results", "verify")
    assert code == 1
    assert record.key[:8] in err


def test_what_cannot_be_read_is_a_difference_also_when_it_was_set_aside(bench, store):
    path = store.record_path(next(store.records()).key)
    path.write_text("{")
    assert bench("results", "verify")[0] == 1
    assert path.exists()
    assert bench("results", "list")[0] == 0
    assert not path.exists()
    code, _, err = bench("results", "verify")
    assert code == 1
    assert path.name in err


def test_no_record_to_verify_is_wrong_input(bench, drifting):
    (drifting.house.root / "empty").mkdir()
    for place, said in (("empty", "no record to verify"), ("gone", "no such folder")):
        code, _, err = bench("results", "verify", "--results", place)
        assert code == 2
        assert said in err


def test_a_run_whose_record_a_newer_version_wrote_is_blocked_and_its_record_kept(bench, store, drifting):
    path = store.record_path(next(store.records()).key)
    text = path.read_text().replace('"schema": 1', '"schema": 99')
    path.write_text(text)
    words = ("run", "--suite", drifting.suite(SUITE))
    for more in (("--plan",), ()):
        code, out, err = bench(*words, *more)
        assert code == 0
        assert "schema 99" in err
        assert path.name in err
        assert "1 blocked" in out + err
    assert path.read_text() == text
    code, _, err = bench("results", "merge", store.root, "--results", "all")
    assert code == 1
    assert bench("results", "verify")[0] == 1
    assert path.read_text() == text


def test_a_history_that_ends_without_a_number_costs_no_verb(bench, store):
    record = next(store.records())
    store.put(msgspec.structs.replace(record, history={"fid": [float("nan")], "frechet_inception_v3": []}))
    for words in (("list",), ("export",), ("export", "--format", "jsonl"), ("why", record.key[:8]), ("verify",)):
        code, out, _ = bench("results", *words)
        assert code == 0
        assert out
    assert bench("report", "--table", "csi_gan:ablation")[0] == 0


def test_merge_keeps_a_newer_record_here(bench, store, drifting):
    assert bench("results", "merge", store.root, "--results", "all")[0] == 0
    path = store.record_path(next(store.records()).key)
    mine = drifting.house.root / "all" / path.relative_to(store.root)
    text = mine.read_text().replace('"schema": 1', '"schema": 99')
    mine.write_text(text)
    code, out, err = bench("results", "merge", store.root, "--results", "all")
    assert code == 1
    assert "schema 99" in err
    assert "1 there already" in out
    assert mine.read_text() == text


def test_average_precision_is_recomputed_too(bench, store):
    record = next(store.records())
    store.put(msgspec.structs.replace(record, metrics=Metrics(auroc=record.metrics.auroc, average_precision=0.123)))
    code, _, err = bench("results", "verify")
    assert code == 1
    assert "average precision 0.123" in err
