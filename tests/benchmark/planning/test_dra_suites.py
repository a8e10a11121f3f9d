"""Suites of DRA's ablations: their cells, suites of two rules, twins that are trained once, and fine-tuning for real."""

import csv
from functools import partial
from importlib.resources import files
from types import SimpleNamespace

import msgspec
import pytest
from selecting import select
from torch import nn

from benchmark.errors import BenchError
from benchmark.execution.worker import execute
from benchmark.planning.equivalence import measures
from benchmark.planning.inputs.fit_params import fit_params
from benchmark.planning.suite import Selection, expand_suite, load_suite, suite_parts
from benchmark.views.tables.suites import suite_layouts
from methods.backbones import networks
from methods.backbones.table import BACKBONES
from methods.registry import installed
from methods.registry.recipe import resolve
from reports.layouts import layout

SMALL = {
    "img_size": 32,
    "budget.steps": 1,
    "batch.size": 3,
    "batch.seen": 1,
    "reference.size": 1,
    "evaluation.batch": 20,
}


def runs_of(name, **selection):
    return [
        (part.rule, run)
        for part, own in suite_parts(load_suite(name), select(**selection))
        for run in expand_suite(part, own, without_anomalies=part.without_anomalies, classes={})
    ]


def printed(table, rule=None):
    """(rule, dataset, known class, method) of the printed cells that are no means."""
    lines = files("reports").joinpath(f"papers/dra/dra_table{table}.csv").read_text(encoding="utf-8").splitlines()
    categories = layout.auc_layout("dra:3").paper.groups["mvtec_ad"]
    return {
        (row["protocol"], dataset, row["known_class"], row["method"])
        for row in csv.DictReader(lines)
        if row["known_class"] != "mean" and row["shots"] == "10" and rule in {None, row["protocol"]}
        for dataset in (categories if row["dataset"] == "mvtec_ad" else [row["dataset"]])
    }


@pytest.mark.parametrize(
    ("name", "tables"),
    [
        ("ablation", (3,)),
        ("pseudo_sources", (4,)),
        ("additional", (7, 8)),
        ("additional_hard", (8,)),
    ],
)
def test_a_suite_holds_every_cell_of_its_tables_three_times(name, tables):
    runs = [(rule, run.dataset, run.known_class or "", run.method, run.seed) for rule, run in runs_of(name)]
    assert len(set(runs)) == len(runs)
    assert {run[:4] for run in runs} == set().union(*map(printed, tables))
    assert {run[4] for run in runs} == {0, 1, 2}
    assert {run.shots for _, run in runs_of(name)} == {10}


@pytest.mark.parametrize(
    ("name", "figure"), [("reference_size", "dra:3right"), ("losses", "dra:5"), ("disentanglement", "dra:3left")]
)
def test_a_suite_holds_the_runs_behind_every_bar_of_its_figure(name, figure):
    chosen = layout.figure_layout(figure)
    methods = installed.methods()
    wanted = set()
    for place in chosen.published_cells:
        where = dict(place.coordinates)
        source = chosen.source(where)
        assert source.method in methods
        for subset in chosen.subsets(where):
            wanted.add((source.rule, subset.coordinates["dataset"], subset.coordinates["known_class"], source.method))
    runs = [(rule, run.dataset, run.known_class or "", run.method) for rule, run in runs_of(name)]
    assert set(runs) == wanted
    assert len(runs) == 3 * len(wanted)


def test_every_printed_method_of_the_dra_paper_that_is_dras_is_measured_by_one():
    paper = layout.auc_layout("dra:1").paper
    found = installed.methods()
    assert [name for name in paper.methods.values() if name.startswith("dra") and name not in found] == []


def test_what_a_suite_fills_is_printed_once():
    def filled(name):
        chosen = suite_layouts([part for part, _ in suite_parts(load_suite(name), Selection())])
        return [(one.kind, one.table) for one in chosen]

    assert filled("ablation") == [("Table", "3")]
    assert filled("additional") == [("Table", "7"), ("Table", "8")]
    assert filled("losses") == [("Figure", "5")]


def test_filters_choose_among_the_rules_of_a_suite():
    def chosen(**selection):
        return {(rule, run.dataset, run.known_class) for rule, run in runs_of("ablation", **selection)}

    assert chosen(datasets=("elpv",)) == {
        ("general", "elpv", None),
        ("hard", "elpv", "mono"),
        ("hard", "elpv", "poly"),
    }
    assert chosen(known_classes=("poly",)) == {("hard", "elpv", "poly")}
    assert chosen(datasets=("bottle", "elpv"), known_classes=("mono",)) == {("hard", "elpv", "mono")}
    assert chosen(datasets=("bottle", "mine")) == {("general", "bottle", None), ("general", "mine", None)}
    with pytest.raises(BenchError, match=r"--known-class does not fit suite ablation: its rule 'general' has no"):
        chosen(datasets=("bottle",), known_classes=("mono",))
    with pytest.raises(BenchError, match="--gamma does not fit suite ablation"):
        chosen(gammas=("0.01",))


