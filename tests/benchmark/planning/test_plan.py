"""A plan says of each run whether it is comparable with the paper, and why not."""

import sys
import types
from importlib.util import find_spec

import pytest
from selecting import select

from benchmark.paths import Folders
from benchmark.planning import plan as planning
from benchmark.planning.inputs.fit_params import fit_params
from benchmark.planning.suite import Selection, expand_suite, load_suite
from protocols.splits import rules
from results.store import Store


@pytest.fixture
def plan(house):
    """Plan the small suite in the test's folders."""

    def make(suite=house.suite, recipe="official", selection=None, **request):
        folders = Folders(
            data=house.root / "data",
            cache=house.root / "cache",
            results=house.results,
            weights=None,
            hub=house.root / "torch",
        )
        asked = planning.RunRequest(recipe=recipe, weights=("random",), **request)
        return planning.plan(
            load_suite(str(suite)), selection or Selection(), asked, folders=folders, store=Store(house.results)
        )

    return make


def deviations(planned):
    return {text for run in planned.runs for text in run.spec.deviations}


def test_a_data_set_that_is_not_the_papers_says_so(plan):
    assert deviations(plan()) == {"dataset tiny is not the paper's"}


def test_overrides_splits_and_sizes_are_deviations(plan):
    planned = plan(
        sets={"dra": {"topk.rate": 0.2, "optim.lr": 2e-4, "img_size": 64}}, split_options={"limit_train": 12}
    )
    assert deviations(planned) == {
        "dataset tiny is not the paper's",
        "dra.topk.rate = 0.2 (recipe: 0.1)",
        "dra.img_size = 64 (recipe: 'per_dataset')",
        "image size 64 (the paper's: 224)",
        "split option limit_train = 12",
    }


@pytest.mark.skipif(find_spec("elpv_dataset") is None, reason="the package elpv-dataset is not installed")
def test_the_whole_release_of_elpv_deviates_in_nothing(plan):
    planned = plan(suite="hard", selection=select(datasets=("elpv",), methods=("dra", "devnet")))
    assert deviations(planned) == set()
    assert {run.spec.fit.size for run in planned.runs} == {224}
    assert {run.state for run in planned.runs} == {"missing"}


def test_evaluation_and_size_are_no_parameters_of_a_fit(plan):
    for run in plan().runs:
        assert not {"evaluation.batch", "evaluation.order", "img_size"} & run.spec.fit.params.keys()
        independent = run.wanted_run.method == "devnet"
        assert (run.spec.evaluation is None) == independent
        if not independent:
            assert (run.spec.evaluation.order, run.spec.evaluation.batch) == ("listing", 48)


def test_seeds_differ_in_key_and_agree_in_series(plan):
    planned = plan(selection=select(methods=("dra",), known_classes=("dot",), seeds=(0, 1)))
    first, second = (run.spec for run in planned.runs)
    assert first.key != second.key
    assert first.series == second.series


def test_parameters_of_fine_tuning_are_given_to_fits_that_start_from_another_alone():
    params = {
        "lr": 1.0,
        "epochs": 30,
        "finetune.epochs": 10,
        "finetune.lr": None,
        "finetune.frozen": True,
        "img_size": 64,
    }
    assert fit_params(params) == {"lr": 1.0, "epochs": 30}
    assert fit_params(params, fine_tuned=True) == {"lr": 1.0, "epochs": 10, "finetune.frozen": True}


def test_several_seeds_may_be_trained_on_one_split(plan):
    three = select(methods=("devnet",), seeds=(0, 1, 2))
    on_one = select(methods=("devnet",), seeds=(0, 1, 2), split_seeds=(1,))
    fixed, own = plan(selection=on_one).runs, plan(selection=three).runs
    assert {run.spec.split_seed for run in fixed} == {1}
    assert (
        len({(run.wanted_run.known_class, run.split.fingerprints["train_anomaly"]) for run in fixed}) == len(fixed) / 3
    )
    assert len({run.spec.key for run in fixed}) == len(fixed)
    by_name = {run.spec.name.rpartition("-")[0]: run.spec.key for run in own}
    shared = {name: run.spec.key for run in fixed if (name := run.spec.name.rpartition("-")[0]) in by_name}
    assert shared == {name: key for name, key in by_name.items() if name.endswith("-s1")}
    assert {run.spec.series for run in fixed} == {run.spec.series for run in own}
    assert {run.spec.name.split("-")[-2] for run in fixed} == {"s0.1", "s1", "s2.1"}


