"""What a hurried person types wrong: one clear line, exit status 2, no traceback, nothing lost."""

import json
import shutil
import subprocess
import sys

import pytest

from results.store import Store

RUN = ("run", "--suite", "tiny.toml")

WRONG = {
    "no verb of that name": (("rum",), "did you mean 'run'?"),
    "no suite": (("run",), "--suite"),
    "unknown suite": (("run", "--suite", "hrad"), "did you mean 'hard'?"),
    "suite file not there": (("run", "--suite", "none.toml"), "cannot read the suite file none.toml"),
    "unknown method": ((*RUN, "--method", "devnt"), "did you mean 'devnet'?"),
    "unknown dataset": ((*RUN, "--dataset", "elvp"), "did you mean 'elpv'?"),
    "a name that no system takes": ((*RUN, "--dataset", "x" * 300), "there is no dataset 'xxx"),
    "unknown class": ((*RUN, "--known-class", "dto"), "did you mean 'dot'?"),
    "a class of another rule": ((*RUN, "--normal-class", "0"), "its rule 'hard' has no normal class"),
    "a share of another rule": ((*RUN, "--gamma", "0.05"), "its rule 'hard' has no gamma"),
    "a source of another rule": ((*RUN, "--source-dataset", "elpv"), "its rule 'hard' has no source dataset"),
    "a share that is none": (("run", "--suite", "labelled_share", "--gamma", "0.5"), "did you mean '0.50'?"),
    "a class that no set has": (("run", "--suite", "one_class", "--normal-class", "32"), "the normal class '32'"),
    "an unknown source": (("run", "--suite", "cross_domain", "--source-dataset", "crapet"), "did you mean 'carpet'?"),
    "shots of no rule": (("run", "--suite", "one_class", "--shots", "1"), "its rule 'one_class' has no shots"),
    "unknown recipe": ((*RUN, "--recipe", "oficial"), "did you mean 'official'?"),
    "unknown parameter": ((*RUN, "--set", "dra.optim.lrr=1"), "did you mean 'optim.lr'?"),
    "parameter of no method": ((*RUN, "--set", "dvnet.optim.lr=1"), "did you mean 'devnet'?"),
    "value out of bounds": ((*RUN, "--set", "dra.optim.lr=-1"), "must be a float above 0"),
    "no assignment": ((*RUN, "--set", "dra"), "METHOD.PARAM=VALUE"),
    "no jobs": ((*RUN, "--jobs", "0"), "--jobs"),
    "half a seed": ((*RUN, "--seed", "0,1.5"), "whole numbers"),
    "a seed that no record holds": ((*RUN, "--seed", str(2**63)), "has a number above 9223372036854775807"),
    "empty recipe": ((*RUN, "--recipe", ""), "recipe ''"),
    "threads without end": ((*RUN, "--threads", "9999999"), "--threads"),
    "empty list entry": ((*RUN, "--method", "dra,,devnet"), "empty entry"),
    "no shots": ((*RUN, "--shots", "0"), "shots"),
    "split option without value": ((*RUN, "--split", "limit_test"), "OPTION=VALUE"),
    "unknown split option": ((*RUN, "--split", "limit_tset=3"), "did you mean 'limit_test'?"),
    "split option with two values": ((*RUN, "--split", "limit_test=[1, 2]"), "one value"),
    "unknown device": ((*RUN, "--device", "gpu"), "give cpu, cuda, cuda:1 or mps"),
    "run of no suite": (("run",), "Missing option '--suite'. Give the path of a suite file, or one of ablation, "),
    "no time": ((*RUN, "--max-time", "soon"), "is not a time"),
    "weights not there": ((*RUN, "--weights", "none.pth"), "none.pth"),
    "missing weights": ((*RUN, "--recipe", "official"), "no weights for resnet18: set BENCH_WEIGHTS"),
    "auto weights for an official run": ((*RUN, "--recipe", "official", "--weights", "auto"), "recipe quick"),
    "unknown table": (("report", "--table", "22"), "no table '22'"),
    "table without results": (("report", "--table", "6"), "holds no results"),
    "results in no folder at all": ((*RUN, "--results", ""), "'--results': it is empty: give a path"),
    "scores into a folder": (("score", "--run", "x", "--input", ".", "--output", "."), "'.' is a directory"),
    "heat maps into a file": (("score", "--run", "x", "--input", ".", "--heatmaps", "tiny.toml"), "is a file"),
    "pruning what is no results folder": (("results", "prune", "--orphans", "--results", "."), "no results folder"),
    "output in no folder": (("report", "--table", "2", "--output", "none/t.md"), "the folder none is not there"),
    "results not there": (("report", "--table", "2", "--results", "none"), "there is no such folder"),
    "condition without value": (("report", "--table", "2", "--where", "optim.lr"), "NAME=VALUE"),
    "margin of one": (("report", "--table", "2", "--margin", "1"), "--margin"),
    "against nothing known": (("check", "--against", "publishd"), "did you mean 'published'?"),
    "unknown rule": (("splits", "show", "--protocol", "hrad", "--dataset", "tiny"), "did you mean 'hard'?"),
    "hard without a class": (("splits", "show", "--protocol", "hard", "--dataset", "tiny"), "known_class"),
    "class of no dataset": (
        ("splits", "show", "--protocol", "hard", "--dataset", "tiny", "--known-class", "bra"),
        "did you mean 'bar'?",
    ),
    "show of no method": (("methods", "show", "drb"), "did you mean"),
    "show of no run": (("results", "show", "abc"), "no run 'abc'"),
    "adopt what is not there": (("data", "adopt", "none", "--name", "mine"), "none"),
    "adopt an empty folder": (("data", "adopt", "empty", "--name", "mine"), "train/good"),
    "adopt under a bad name": (("data", "adopt", "empty", "--name", "My Data"), "My Data"),
    "show of no dataset": (("data", "show", "elvp"), "did you mean 'elpv'?"),
    "a new method under a bad name": (("methods", "new", "MyHead"), "such as my_head"),
    "a new method in place of ours": (("methods", "new", "dra"), "there is a method 'dra' already (dra.toml)"),
    "a new method where a file is": (
        ("methods", "new", "mine", "--output", "tiny.toml"),
        "tiny.toml is a file: choose",
    ),
    "a new dataset in place of ours": (("data", "new", "elpv"), "there is a dataset 'elpv' already"),
    "a new dataset with a family's name": (("data", "new", "mvtec_ad"), "there is a dataset 'mvtec_ad' already"),
    "a check of no method": (("methods", "check", "drb"), "did you mean"),
    "a check of no dataset": (("data", "check", "elvp"), "did you mean 'elpv'?"),
    "a check of what is not prepared": (("data", "check", "carpet"), "carpet is not in"),
    "fetch of nothing known": (("weights", "fetch", "resnet81"), "did you mean 'resnet18'?"),
}


