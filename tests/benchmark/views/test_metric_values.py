"""Metrics of records: what they hold, what their scores give, and why some have none."""

import msgspec
import numpy as np
import pytest
from recorded import record

from benchmark.views.metric_values import MetricValues, scored_folders, scores_finder, tell_remarks
from results.metrics import METRICS, computed_metrics
from results.scores import Scores
from results.store import Store

FPR = METRICS["fpr_at_95_tpr"]
SCORES = Scores(("a", "b", "c", "d"), ("normal", "normal", "mono", "poly"), np.array([0.1, 0.5, 0.3, 0.9]))
"""The FPR at 95 % TPR is that at the threshold 0.3, above which lies one of two normal images."""


def scored(known_class="mono", seed=0, **changes):
    """A record that says what `SCORES` give."""
    return msgspec.structs.replace(record(known_class, seed, 0.5), metrics=computed_metrics(SCORES), **changes)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs")


def values_of(store, metric=FPR):
    told = []
    return MetricValues(metric, scores_finder([store], told.append)), told


def test_a_number_that_records_hold_needs_no_scores(store):
    values, _ = values_of(store, METRICS["average_precision"])
    assert values(record("mono", 0, 0.75)) == 0.5
    assert values.remarks == []


def test_another_is_computed_from_the_scores_once(store):
    run = scored()
    store.put(run, SCORES)
    values, _ = values_of(store)
    assert values(run) == 0.5
    store.scores_path(run.key).unlink()
    assert values(run) == 0.5
    assert values.remarks == []


def test_the_seen_class_is_the_known_class_of_the_split(store):
    for known_class, expected in (("mono", 0.5), ("poly", 1.0)):
        run = scored(known_class)
        store.put(run, SCORES)
        assert values_of(store, METRICS["auroc_seen"])[0](run) == expected


def test_records_without_scores_are_told_in_one_line(store):
    values, _ = values_of(store)
    runs = [scored(seed=seed) for seed in range(5)]
    assert [values(run) for run in runs] == [None] * 5
    lines = []
    tell_remarks([values], lines.append)
    (line,) = lines
    assert line.startswith(", ".join(run.spec.name for run in runs[:3]) + " and 2 more: no FPR at 95 % TPR, no scores")


def test_scores_that_are_damaged_are_told(store):
    run = scored()
    store.put(run, SCORES)
    store.scores_path(run.key).write_bytes(b"rubbish")
    values, told = values_of(store)
    assert values(run) is None
    assert f"no readable scores of run {run.key[:8]}" in told[0]


def test_scores_of_another_run_are_not_taken_for_it(store):
    run = record("mono", 0, 0.6)
    store.put(run, SCORES)
    values, _ = values_of(store)
    assert values(run) is None
    assert values.remarks == [
        f"{run.spec.name}: no FPR at 95 % TPR, its scores do not give the AUC of its record: see bench results verify"
    ]


def test_what_scores_do_not_have_is_said(store):
    run = scored("dust")
    store.put(run, SCORES)
    values, _ = values_of(store, METRICS["auroc_seen"])
    assert values(run) is None
    assert "no AUC on the seen class, no test image is of the known class dust" in values.remarks[0]


def test_a_failed_run_has_none_and_says_nothing(store):
    values, _ = values_of(store)
    assert values(msgspec.structs.replace(scored(), status="failed", metrics=None, error="no luck")) is None
    assert values.remarks == []


def test_the_packaged_index_has_no_scores(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_RESULTS", str(tmp_path / "default"))
    assert [store.root for store in scored_folders([tmp_path / "a", "reference"])] == [tmp_path / "a"]
    assert [store.root for store in scored_folders([])] == [tmp_path / "default"]
