"""One class and labelled share: what is planned, what is recorded, and how two rules share one run."""

import time
from importlib.util import find_spec

import pytest
from selecting import select

from benchmark.errors import BenchError
from benchmark.execution.worker import execute
from benchmark.planning.suite import Selection, expand_suite, load_suite
from protocols.datasets.manifest import Row, assemble_dataset, write_manifest

ONE_CLASS = """
id = "digits"
title = "A made-up set of classes"
rule = "one_class"
recipe = "official"
methods = ["drift_normal"]
seeds = [0]
[datasets]
digits = ["0", "1", "2"]
"""

SHARE = """
id = "shares"
title = "Shares of labelled anomalies"
rule = "labelled_share"
recipe = "official"
methods = ["drift"]
gammas = ["0.00", "0.10", "0.50"]
seeds = [0, 1]
[datasets]
digits = ["0", "1", "2"]
"""


@pytest.fixture
def digits(drifting, rows):
    drifting.prepare("digits", rows["class_set"]())
    return drifting


def test_every_class_is_normal_once_against_the_whole_test_set(digits):
    plan = digits.plan(digits.suite(ONE_CLASS))
    assert [run.wanted_run.normal_class for run in plan.runs] == ["0", "1", "2"]
    for run in plan.runs:
        assert (run.state, run.spec.split.normal_class, run.spec.split.shots) == (
            "missing",
            run.wanted_run.normal_class,
            None,
        )
        assert (len(run.split.test_normal), len(run.split.test_anomaly)) == (4, 8)
        assert run.spec.fit.size == 224


def test_the_normal_class_is_recorded_as_normal_and_makes_the_labels(digits):
    (task,) = digits.plan(digits.suite(ONE_CLASS), normal_classes=("2",)).tasks({"missing"})
    assert execute(task, digits.machine).state == "done"
    (record,) = digits.store.records()
    scores = digits.store.scores(record.key)
    named = dict(zip(scores.ids, scores.classes, strict=True))
    assert {id_: name for id_, name in named.items() if id_.startswith("test/2")} == dict.fromkeys(
        (f"test/20{i}" for i in range(4)), "normal"
    )
    assert {name for id_, name in named.items() if not id_.startswith("test/2")} == {"0", "1"}
    assert scores.labels.tolist() == [int(not id_.startswith("test/2")) for id_ in scores.ids]
    assert record.metrics.auroc < 0.5, "the made-up score calls bright images anomalous, and class 2 is the brightest"
    assert record.counts.test_normal == 4
    assert f"one_class-digits-2-drift_normal-s0-{record.key[:8]}" == record.spec.name


def test_a_share_of_zero_gives_no_anomalies_and_a_smaller_one_a_prefix_of_a_larger(digits):
    plan = digits.plan(digits.suite(SHARE), normal_classes=("1",), seeds=(0,))
    assert [run.spec.split.gamma for run in plan.runs] == ["0.00", "0.10", "0.50"]
    none, few, many = (run.fit.train_anomaly for run in plan.runs)
    assert (len(none), len(few), len(many)) == (0, 1, 5)
    assert many[:1] == few
    assert len({run.spec.test for run in plan.runs}) == 1
    assert len({run.spec.series for run in plan.runs}) == 3


def test_one_class_of_a_method_with_shares_is_its_share_of_zero(digits):
    alone = digits.plan(digits.suite(ONE_CLASS), methods=("drift",))
    shared = digits.plan(digits.suite(SHARE), gammas=("0.00",), seeds=(0,))
    assert [run.spec for run in alone.runs] == [run.spec for run in shared.runs]
    without = digits.plan(digits.suite(ONE_CLASS))
    assert {run.spec.split.rule for run in alone.runs} == {"labelled_share"}
    assert {run.spec.split.rule for run in without.runs} == {"one_class"}


def test_a_share_of_zero_is_one_run_whatever_shares_are_selected_for_a_method_without_anomalies():
    suite = load_suite("labelled_share")
    runs = expand_suite(
        suite,
        select(methods=("csi",), datasets=("cifar10",), gammas=("0.05", "0.10"), seeds=(0,)),
        without_anomalies={"csi"},
        classes={},
    )
    assert [(run.normal_class, run.gamma) for run in runs] == [(str(label), "0.00") for label in range(10)]


