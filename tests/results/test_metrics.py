"""Every metric against scikit-learn, by hand, and on scores that have no such number."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from results.errors import ResultsError
from results.metrics import METRICS, STORED_METRICS, UndefinedMetricError, find_metric, stored_value
from results.scores import Scores

SCORES = Scores(
    tuple("abcdef"),
    ("normal", "normal", "normal", "mono", "mono", "poly"),
    np.array([0.1, 0.4, 0.4, 0.4, 0.2, 0.9]),
)
"""Normal 0.1, 0.4, 0.4; mono 0.4, 0.2; poly 0.9."""

RANKED = [METRICS[name] for name in ("auroc", "average_precision", "fpr_at_95_tpr", "auroc_seen", "auroc_unseen")]
"""Those that look at the order of scores alone, and have a best value."""


def of(name, scores, known_class=None):
    return METRICS[name].of(scores, known_class)


def labelled(rows):
    """Scores of (class, value) rows."""
    return Scores(tuple(map(str, range(len(rows)))), tuple(name for name, _ in rows), np.array([at for _, at in rows]))


@st.composite
def tied_scores(draw):
    """Some images of each class, scores of few values."""
    names = ["normal", "seen", "unseen", *draw(st.lists(st.sampled_from(["normal", "seen", "unseen"]), max_size=40))]
    values = draw(st.lists(st.integers(-4, 4), min_size=len(names), max_size=len(names)))
    return labelled([(name, value / 3) for name, value in zip(names, values, strict=True)])


@given(tied_scores())
def test_numbers_are_those_of_scikit_learn(scores):
    labels = scores.labels
    assert of("auroc", scores) == pytest.approx(roc_auc_score(labels, scores.values), abs=1e-12)
    assert of("average_precision", scores) == pytest.approx(average_precision_score(labels, scores.values), abs=1e-12)
    false_rate, true_rate, _ = roc_curve(labels, scores.values, drop_intermediate=False)
    assert of("fpr_at_95_tpr", scores) == pytest.approx(false_rate[true_rate >= 0.95][0], abs=1e-12)
    for name, left_out in (("auroc_seen", "unseen"), ("auroc_unseen", "seen")):
        rest = np.array([class_ != left_out for class_ in scores.classes])
        expected = roc_auc_score(labels[rest], scores.values[rest])
        assert of(name, scores, "seen") == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("count", [19, 20, 21, 39, 40, 41, 100])
def test_the_share_of_anomalies_is_counted_exactly(count):
    """Anomalies 1 ... n and a normal image just below each: all that lie above the threshold are false alarms."""
    rows = [("dot", float(number)) for number in range(count)] + [("normal", number - 0.5) for number in range(count)]
    scores = labelled(rows)
    false_rate, true_rate, _ = roc_curve(scores.labels, scores.values, drop_intermediate=False)
    assert of("fpr_at_95_tpr", scores) == pytest.approx(false_rate[true_rate >= 0.95][0], abs=1e-12)


@pytest.mark.parametrize("metric", METRICS.values(), ids=list(METRICS))
@given(scores=tied_scores())
def test_a_number_lies_in_its_range(metric, scores):
    assert metric.low <= metric.of(scores, "seen") <= metric.high


@pytest.mark.parametrize("metric", RANKED, ids=[metric.id for metric in RANKED])
@given(scores=tied_scores())
def test_only_the_order_of_scores_counts(metric, scores):
    value = metric.of(scores, "seen")
    for changed in (np.exp(scores.values), 3 * scores.values - 7, scores.values**3):
        assert metric.of(Scores(scores.ids, scores.classes, changed), "seen") == value


@pytest.mark.parametrize("metric", RANKED, ids=[metric.id for metric in RANKED])
def test_perfect_scores_have_the_best_value_and_reversed_ones_a_worse_than_chance(metric):
    rows = [("normal", 0.0), ("normal", 1.0), ("seen", 2.0), ("unseen", 3.0)]
    best = metric.high if metric.better == "higher" else metric.low
    assert metric.of(labelled(rows), "seen") == best
    assert metric.beyond_chance([best]) == ""
    reversed_value = metric.of(labelled([(name, -value) for name, value in rows]), "seen")
    assert metric.sign * reversed_value < metric.sign * best
    assert bool(metric.beyond_chance([best, reversed_value])) == (metric.chance is not None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # pairs won by the anomaly 0.4: 1 + 1/2 + 1/2, by 0.2: 1, by 0.9: 3, of nine
        ("auroc", 6 / 9),
        # precision at 0.9: 1/1, at 0.4: 2 of 4, at 0.2: 3 of 5
        ("average_precision", (1 + 1 / 2 + 3 / 5) / 3),
        # three of three anomalies are needed for 95 %: threshold 0.2, above which lie two of three normal images
        ("fpr_at_95_tpr", 2 / 3),
        ("auroc_seen", 3 / 6),
        ("auroc_unseen", 3 / 3),
    ],
)
def test_by_hand(name, value):
    assert of(name, SCORES, "mono") == pytest.approx(value, abs=1e-15)


@pytest.mark.parametrize("metric", METRICS.values(), ids=list(METRICS))
@pytest.mark.parametrize(
    ("class_", "reason"), [("normal", "no test image is (an anomaly|of the known class)"), ("mono", "is normal")]
)
def test_scores_of_one_class_have_no_number(metric, class_, reason):
    if metric.id == "auroc_unseen" and class_ == "mono":
        reason = "of another class than the known one, mono"
    with pytest.raises(UndefinedMetricError, match=reason):
        metric.of(labelled([(class_, 0.0), (class_, 1.0)]), "mono")


@pytest.mark.parametrize("name", ["auroc_seen", "auroc_unseen"])
def test_without_a_known_class_nothing_is_seen(name):
    with pytest.raises(UndefinedMetricError, match="its split has no known class"):
        of(name, SCORES)


def test_the_seen_class_may_be_left_out_of_the_test_or_be_all_of_it():
    with pytest.raises(UndefinedMetricError, match="of the known class dust, whose images the hard setting"):
        of("auroc_seen", SCORES, "dust")
    assert of("auroc_unseen", SCORES, "dust") == of("auroc", SCORES)
    with pytest.raises(UndefinedMetricError, match="another class than the known one, mono"):
        of("auroc_unseen", labelled([("normal", 0.0), ("mono", 1.0)]), "mono")


def test_a_metric_is_found_by_its_id_or_a_near_one_is_named():
    assert {find_metric(name).id for name in METRICS} == set(METRICS)
    with pytest.raises(ResultsError, match=r"no metric 'auroc_sen': did you mean 'auroc_seen'\?"):
        find_metric("auroc_sen")
    with pytest.raises(ResultsError, match="choose one of auroc, average_precision, "):
        find_metric("x")


def test_a_record_holds_two_of_them(record):
    held = {name: stored_value(metric, record()) for name, metric in METRICS.items()}
    assert {name: value for name, value in held.items() if value is not None} == {
        "auroc": 0.75,
        "average_precision": 0.5,
    }
    assert [metric.id for metric in STORED_METRICS] == ["auroc", "average_precision"]


def test_the_registry_loads_no_array_library():
    code = "import sys, results.metrics; print(sorted({'numpy', 'sklearn', 'scipy', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
