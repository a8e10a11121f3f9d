"""The suites that come with the package cover the papers' tables."""

import csv
from importlib.resources import files

import pytest
from selecting import select

from benchmark.errors import BenchError
from benchmark.planning.suite import expand, load, names


def wanted(name, **selection):
    suite = load(name)
    return expand(suite, select(**selection), without_anomalies=suite.without_anomalies, classes={})


def published(table, skip=()):
    lines = files("reports").joinpath(f"papers/dra/dra_table{table}.csv").read_text(encoding="utf-8").splitlines()
    return {
        (row["dataset"], row["known_class"], row["method"], row["shots"])
        for row in csv.DictReader(lines)
        if row["known_class"] != "mean" and row["dataset"] not in skip
    }


@pytest.mark.parametrize(("name", "table", "skip"), [("general", 1, ("mvtec_ad",)), ("hard", 2, ())])
def test_a_suite_holds_every_cell_of_its_table_three_times(name, table, skip):
    runs = wanted(name)
    cells = [(run.dataset, run.known_class or "", run.method, str(run.shots or "")) for run in runs]
    assert set(cells) == published(table, skip)
    assert len(cells) == 3 * len(set(cells))
    assert {run.seed for run in runs} == {0, 1, 2}


def lines(file):
    return list(
        csv.DictReader(files("reports").joinpath(f"papers/{file}.csv").read_text(encoding="utf-8").splitlines())
    )


def test_the_one_class_suite_holds_every_class_of_the_sets_of_csi_gans_table_1():
    cells = {(run.method, run.dataset, run.normal_class) for run in wanted("one_class")}
    assert len(wanted("one_class")) == 3 * len(cells)
    assert {name for _, name, _ in cells} == {row["dataset"] for row in lines("csi_gan/csi_gan_table1")}
    sizes = {name: len({label for _, dataset, label in cells if dataset == name}) for _, name, _ in cells}
    assert sizes == {"cifar10": 10, "cifar100": 20, "imagenet30": 30}


def test_the_labelled_share_suite_holds_every_cell_of_agads_table_5_once_a_class_and_seed():
    switches = {
        ("on", "on"): "agad_unet_adv_prop_freeze_bn",
        ("on", "off"): "agad_unet_adv_prop",
        ("off", "on"): "agad_unet_freeze_bn",
        ("off", "off"): "agad_unet",
    }
    printed = {
        (row["dataset"], switches[row["adv_prop"], row["freeze_bn"]], row["gamma"])
        for row in lines("agad/agad_table5")
        if row["mean"]
    }
    runs = wanted("labelled_share")
    assert {(run.dataset, run.method, run.gamma) for run in runs} == printed
    assert len(set(runs)) == len(runs) == 2160


def test_the_cross_domain_suite_holds_every_cell_of_table_9_three_times():
    runs = wanted("cross_domain")
    cells = [(run.source_dataset or "", run.dataset, run.method) for run in runs]
    assert set(cells) == {(row["source_dataset"], row["dataset"], row["method"]) for row in lines("dra/dra_table9")}
    assert len(cells) == 3 * len(set(cells))
    assert {run.shots for run in runs if run.method == "dra"} == {10}


def test_a_target_that_the_suite_lacks_is_fine_tuned_from_all_its_datasets_or_from_those_selected():
    def sources(**selection):
        runs = wanted("cross_domain", datasets=("screw",), methods=("dra",), seeds=(0,), **selection)
        return [run.source_dataset for run in runs]

    assert sources() == ["carpet", "grid", "leather", "tile", "wood"]
    assert sources(source_datasets=("wood", "screw")) == ["wood"]


def test_the_quick_suite_is_four_runs():
    assert [(run.method, run.known_class, run.shots, run.seed) for run in wanted("quick")] == [
        ("devnet", "mono", 10, 0),
        ("dra", "mono", 10, 0),
        ("devnet", "poly", 10, 0),
        ("dra", "poly", 10, 0),
    ]


def test_filters_leave_and_add():
    runs = wanted("hard", datasets=("elpv",), methods=("dra", "kdad"), known_classes=("poly",), shots=(5,), seeds=(7,))
    assert [(run.method, run.known_class, run.shots, run.seed) for run in runs] == [
        ("dra", "poly", 5, 7),
        ("kdad", "poly", None, 7),
    ]


def test_every_suite_of_the_package_loads():
    assert {"general", "hard", "quick", "one_class", "labelled_share", "cross_domain"} <= set(names())
    for name in names():
        assert load(name).id == name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id = ", "not valid TOML"),
        ('id = "x"', "missing required field"),
        (
            'id = "x"\ntitle = "t"\ntable = "dra:2"\nrule = "hard"\nrecipe = "quick"\nmethods = ["a"]\nshots = ["1"]',
            "shots",
        ),
        ("idd = 1", "idd"),
        (
            'id = "x"\ntitle = "t"\nrule = "hadr"\nrecipe = "quick"\nmethods = ["a"]\nseeds = [0]\ndatasets = {}',
            "did you mean 'hard'",
        ),
        (
            'id = "x"\ntitle = "t"\nrule = "hard"\nrecipe = "quick"\nmethods = ["a"]\nseeds = [0]\ndatasets = {}',
            "the rule 'hard' needs shots",
        ),
        (
            'id = "x"\ntitle = "t"\nrule = "hard"\nrecipe = "quick"\nmethods = []\nseeds = []\nshots = [1]\ngammas = ["0.05"]\ndatasets = {}',
            "the rule 'hard' has no gammas",
        ),
    ],
)
def test_a_suite_file_that_is_wrong_says_where(tmp_path, text, said):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(BenchError, match=said):
        load(str(path))