def test_seeds_are_crossed_with_seeds_of_splits(plan, tmp_path):
    crossed = plan(selection=select(methods=("devnet",), known_classes=("dot",), seeds=(0, 1), split_seeds=(4, 5, 6)))
    pairs = [(run.spec.split_seed, run.spec.fit.seed) for run in crossed.runs]
    assert pairs == [(split_seed, seed) for split_seed in (4, 5, 6) for seed in (0, 1)]
    by_split = {run.spec.split_seed: run.split.fingerprints["train_anomaly"] for run in crossed.runs}
    assert len(set(by_split.values())) == 3
    assert len({run.spec.series for run in crossed.runs}) == 1


def test_a_suite_may_cross_seeds_and_a_command_line_has_the_last_word(tmp_path):
    file = tmp_path / "crossed.toml"
    file.write_text(
        'id = "crossed"\ntitle = "t"\nrule = "general"\nrecipe = "quick"\nmethods = ["devnet"]\nshots = [1]\n'
        "seeds = [0, 1]\nsplit_seeds = [2, 3]\n[datasets]\nelpv = []\n"
    )
    suite = load_suite(str(file))

    def pairs(**asked):
        runs = expand_suite(suite, select(**asked), without_anomalies=(), classes={})
        return [(run.split_seed, run.seed) for run in runs]

    assert pairs() == [(2, 0), (2, 1), (3, 0), (3, 1)]
    assert pairs(split_seeds=(7,)) == [(7, 0), (7, 1)]
    assert pairs(seeds=(8,)) == [(2, 8), (3, 8)]


@pytest.mark.parametrize(("like", "state"), [("hard", "missing"), ("one_class", "blocked"), (None, "blocked")])
def test_a_method_fits_the_splits_of_a_rule_that_is_like_one_that_it_knows(plan, house, monkeypatch, like, state):
    """So that a new rule is one file, and no recipe names it."""
    harder = types.ModuleType(f"{rules.__name__}.harder")
    vars(harder).update(vars(rules.find_rule("hard")) | ({"LIKE": like} if like else {}))
    monkeypatch.setitem(sys.modules, f"{rules.__name__}.harder", harder)
    monkeypatch.setattr(rules, "rule_names", lambda: ("general", "hard", "harder"))
    house.suite.write_text(house.suite.read_text().replace('"hard"', '"harder"'))
    planned = plan()
    assert {run.state for run in planned.runs} == {state}
    if state == "blocked":
        assert {run.reason for run in planned.runs} == {
            f"{name} does not run under the rule 'harder'" for name in ("DRA", "DevNet")
        }


def test_test_sets_of_two_draws_share_their_fits(plan, house):
    """Per method and number of labels: one fit, tested on the images that ten labels leave and on those of twelve."""
    text = 'title = "T"\nrule = "general"\nrecipe = "quick"\nmethods = ["kdad", "dra"]\nseeds = [0]\n'
    ten = house.root / "ten.toml"
    ten.write_text(f'id = "ten"\n{text}shots = [1, 10]\n[datasets]\ntiny = []\n')
    twelve = house.root / "twelve.toml"
    twelve.write_text(
        f'id = "twelve"\n{text}shots = [1, 10, 12]\nalso = ["{ten}"]\n[options]\none_shot_test = 12\n'
        "[datasets]\ntiny = []\n"
    )
    planned = plan(twelve)
    assert [(run.wanted_run.method, run.wanted_run.shots) for run in planned.runs] == [
        ("kdad", None), ("dra", 1), ("dra", 10), ("dra", 12), ("kdad", None), ("dra", 1), ("dra", 10),
    ]  # fmt: skip
    of_twelve, of_ten = planned.runs[:4], planned.runs[4:]
    assert {run.spec.test for run in of_twelve} != {run.spec.test for run in of_ten}
    assert [len({run.spec.test for run in runs}) for runs in (of_twelve, of_ten)] == [1, 1]
    assert [run.fit.key for run in of_ten] == [run.fit.key for run in of_twelve[:3]]
    assert len({run.fit.key for run in planned.runs}) == 4
    assert not {run.spec.key for run in of_ten} & {run.spec.key for run in of_twelve}


def test_a_suite_leaves_runs_out_by_their_numbers_of_labels_too(house):
    file = house.root / "left.toml"
    file.write_text(
        'id = "left"\ntitle = "T"\nrule = "hard"\nrecipe = "quick"\nmethods = ["dra"]\nshots = [1, 10]\nseeds = [0]\n'
        'leave_out = [{ known_class = "bar", shots = "10" }]\n[datasets]\ntiny = ["bar", "dot"]\n'
    )
    runs = expand_suite(load_suite(str(file)), Selection(), without_anomalies=(), classes={})
    assert [(run.known_class, run.shots) for run in runs] == [("bar", 1), ("dot", 1), ("dot", 10)]
