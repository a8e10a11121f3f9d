"""A method with a base: its source is the base's fit on the same split and seed, made once and shared."""

import json

import pytest
from msgspec import structs

from benchmark.errors import BenchError
from benchmark.execution.worker import execute
from benchmark.planning.equivalence import measures
from benchmark.views.contradictions import contradiction
from benchmark.views.derived import RecordDeriver
from benchmark.views.pages.remaking import remake_command
from methods.registry.installed import methods
from protocols.datasets.registry import dataset_infos
from results.spec import canonical

SUITE = """
id = "based"
title = "A base and what starts from it"
rule = "general"
recipe = "official"
methods = ["dra", "ahl_dra", "ahl_devnet"]
shots = [10]
seeds = [0, 1]
[datasets]
leather = []
"""


@pytest.fixture
def leather(drifting, rows):
    drifting.prepare("leather", rows["texture"](60))
    return drifting


@pytest.fixture
def runs(leather):
    def planned(**request):
        plan = leather.plan(leather.suite(SUITE), **request)
        return {(run.wanted_run.method, run.wanted_run.seed): run for run in plan.runs}, plan

    return planned


def test_the_source_is_the_bases_own_run(runs):
    by_method, plan = runs()
    for seed in (0, 1):
        base, ahl = by_method["dra", seed].spec.fit, by_method["ahl_dra", seed].spec
        assert ahl.fit.source == base.fit_key
        assert ahl.source == base
        assert (ahl.fit.train_normal, ahl.fit.train_anomaly) == (base.train_normal, base.train_anomaly)
        assert not ahl.is_fine_tuned
    devnet = by_method["ahl_devnet", 0].spec.source
    assert (devnet.detector, devnet.params["budget.epochs"]) == ("devnet", 50)
    tasks = plan.tasks({"missing"})
    # Six runs, and a fit of DevNet for each seed, which no run of the suite is; a source comes before what needs it.
    assert len(tasks) == 8
    for task in tasks:
        if task.source_key:
            position = [each.key for each in tasks].index(task.source_key)
            assert position < tasks.index(task)
            assert tasks[position].is_source


def test_paper_and_official_share_the_base_and_quick_has_its_own(runs):
    official, paper, quick = (runs(recipe=recipe)[0]["ahl_dra", 0].spec for recipe in ("official", "paper", "quick"))
    assert official.fit.source == paper.fit.source != quick.fit.source
    assert official.fit.fit_key != paper.fit.fit_key
    assert (quick.fit.size, quick.source.size) == (128, 128)


def test_other_seeds_are_one_series_and_another_base_is_another(runs):
    by_method, _ = runs()
    assert by_method["ahl_dra", 0].spec.series == by_method["ahl_dra", 1].spec.series
    changed, _ = runs(sets={"dra": {"budget.epochs": 5}})
    assert changed["ahl_dra", 0].spec.series != by_method["ahl_dra", 0].spec.series
    assert changed["ahl_dra", 0].spec.fit.source == changed["dra", 0].spec.fit.fit_key
    assert "dra.budget.epochs = 5 (recipe: 30)" in changed["ahl_dra", 0].spec.deviations
    assert changed["ahl_devnet", 0].spec == by_method["ahl_devnet", 0].spec


def test_size_and_trunk_are_those_of_the_method(runs):
    by_method, _ = runs(sets={"ahl_dra": {"img_size": 64, "backbone": "resnet50"}}, methods=("ahl_dra",))
    spec = by_method["ahl_dra", 0].spec
    assert (spec.source.size, spec.source.params["backbone"]) == (64, "resnet50")
    assert not any(text.startswith("dra.") for text in spec.deviations)


def test_each_value_of_the_base_is_a_run_whose_name_says_it(runs):
    for asked in (("ahl_dra",), ("dra", "ahl_dra", "ahl_devnet")):
        values = {"dra": {"budget.epochs": (5, 6)}}
        _, plan = runs(methods=asked, seeds=(0,), sets={"dra": {"budget.epochs": 5}}, sweeps=values)
        found = [run for run in plan.runs if run.wanted_run.method == "ahl_dra"]
        assert [run.spec.source.params["budget.epochs"] for run in found] == [5, 6]
        assert ["-dra.budget.epochs=5-" in run.spec.name for run in found] == [True, False]
        assert [run.spec.settings["dra.budget.epochs"] for run in found] == ["5", "6"]
        assert len({run.spec.series for run in found}) == 2
        assert sum(run.wanted_run.method == "ahl_devnet" for run in plan.runs) == len(asked) // 3