def test_a_dataset_that_the_suite_lacks_is_added_with_all_its_classes(digits, rows):
    digits.prepare("more", rows["class_set"](classes=12, train=1, test=1, step=20))
    suite = digits.suite(ONE_CLASS)
    added = digits.plan(suite, datasets=("more",))
    assert [run.wanted_run.normal_class for run in added.runs] == [str(label) for label in range(12)]
    some = digits.plan(suite, datasets=("digits", "more"), normal_classes=("2", "11"))
    assert [(run.wanted_run.dataset, run.wanted_run.normal_class) for run in some.runs] == [
        ("digits", "2"),
        ("more", "2"),
        ("more", "11"),
    ]
    with pytest.raises(BenchError, match="no selected dataset of suite digits has the normal class '3'"):
        digits.plan(suite, normal_classes=("3",))


def test_a_dataset_that_is_not_there_is_blocked_with_the_place_to_get_it(digits):
    plan = digits.plan(digits.suite(ONE_CLASS), datasets=("digits", "fashion_mnist"), normal_classes=("0",))
    assert [(run.wanted_run.dataset, run.state) for run in plan.runs] == [
        ("digits", "missing"),
        ("fashion_mnist", "blocked"),
    ]
    assert "fashion_mnist is not in" in plan.runs[1].reason


def test_runs_that_a_table_does_not_have_are_left_out():
    suite = load_suite("labelled_share")
    runs = expand_suite(suite, Selection(), without_anomalies=(), classes={})
    assert len(runs) == 2160
    frozen = {run.gamma for run in runs if run.method == "agad_unet_freeze_bn"}
    assert frozen == {"0.01", "0.03", "0.05", "0.10"}


def test_a_switch_that_needs_anomalies_is_blocked_where_there_are_none(digits):
    plan = digits.plan(digits.suite(SHARE), methods=("agad_unet_freeze_bn",), normal_classes=("0",), seeds=(0,))
    assert {run.wanted_run.gamma: run.state for run in plan.runs} == {
        "0.00": "blocked",
        "0.10": "missing",
        "0.50": "missing",
    }
    assert plan.runs[0].reason == "agad.freeze_bn has no effect without labelled anomalies: give a gamma above 0.00"


def test_many_splits_of_one_large_set_cost_little_more_than_one(drifting):
    """300 of the 900 splits behind AGAD's Table 5, on 60,000 rows whose images nobody opens."""
    folder = drifting.data / "cifar10"
    folder.mkdir(parents=True)
    rows = [
        Row(f"{half}/{i:05}", "images.npy", str(i % 10), half, f"{i:032x}{count:032x}", 32, 32, 3)
        for half, count in (("train", 50_000), ("test", 10_000))
        for i in range(count)
    ]
    write_manifest(assemble_dataset("cifar10", folder, rows), folder)
    shares = SHARE.replace("0.10", "0.01").replace("0.50", "0.05")
    one = shares.replace('digits = ["0", "1", "2"]', 'cifar10 = ["0"]').replace("[0, 1]", "[0]")
    every = [str(label) for label in range(10)]
    many = shares.replace('digits = ["0", "1", "2"]', f"cifar10 = {every}").replace("[0, 1]", str(list(range(10))))

    def seconds(text, runs):
        start = time.process_time()
        plan = drifting.plan(drifting.suite(text))
        assert plan.count("missing") == len(plan.runs) == runs
        return time.process_time() - start

    assert seconds(many, 300) < 8 * seconds(one, 3)


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_planning_classes_loads_no_torch(digits):
    import subprocess
    import sys

    code = "import sys; from benchmark.cli import status; status(sys.argv[1:]); print('torch' in sys.modules)"
    words = ["run", "--suite", str(digits.suite(SHARE)), "--plan"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], env=digits.house.env, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "False"
    assert "18 runs of suite shares" in done.stdout
