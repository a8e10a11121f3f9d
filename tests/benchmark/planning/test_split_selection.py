"""Runs on a split from a file: equal lists are the same run, other lists another series that says what it is."""

import json

import pytest
from selecting import select

from benchmark.paths import Folders
from benchmark.planning import plan as planning
from benchmark.planning.inputs.split_selection import with_split_file
from benchmark.planning.suite import load_suite
from results.store import Store

FORMS = {"json": "split.json", "csv": "split.csv"}
PLAN = ("run", "--suite", "tiny.toml", "--method", "devnet", "--weights", "random", "--plan", "--json")
WORDS = ("--protocol", "hard", "--dataset", "tiny", "--known-class", "dot")


@pytest.fixture
def lists(bench):
    """The lists of a ranked draw."""
    code, out, err = bench("splits", "show", *WORDS, "--seed", "1", "--json")
    assert code == 0, err
    shown = json.loads(out)
    return {name: shown[name] for name in ("train_normal", "train_anomaly", "test_normal", "test_anomaly")}


@pytest.fixture
def foreign(house, lists):
    """A split that no rule draws: fewer normals, fewer shots, and some of the known class under test."""
    lists["test_anomaly"] += lists["train_anomaly"][7:]
    lists["train_anomaly"] = lists["train_anomaly"][:7]
    lists["train_normal"] = lists["train_normal"][1:]
    path = house.root / "foreign.json"
    path.write_text(json.dumps(lists))
    return path


def planned(bench, *words):
    code, out, err = bench(*PLAN, *words)
    assert code == 0, err
    return json.loads(out)["runs"], err


@pytest.mark.parametrize("form", FORMS)
def test_our_own_export_plans_the_very_runs_of_its_draw(bench, house, form):
    bench("splits", "export", *WORDS, "--seed", "3", "--format", form, "--output", FORMS[form])
    here, _ = planned(bench, "--dataset", "tiny", "--split-file", FORMS[form], "--seed", "0,3")
    ranked, _ = planned(bench, "--known-class", "dot", "--seed", "0,3", "--split-seed", "3")
    assert here == ranked
    assert len(here) == 2


def test_foreign_lists_have_keys_and_a_definition_of_their_own(bench, foreign):
    here, told = planned(bench, "--dataset", "tiny", "--split-file", foreign, "--seed", "0,1")
    assert told.count("\n") <= 1
    assert all("-dot-devnet-7-split_file=" in run["name"] for run in here)
    ranked, _ = planned(bench, "--known-class", "dot", "--seed", "0,1", "--split-seed", "0")
    assert not {run["key"] for run in here} & {run["key"] for run in ranked}


def test_a_method_without_labels_runs_the_draw_whatever_labels_the_file_has(bench, house, lists):
    lists["train_anomaly"] = lists["train_anomaly"][:-1]
    fewer, none = house.root / "fewer.json", house.root / "none.json"
    fewer.write_text(json.dumps(lists))
    none.write_text(json.dumps(lists | {"train_anomaly": []}))
    words = ("--method", "frozen_nearest", "--known-class", "dot")
    (ranked,), _ = planned(bench, *words, "--seed", "0", "--split-seed", "1")
    for path in (fewer, none):
        (here,), _ = planned(bench, *words, "--dataset", "tiny", "--split-file", path, "--seed", "0")
        assert here["key"] == ranked["key"]
        assert "split_file" not in here["name"]


def test_a_foreign_split_is_averaged_with_no_draw_and_no_other_file(bench, house, foreign, lists):
    lists["test_normal"] = lists["test_normal"][1:]
    other = house.root / "other.json"
    other.write_text(json.dumps(lists))
    bench("splits", "export", *WORDS, "--seed", "1", "--format", "csv", "--output", "ours.csv")
    first, second = (_series(house, path) for path in (foreign, other))
    ours, ranked = _series(house, house.root / "ours.csv"), _series(house, None)
    assert len(first) == len(second) == len(ours) == 1
    assert ours == ranked
    assert not first & second
    assert not (first | second) & ranked


