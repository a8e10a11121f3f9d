"""Parts of a plan: shards for several machines, one command a fit for a scheduler."""

import json
import shlex
import subprocess
from types import SimpleNamespace

import machines_page
import pytest
from running import scores_of

from results.store import Store

SHARDS = 3


@pytest.fixture
def call(house):
    return lambda *words: house.run("--threads", "1", *words)


def planned(done):
    """Names of the runs that a plan prints."""
    assert done.returncode == 0, done.stderr
    return [line.split()[1] for line in done.stdout.splitlines() if line.split()[:1] in (["missing"], ["cached"])]


def test_shards_hold_every_fit_once_whatever_is_done(call, house):
    seeds = ("--seed", "0,1,2,3")
    every = planned(call("--plan", *seeds))
    before = [planned(call("--plan", *seeds, "--shard", f"{n}/{SHARDS}")) for n in range(1, SHARDS + 1)]
    assert sorted(name for part in before for name in part) == sorted(every)
    assert all(len(part) < len(every) for part in before)


def test_an_empty_shard_is_merged_with_the_others(call, house, tmp_path):
    one = ("--method", "dra", "--known-class", "bar")
    none, other = empty(call), {"1/2": "2/2", "2/2": "1/2"}
    nothing = call(*one, "--shard", none, "--results", tmp_path / "none")
    assert nothing.returncode == 0
    assert "no fit of the plan falls to this shard" in nothing.stderr
    assert call(*one, "--shard", other[none], "--results", tmp_path / "one").returncode == 0
    merged = house.bench("results", "merge", tmp_path / "none", tmp_path / "one", "--results", tmp_path / "all")
    assert merged.returncode == 0, merged.stderr
    assert len(list(Store(tmp_path / "all").records())) == 1


def empty(call):
    """A shard of two to which the one fit does not fall."""
    one = ("--method", "dra", "--known-class", "bar", "--plan")
    return next(f"{n}/2" for n in (1, 2) if not planned(call(*one, "--shard", f"{n}/2")))


def test_the_plan_of_an_empty_shard_is_a_plan(call):
    words = ("--method", "dra", "--known-class", "bar", "--shard", empty(call), "--plan")
    done = call(*words, "--json")
    assert (done.returncode, json.loads(done.stdout)["runs"]) == (0, [])
    assert call(*words, "--format", "tasks").stdout == ""


def test_times_of_the_call_are_the_same_in_the_commands(call, house):
    words = ("--max-time", "400h0.0000001s", "--fit-timeout", "1234567.25")
    done = call("--plan", "--format", "tasks", *words, "--method", "dra", "--known-class", "bar")
    (line,) = done.stdout.splitlines()
    for text in ("--max-time 1440000.0000001s ", "--fit-timeout 1234567.25s "):
        assert text in line
    assert house.bench(*shlex.split(line)[1:], "--plan").returncode == 0


def test_the_commands_for_a_scheduler_run_one_fit_each(call, house):
    done = call("--plan", "--format", "tasks", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    commands = [shlex.split(line) for line in done.stdout.splitlines()]
    assert len(commands) == 4
    assert all(words[:2] == ["bench", "run"] and words[-2] == "--fit" for words in commands)
    for count, words in enumerate((commands[0], commands[-1]), 1):
        ran = house.bench(*words[1:])
        assert ran.returncode == 0, ran.stderr
        assert "1 run: 0 cached, 1 to run, 0 blocked" in ran.stderr
        assert len(list(Store(house.results).records())) == count
    left = call("--plan", "--format", "tasks", "--device", "cpu").stdout.splitlines()
    assert [shlex.split(line) for line in left] == commands[1:-1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--shard", "0/2"), "parts are numbered from 1 to 2"),
        (("--shard", "3/2"), "parts are numbered from 1 to 2"),
        (("--shard", "half"), "is not a part such as 2/8"),
        (("--fit", "zzz", "--plan"), "no fit of this plan starts with it"),
        (("--format", "tasks"), "give --plan with it"),
        (("--plan", "--format", "tasks", "--budget", "1h"), "leave out"),
        (("--plan", "--shard", "1/2", "--settle"), "leave out"),
    ],
)
def test_what_cannot_be_meant_is_one_line_and_exit_status_2(words, said, call):
    done = call(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("bench: ")] == done.stderr.splitlines()[-1:]


@pytest.mark.slow
def test_the_parts_of_the_page_make_the_whole(house, finished):
    environment = machines_page.bench_on_path(house)
    everything = machines_page.commands("Without a cluster and without a folder")
    for command in [*everything, *machines_page.commands("With a folder that all machines see")]:
        words = ["bash", "-e", "-c", machines_page.typed(command, house) + " --threads 1" * ("run" in command)]
        done = subprocess.run(words, cwd=house.root, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    for folder in ("all", "shared/runs"):
        assert scores_of(SimpleNamespace(results=house.root / folder)) == scores_of(finished)