@pytest.fixture
def textures(drifting, rows):
    for name, shade in (("carpet", 20), ("grid", 90)):
        images = rows["texture"](shade) + [(f"test/color/{i:03}", "color", "test", shade + 60 + i) for i in range(12)]
        drifting.prepare(name, images)
    return drifting


def test_a_twin_is_trained_once_and_stands_in_both_tables(textures):
    chosen = {"datasets": ("carpet",), "known_classes": ("color",), "seeds": (0,), "shots": (10,)}
    (dra,) = textures.plan("hard", methods=("dra",), **chosen).runs
    sources = {run.wanted_run.method: run for run in textures.plan("pseudo_sources", **chosen).runs}
    keys = {name: run.spec.key for name, run in sources.items() if run.spec}
    assert keys["dra_cutmix"] == dra.spec.key
    assert list(keys) == ["dra_cp_scar", "dra_cp_mix", "dra_cutmix", "dra_mvtec_ad"]
    assert len(set(keys.values())) == 4
    assert sources["dra_lag"].state == "blocked"
    assert sources["dra_mvtec_ad"].spec.fit.pools["mvtec_ad"][0].dataset == "grid"
    sizes = {run.wanted_run.method: run.spec for run in textures.plan("reference_size", **chosen).runs}
    losses = {run.wanted_run.method: run.spec for run in textures.plan("losses", **chosen).runs}
    heads = {run.wanted_run.method: run.spec for run in textures.plan("ablation", **chosen).runs}
    assert {specs["dra"].key for specs in (sizes, losses, heads)} == {dra.spec.key}
    assert len({spec.key for specs in (sizes, losses, heads) for spec in specs.values()}) == 1 + 2 + 2 + 4


def test_a_record_measures_its_twin(textures):
    chosen = {"datasets": ("carpet",), "known_classes": ("color",), "seeds": (0,)}
    (dra,) = textures.plan("hard", methods=("dra",), shots=(10,), **chosen).runs
    found = {run.wanted_run.method: run.spec for run in textures.plan("pseudo_sources", **chosen).runs if run.spec}
    measured_as = measures()

    def ids(spec):
        return measured_as(SimpleNamespace(spec=spec, series=spec.series))

    assert ids(dra.spec) == {"dra", "dra_cutmix"}
    assert ids(found["dra_cutmix"]) == {"dra", "dra_cutmix"}
    assert ids(found["dra_cp_mix"]) == {"dra_cp_mix"}


def test_fine_tuning_takes_its_own_budget_and_switches():
    dra = installed.get("dra")
    params = resolve(dra, "official", "carpet", {"finetune.optim.lr": 2e-5, "finetune.freeze_g_s": True}).params
    source, target = fit_params(params), fit_params(params, fine_tuned=True)
    assert (source["budget.epochs"], target["budget.epochs"]) == (30, 10)
    assert (source["optim.lr"], target["optim.lr"]) == (2e-4, 2e-5)
    assert [name for name in source if name.startswith("finetune.")] == []
    own = {name: value for name, value in target.items() if name.startswith("finetune.")}
    assert own == {"finetune.reset_heads": False, "finetune.freeze_g_s": True}
    assert {name for name in source if source[name] != target[name]} == {"budget.epochs", "optim.lr"}


def test_dra_is_fine_tuned_from_a_source_to_a_target(textures, monkeypatch):
    small_trunk = partial(nn.Sequential, nn.Conv2d(3, 8, 16, stride=16), nn.ReLU())
    row = BACKBONES["resnet18"]
    monkeypatch.setitem(networks.OWN_CONSTRUCTORS, "resnet18", small_trunk)
    monkeypatch.setitem(BACKBONES, "resnet18", msgspec.structs.replace(row, taps=row.taps | {"1": 8}))
    small = {"dra": {**SMALL, "budget.epochs": 1, "finetune.budget.epochs": 2, "finetune.freeze_g_s": True}}
    chosen = {"methods": ("dra",), "datasets": ("carpet",), "source_datasets": ("grid",), "seeds": (0,)}
    source, target = textures.plan("cross_domain", sets=small, **chosen).tasks({"missing"})
    assert [execute(task, textures.machine).state for task in (source, target)] == ["done", "done"]
    (record,) = textures.store.records()
    assert (record.counts.train_anomaly, record.counts.test_anomaly) == (0, 16)
    assert len(record.history["loss"]) == 2
    assert record.spec.split.source_dataset == "grid"
