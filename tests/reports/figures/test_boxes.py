import csv
from io import StringIO

import numpy as np
import pytest

from reports.errors import ReportError
from reports.figures import boxes
from reports.layouts import layout
from reports.text import csv_text
from results.scores import Scores


def box(*scores):
    return boxes.tukey_box(np.array(scores, dtype=float))


def test_tukey_s_rule_by_hand():
    """1 to 8 and 30: Q1 = 3, Q3 = 7 of all nine, fences -3 and 13, so 30 goes.

    Of the eight that stay: quartiles at positions 1.75 and 5.25 of 0 to 7, 2.75 and 6.25; median 4.5.
    """
    assert box(30, 1, 2, 3, 4, 5, 6, 7, 8) == boxes.Box(1, 2.75, 4.5, 6.25, 8, n=8, removed=1)


def test_tukey_s_rule_on_either_side():
    """Spec AGAD 8 (b): Q1 = 0.175, Q3 = 0.3625, fences -0.10625 and 0.64375: the least and the greatest go."""
    found = box(-0.5, 0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 1.0)
    assert (found.low, found.high, found.n, found.removed) == (0.1, 0.4, 6, 2)


def test_fences_are_inclusive():
    """0, 1, 1, 2 and 3.5: Q1 = 1, Q3 = 2, IQR = 1, the upper fence is 3.5 itself."""
    assert box(0, 1, 1, 2, 3.5).removed == 0
    assert box(0, 1, 1, 2, 3.5 + 1e-9).removed == 1


@pytest.mark.parametrize("scores", [(2.0,), (2.0, 2.0, 2.0)])
def test_equal_scores_are_kept(scores):
    assert box(*scores) == boxes.Box(2, 2, 2, 2, 2, n=len(scores), removed=0)


def run(record, normal_class, gamma, **options):
    options = {"method": "agad_unet", "dataset": "cifar10"} | options
    return record(
        rule="labelled_share", known_class=None, shots=None, normal_class=normal_class, gamma=gamma, **options
    )


def collect(records, **options):
    """Normal images score 0, 1, 2, anomalies 10 more than that and the seed."""

    def scores(record):
        values = np.array([0.0, 1.0, 2.0, *(10.0 + record.spec.fit.seed + at for at in range(3))])
        return Scores(tuple("abcdef"), ("normal",) * 3 + ("7",) * 3, values)

    options = {"measures": lambda record: {record.spec.method}, "versions": {}, "scores": scores} | options
    return boxes.collect_boxes(layout.figure_layout("agad:4"), records, **options)


def test_boxes_stand_by_dataset_class_gamma_and_side(record):
    made = [
        run(record, "1", "0.20"),
        run(record, "0", "0.05"),
        run(record, "0", "0.05", dataset="fashion_mnist"),
        run(record, "3", "0.05", dataset="cifar100"),
        run(record, "0", "0.00"),
        run(record, "0", "0.05", method="agad_naive"),
    ]
    found = collect(made)
    assert list(found.panels) == ["CIFAR-10", "CIFAR-100", "Fashion-MNIST"]
    sides = [
        (group.record.spec.split.normal_class, group.record.spec.split.gamma, group.images, group.box.median)
        for group in found.panels["CIFAR-10"]
    ]
    assert sides == [
        ("0", "0.05", "normal", 1), ("0", "0.05", "anomalous", 11),
        ("1", "0.20", "normal", 1), ("1", "0.20", "anomalous", 11),
    ]  # fmt: skip


def test_one_seed_of_the_best_series_is_drawn(record):
    made = [run(record, "0", "0.05", seed=2, recipe="quick"), *(run(record, "0", "0.05", seed=seed) for seed in (1, 4))]
    (groups,) = collect(made).panels.values()
    assert [group.box.median for group in groups] == [1, 12]
    assert groups[0].record.spec.recipe == "official"


def test_another_method_and_other_gammas_can_be_asked_for(record):
    made = [run(record, "0", "0.05"), run(record, "0", "0.00", method="agad")]
    found = collect(made, method="agad", gammas=["0.00"])
    assert (found.method, found.gammas) == ("agad", ("0.00",))
    assert len(found.panels["CIFAR-10"]) == 2


@pytest.mark.parametrize("failed", [None, "boom"])
def test_nothing_to_draw_says_what_to_run(record, failed):
    made = [run(record, "0", "0.05", failed=failed)] if failed else []
    with pytest.raises(ReportError, match=r"run bench run --suite labelled_share --method agad_unet --gamma 0.05,0.20"):
        collect(made)


def test_numbers_as_csv(record):
    text = csv_text(boxes.box_rows(collect([run(record, "0", "0.05")])))
    normal, anomalous = csv.DictReader(StringIO(text))
    assert text.startswith("dataset,normal_class,gamma,method,recipe,seed,images,n,removed,low,q1,median,q3,high\n")
    assert (normal["images"], normal["n"], normal["low"], normal["q1"]) == ("normal", "3", "0.0", "0.5")
    assert (anomalous["images"], anomalous["high"], anomalous["gamma"]) == ("anomalous", "12.0", "0.05")