@pytest.mark.parametrize(("words", "said"), WRONG.values(), ids=WRONG.keys())
def test_wrong_input_is_one_line_with_a_next_step(bench, house, words, said):
    (house.root / "empty").mkdir()
    code, out, err = bench(*words)
    lines = [line for line in err.splitlines() if not line.startswith("weights of ")]
    assert code == 2
    assert out == ""
    assert len(lines) == 1, err
    assert lines[0].startswith("bench: ")
    assert said in err
    assert not house.results.exists()


@pytest.mark.parametrize("words", [(), ("data",), ("results",)])
def test_a_verb_that_is_cut_short_shows_its_help(bench, words):
    code, out, err = bench(*words)
    assert code == 2
    assert out == ""
    assert err.startswith(" ".join(("Usage: bench", *words)))
    assert "Commands:" in err


def test_everything_blocked_by_missing_detectors_says_so(bench, house):
    house.suite.write_text(house.suite.read_text().replace('["devnet", "dra"]', '["not_built_yet"]'))
    code, _, err = bench(*RUN)
    assert code == 2
    assert "all 2 runs are blocked: there is no detector 'not_built_yet' yet" in err
    assert err.count("\n") == 1


def test_a_plan_needs_no_weights_and_is_never_an_error(bench):
    code, out, err = bench(*RUN, "--recipe", "official", "--plan")
    assert code == 0
    assert "4 blocked" in out
    assert "no weights for resnet18" in err


def test_a_results_folder_that_is_a_file(bench, house):
    house.results.write_text("mine")
    code, _, err = bench(*RUN, *house.small)
    assert code == 2
    assert "is a file" in err
    assert house.results.read_text() == "mine"


def test_an_unreadable_image_blocks_its_runs_and_leaves_no_record(house, tiny_folder, tmp_path):
    raw = tmp_path / "raw"
    shutil.copytree(tiny_folder, raw)
    (house.root / "data").unlink()
    assert house.bench("data", "adopt", raw, "--name", "tiny").returncode == 0
    broken = raw / "train" / "good" / "003.png"
    broken.write_bytes(broken.read_bytes()[:200])
    done = house.run("--method", "devnet", "--known-class", "dot")
    assert done.returncode == 1
    assert "003.png" in done.stderr
    assert "Traceback" not in done.stderr
    assert house.listed() == []
    verified = house.bench("data", "verify", "tiny")
    assert verified.returncode == 1
    assert "003.png" in verified.stdout


def test_a_truncated_image_is_not_adopted_and_the_data_folder_stays_as_it_was(bench, house, tiny_folder, tmp_path):
    raw = tmp_path / "raw"
    shutil.copytree(tiny_folder, raw)
    (raw / "test" / "dot" / "001.png").write_bytes((raw / "test" / "dot" / "001.png").read_bytes()[:150])
    before = sorted(path.name for path in (house.root / "data").iterdir())
    code, _, err = bench("data", "adopt", raw, "--name", "mine")
    assert code == 2
    assert "001.png" in err
    assert sorted(path.name for path in (house.root / "data").iterdir()) == before


def test_a_record_cut_short_is_named_and_run_again(finished, tmp_path):
    house = type(finished)(tmp_path, finished.suite)
    shutil.copytree(finished.results, house.results)
    (tmp_path / "data").symlink_to((finished.root / "data").resolve())
    store = Store(house.results)
    record = next(store.records())
    path = store.record_path(record.key)
    path.write_bytes(path.read_bytes()[:300])
    listed = house.bench("results", "list", "--json")
    assert listed.returncode == 0
    assert record.key in listed.stderr
    assert len(json.loads(listed.stdout)) == 3
    planned = house.run("--plan")
    assert "3 cached, 1 missing" in planned.stdout


NO_SPACE = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))
from benchmark.cli import status
sys.exit(status(sys.argv[1:]))
"""


def test_no_space_left_is_found_before_the_first_fit(house):
    words = ["run", "--suite", str(house.suite), *house.small]
    done = subprocess.run(
        [sys.executable, "-c", NO_SPACE, *words],
        env=house.env,
        cwd=house.root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert "cannot write" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(house.results.rglob("*.json"))
