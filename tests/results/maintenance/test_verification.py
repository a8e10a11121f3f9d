"""What a record says against what its scores say."""

import hashlib

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from results.maintenance.verification import score_differences, verify_store
from results.metrics import computed_metrics
from results.record import Counts, Metrics
from results.scores import Scores
from results.store import Store

SCORES = Scores(("b", "a", "c", "d"), ("normal", "mono", "normal", "poly"), np.array([0.25, 0.5, 0.75, 0.75]))


def fingerprint(ids):
    return hashlib.sha256("".join(f"{one}\n" for one in ids).encode()).hexdigest()


@pytest.fixture
def honest(spec, record):
    """A record of these scores. Of four pairs (a, b), (a, c), (d, b), (d, c) two are won and one is a tie."""
    made = record(spec(test=fingerprint([fingerprint(["b", "c"]), fingerprint(["a", "d"])])))
    return msgspec.structs.replace(
        made,
        metrics=Metrics(auroc=2.5 / 4, average_precision=(1 / 2 + 2 / 3) / 2),
        counts=Counts(train_normal=9, train_anomaly=10, test_normal=2, test_anomaly=2),
    )


@given(st.lists(st.tuples(st.booleans(), st.integers(-4, 4)), min_size=1, max_size=40))
def test_the_recomputed_numbers_are_those_of_scikit_learn(rows):
    rows = [(False, 0), (True, 1), *rows]
    values = np.array([value / 3 for _, value in rows])
    classes = tuple("dot" if anomalous else "normal" for anomalous, _ in rows)
    metrics = computed_metrics(Scores(tuple(map(str, range(len(rows)))), classes, values))
    labels = [anomalous for anomalous, _ in rows]
    assert metrics.auroc == pytest.approx(roc_auc_score(labels, values), abs=1e-12)
    assert metrics.average_precision == pytest.approx(average_precision_score(labels, values), abs=1e-12)


def test_an_honest_record_differs_in_nothing(honest):
    assert list(score_differences(honest, SCORES, fingerprint)) == []


@pytest.mark.parametrize(
    ("record_change", "scores_change", "said"),
    [
        ({"metrics": Metrics(auroc=0.626, average_precision=7 / 12)}, {}, "says AUC 0.626, its scores give 0.625"),
        ({"metrics": Metrics(auroc=0.625, average_precision=0.6)}, {}, "says average precision 0.6"),
        ({"counts": Counts(train_normal=9, train_anomaly=10, test_normal=3, test_anomaly=2)}, {}, "counts 3 normal"),
        ({}, {"ids": ("b", "a", "c", "e")}, "other images or classes"),
        ({}, {"classes": ("mono", "normal", "normal", "poly")}, "other images or classes"),
        ({}, {"classes": ("normal",) * 4}, "normal images alone"),
        ({}, {"values": -SCORES.values}, "its scores give 0.375"),
    ],
)
def test_what_differs_is_said_with_both_numbers(honest, record_change, scores_change, said):
    scores = Scores(**{"ids": SCORES.ids, "classes": SCORES.classes, "values": SCORES.values, **scores_change})
    found = list(score_differences(msgspec.structs.replace(honest, **record_change), scores, fingerprint))
    assert any(said in text for text in found), found


@pytest.mark.parametrize("off", [2e-9, -2e-9, 1e-6, -1e-6])
def test_only_the_rounding_of_sums_is_no_difference(honest, off):
    for name in ("auroc", "average_precision"):
        value = getattr(honest.metrics, name)
        for said, count in ((value + off, 1), (value + off / 1e4, 0)):
            metrics = msgspec.structs.replace(honest.metrics, **{name: said})
            record = msgspec.structs.replace(honest, metrics=metrics)
            assert len(list(score_differences(record, SCORES, fingerprint))) == count


def test_a_record_without_scores_cannot_say_an_auc_that_no_scores_give(tmp_path, honest):
    store = Store(tmp_path)
    states = {}
    for auroc in (0.625, 0.63):
        store.put(msgspec.structs.replace(honest, metrics=Metrics(auroc=auroc, average_precision=0.5)))
        states[auroc] = [one.state for one in verify_store(store, fingerprint, lambda _: ())]
    assert states == {0.625: ["no_scores"], 0.63: ["differs"]}