def test_a_size_of_the_base_that_no_run_would_have_is_refused(runs):
    with pytest.raises(BenchError, match=r"dra\.img_size changes nothing.*give --set ahl_dra\.img_size=VALUE"):
        runs(methods=("ahl_dra",), sets={"dra": {"img_size": 64}})
    by_method, _ = runs(
        methods=("dra", "ahl_dra"), seeds=(0,), sets={"dra": {"img_size": 64}}, sweeps={"dra": {"img_size": (64, 96)}}
    )
    assert by_method["ahl_dra", 0].spec.source.size == by_method["ahl_dra", 0].spec.fit.size != 96
    assert by_method["dra", 0].spec.fit.size == 96


def test_released_crops_ask_for_images_of_their_own_sizes(runs):
    assert runs()[0]["ahl_dra", 0].fit.takes_native_images
    assert not runs()[0]["dra", 0].fit.takes_native_images
    assert not runs(recipe="paper")[0]["ahl_dra", 0].fit.takes_native_images


def test_a_run_is_blocked_where_its_base_is(leather, rows):
    leather.prepare("brain_mri", rows["texture"](90))
    plan = leather.plan(leather.suite(SUITE.replace("leather", "brain_mri")), methods=("ahl_dra",))
    assert {run.state for run in plan.runs} == {"blocked"}
    assert plan.runs[0].reason.startswith("lag is not in")


SMALL = {
    "dra": {"budget.epochs": 1, "budget.steps": 1, "batch.size": 6, "batch.seen": 2, "img_size": 32},
    "ahl_dra": {
        "budget.epochs": 1,
        "budget.steps": 1,
        "batch.size": 6,
        "clusters.count": 2,
        "inner.passes": 1,
        "importance.kind": "none",
        "img_size": 32,
    },
}


@pytest.fixture
def done(leather):
    """Both runs of seed 0, made by the worker; gives the records by method."""
    plan = leather.plan(leather.suite(SUITE), methods=("dra", "ahl_dra"), seeds=(0,), sets=SMALL)
    assert [execute(task, leather.machine).state for task in plan.tasks({"missing"})] == ["done", "done"]
    return {record.spec.method: record for record in leather.store.records()}


def test_the_records_say_what_they_start_from_and_contradict_nothing(done, leather):
    record = done["ahl_dra"]
    assert record.spec.source == done["dra"].spec.fit
    assert measures()(record) == {"ahl_dra"}
    assert RecordDeriver().contradictions(record) == []
    again = leather.plan(leather.suite(SUITE), methods=("ahl_dra",), seeds=(0,), sets=SMALL)
    assert [run.state for run in again.runs] == ["cached"]
    state = leather.house.results / "fits" / f"{record.spec.fit.source}.json"
    assert json.loads(state.read_text())


def test_a_base_on_other_images_or_none_is_a_contradiction(done):
    record, info, infos = done["ahl_dra"], methods()["ahl_dra"], dataset_infos()
    other = structs.replace(record.spec.source, train_normal="0" * 64)
    spec = structs.replace(record.spec, source=other)
    assert "starts from a fit on other images" in contradiction(structs.replace(record, spec=spec), info, infos)
    spec = structs.replace(record.spec, source=None)
    assert "holds no fit that this starts from" in contradiction(structs.replace(record, spec=spec), info, infos)
    spec = structs.replace(done["dra"].spec, source=other)
    base_info = methods()["dra"]
    changed = structs.replace(done["dra"], spec=spec)
    assert "one source dataset" in contradiction(changed, base_info, infos)
    assert canonical(record.spec.source) == canonical(done["dra"].spec.fit)


def test_the_command_that_makes_a_run_again_sets_its_base_too(done):
    words = remake_command([done["ahl_dra"]]).split()
    assert "dra.budget.epochs=1" in words
    assert "ahl_dra.budget.epochs=1" in words
    assert "dra.img_size=32" not in words


def test_the_command_that_makes_a_run_again_sets_a_size_that_its_recipe_leaves_to_the_dataset(done):
    assert "dra.img_size=32" in remake_command([done["dra"]]).split()


def test_parameters_of_a_base_that_nothing_asks_for_are_refused(runs):
    with pytest.raises(BenchError, match="no run of devnet is asked for"):
        runs(methods=("ahl_dra",), sets={"devnet": {"budget.epochs": 1}})