def _series(house, path):
    folders = Folders(house.root / "data", house.root / "cache", house.results, None, house.root / "torch")
    options = {"split_file": str(path)} if path else {}
    selection = select(
        methods=("devnet",), datasets=("tiny",), seeds=(0, 1), **({} if path else {"known_classes": ("dot",)})
    )
    suite, chosen = with_split_file(load_suite(str(house.suite)), selection, options, folders.data, print)
    request = planning.RunRequest(weights=("random",), split_options=options)
    planned = planning.plan(suite, chosen, request, folders=folders, store=Store(house.results))
    return {run.spec.series for run in planned.runs}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--split-seed", "0"), "is one split: leave out --split-seed"),
        (("--known-class", "bar"), "--known-class: foreign.json has dot: leave --known-class out"),
        (("--shots", "1,10"), "--shots: foreign.json has 7: leave --shots out"),
        (("--dataset", "tiny,elpv"), "is a split of one dataset: name that one with --dataset"),
        (("--split", "limit_train=3"), "split_file gives all four lists: leave out limit_train"),
        (("--split", "split_file=other.json"), "gives split_file twice"),
        (("--dataset", "tin"), "did you mean"),
        (("--suite", "one_class"), "suite one_class has the rule one_class, which takes no split file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_contradicts_the_file_is_one_line_and_exit_status_2(bench, foreign, words, said):
    dataset = () if "--dataset" in words else ("--dataset", "tiny")
    code, out, err = bench(*PLAN[:-2], *dataset, "--split-file", "foreign.json", *words)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_a_file_of_another_rule_takes_the_part_of_the_suite_that_has_it(bench, house, foreign, lists):
    stated = house.root / "stated.json"
    stated.write_text(json.dumps({**lists, "dataset": "tiny", "protocol": "general"}))
    code, _, err = bench(*PLAN, "--split-file", stated)
    assert code == 2
    assert "is a split of the rule general, suite tiny has none" in err
    (house.root / "tiny.toml").write_text(
        (house.root / "tiny.toml").read_text().replace('id = "tiny"', 'id = "tiny"\nalso = ["general"]', 1)
    )
    here, _ = planned(bench, "--split-file", stated)
    assert {run["name"].partition("-")[0] for run in here} == {"general"}


def test_another_release_than_the_files_is_told(bench, house, foreign, lists):
    stated = house.root / "stated.json"
    stated.write_text(json.dumps({**lists, "dataset": "tiny", "protocol": "hard", "dataset_fingerprint": "b" * 64}))
    _, told = planned(bench, "--split-file", stated)
    assert "its ids are the same, its images may differ" in told


@pytest.mark.slow
def test_a_finished_run_says_what_its_split_is_in_record_and_table(bench, house, foreign):
    words = (
        "run",
        "--suite",
        "tiny.toml",
        "--method",
        "frozen_nearest",
        "--dataset",
        "tiny",
        "--seed",
        "0",
        "--weights",
        "random",
    )
    code, out, err = bench(*words, "--split-file", "foreign.json", "--set", "frozen_nearest.img_size=32")
    assert code == 0, err
    assert "split_file = " in out
    assert "--split-seed" not in err
    assert "--split-file foreign.json" in err
    (path,) = house.results.glob("records/*/*.json")
    record = json.loads(path.read_text())
    option = record["spec"]["split"]["options"]["split_file"]
    assert len(option) == 16
    assert str(house.root) not in path.read_text()
    assert {f"split option split_file = {option}", "3 test anomalies of the known class dot"} <= {
        *record["spec"]["deviations"]
    }
    code, out, err = bench("results", "verify")
    assert code == 0, err
    code, out, err = bench("run", *words[1:], "--split", f"split_file={option}")
    assert code == 2
    assert "records hold no more of a split file: give the file itself" in err
