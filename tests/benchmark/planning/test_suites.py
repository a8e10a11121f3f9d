"""The suites that come with the package cover the papers' tables."""

import csv
from importlib.resources import files

import pytest
from selecting import select

from benchmark.errors import BenchError
from benchmark.planning.suite import expand_suite, load_suite, suite_names
from protocols.datasets.registry import our_datasets


def wanted(name, **selection):
    suite = load_suite(name)
    return expand_suite(suite, select(**selection), without_anomalies=suite.without_anomalies, classes={})


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


MVTEC_AD = (
    "carpet grid leather tile wood bottle capsule pill transistor zipper cable hazelnut metal_nut screw toothbrush"
)
ALL = dict.fromkeys(f"{MVTEC_AD} aitex sdd elpv optical mastcam brain_mri head_ct hyper_kvasir".split(), ())
HARD = {
    "carpet": ("color", "cut", "hole", "metal", "thread"),
    "metal_nut": ("bent", "color", "flip", "scratch"),
    "aitex": ("broken_end", "broken_pick", "cut_selvage", "fuzzyball", "nep", "weft_crack"),
    "elpv": ("mono", "poly"),
    "mastcam": ("bedrock", "broken_rock", "drill_hole", "drt", "dump_pile", "float", "meteorite", "scuff", "veins"),
    "hyper_kvasir": ("barretts", "barretts_short_seg", "esophagitis_a", "esophagitis_b_d"),
}
LARGE = ("capsule", "pill", "zipper", "screw", "aitex", "elpv", "optical", "mastcam", "brain_mri", "hyper_kvasir")
FEW = {name: HARD[name] for name in ("carpet", "aitex", "elpv", "hyper_kvasir")}
DIGITS = {n: tuple(map(str, range(n))) for n in (10, 20, 30)}
DATASETS = {
    **dict.fromkeys(("general", "ablation", "additional", "disentanglement"), ALL),
    **dict.fromkeys(("hard", "additional_hard"), HARD),
    **dict.fromkeys(("ablation_hard", "losses", "pseudo_sources", "reference_size"), FEW),
    "labelled_share": {"fashion_mnist": DIGITS[10], "cifar10": DIGITS[10], "cifar100": DIGITS[20]},
    "one_class": {"cifar10": DIGITS[10], "cifar100": DIGITS[20], "imagenet30": DIGITS[30]},
    "cross_domain": dict.fromkeys(("carpet", "grid", "leather", "tile", "wood"), ()),
    "quick": {"elpv": ("mono", "poly")},
    "regression": {"elpv": ("mono",)},
    "labels": dict.fromkeys(LARGE, ()),
    "labels_hard": HARD,
    "labels_ten_shot": ALL,
}


def test_suites_have_the_datasets_of_the_papers_in_their_order_with_their_classes():
    assert set(suite_names()) == set(DATASETS)
    for name, datasets in DATASETS.items():
        assert list(load_suite(name).datasets.items()) == list(datasets.items()), name


def test_the_labels_suites_ask_for_100_labels_where_so_many_leave_some_to_test():
    """By the counts of Table 5; the classes of Mastcam, whose counts no facts have, are taken to be smaller."""
    general, hard = wanted("labels", methods=("dra",)), wanted("labels_hard", methods=("dra",))
    infos = our_datasets()
    assert {run.dataset for run in general} == {
        name for name in ALL if infos[name].published and infos[name].published.anomalies > 100
    }
    assert {run.shots for run in general} == {1, 10, 100}
    counts = {name: infos[name].releases[""][0].counts for name in HARD}
    large = {(name, known) for name, classes in HARD.items() for known in classes if counts[name].get(known, 0) >= 100}
    assert {(run.dataset, run.known_class) for run in hard if run.shots == 100} == large
    assert {(run.dataset, run.known_class) for run in hard if run.shots == 10} == {
        (name, known) for name, classes in HARD.items() for known in classes
    }


def test_facts_name_suites_that_there_are():
    named = {suite for info in our_datasets().values() for suite in info.suites}
    assert named == {suite.datasets_of for suite in map(load_suite, suite_names()) if suite.datasets_of}
    assert named <= set(suite_names())


def test_a_suite_file_takes_the_datasets_of_another(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'id = "x"\ntitle = "t"\nrule = "general"\nrecipe = "quick"\nmethods = ["a"]\nseeds = [0]\nshots = [1]\n'
        'datasets_of = "hard"\n'
    )
    assert load_suite(str(path)).datasets == dict.fromkeys(HARD, ())


def test_every_suite_of_the_package_loads():
    assert {"general", "hard", "quick", "one_class", "labelled_share", "cross_domain"} <= set(suite_names())
    for name in suite_names():
        assert load_suite(name).id == name


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
        (
            'id = "x"\ntitle = "t"\nrule = "hard"\nrecipe = "quick"\nmethods = []\nseeds = []\nshots = [1]',
            r"give the table \[datasets\], or datasets_of",
        ),
        (
            'id = "x"\ntitle = "t"\nrule = "hard"\nrecipe = "quick"\nmethods = []\nseeds = []\nshots = [1]\ndatasets_of = "hrad"',
            "the facts of no dataset name the suite 'hrad': did you mean 'hard'?",
        ),
    ],
)
def test_a_suite_file_that_is_wrong_says_where(tmp_path, text, said):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(BenchError, match=said):
        load_suite(str(path))
