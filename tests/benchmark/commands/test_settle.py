"""`bench run --settle`, `--budget` and `--calibrate`: what is chosen, declared, run and said, in processes of their own."""

import json
import re

import loud as loud_suite
import msgspec
import pytest
import strangers

from benchmark.planning.costs.measured import COSTS
from benchmark.planning.declaration import DECLARED_FOLDER, LATER_FOLDER, LaterSeeds
from results.store import Store

BAR, DOT = "hard/tiny/bar/noisy/10", "hard/tiny/dot/noisy/10"


@pytest.fixture
def loud(house, monkeypatch):
    """Runs a suite of two cells: of one the paper prints a std of 0.03, of the other one of 0.9."""
    (house.root / "site").mkdir()
    loud_suite.install(house.root / "site")
    monkeypatch.setenv("PYTHONPATH", strangers.path(house.root / "site"))
    (house.root / "loud.toml").write_text(loud_suite.SUITE)

    def run(*words):
        return house.bench("run", "--suite", house.root / "loud.toml", "--threads", "1", *words)

    return run


@pytest.fixture
def looked(house, loud, furnished):
    """The same with two seeds of each cell done."""

    def work():
        assert loud().returncode == 0

    furnished(house, "looked", work)
    return loud


def slow(house, seconds):
    """Let every fit that was measured have taken so long."""
    for path in (house.root / "cache" / COSTS).iterdir():
        costs = [json.loads(line) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(cost | {"fit_s": seconds, "score_s": 0.0}) + "\n" for cost in costs))


def declared(house):
    """The choices that were declared, in their order."""
    files = sorted((house.results / DECLARED_FOLDER / LATER_FOLDER).glob("*.json"))
    return [msgspec.json.decode(path.read_bytes(), type=LaterSeeds) for path in files]


def seeds(house):
    """Seeds of the stored runs of each known class."""
    stored = [(record.spec.split.known_class, record.spec.split_seed) for record in Store(house.results).records()]
    return {known: sorted(seed for name, seed in stored if name == known) for known in ("bar", "dot")}


@pytest.mark.slow
def test_a_plan_says_what_seeds_bring_and_what_nothing_settles(house, looked):
    slow(house, 3600.0)
    plan = looked("--settle", "--plan")
    assert plan.returncode == 0, plan.stderr
    heading, row = [line for line in plan.stdout.splitlines() if line.startswith(("cell ", BAR))]
    assert heading.split() == ["cell", "n", "std", "std", "from", "a", "seed", "seeds", "chance", "time"]
    assert row.split()[:3] == [BAR, "2", "0.033"]
    assert "own and published" in row
    assert "2 cells: 1 that nothing here can settle, 1 open" in plan.stdout
    assert f"1 cell ({DOT}): 1000 runs of ours would hardly settle it: the paper's 3 leave ±1.517" in plan.stdout
    assert declared(house) == []
    first, again = (
        re.sub(r"of [\d.]+ GiB free", "", text) for text in (plan.stdout, looked("--settle", "--plan").stdout)
    )
    assert again == first, "equal records give an equal choice"


@pytest.mark.slow
def test_chosen_seeds_are_declared_before_they_run_and_their_records_say_so(house, looked):
    done = looked("--settle", "--seed", "0,1,2,3")
    assert done.returncode == 0, done.stderr
    (later,) = declared(house)
    assert later.option == "--settle"
    assert {cell: (at.n, at.split_seeds) for cell, at in later.cells.items()} == {f"loud:1/{BAR}": (2, [2, 3])}
    assert sorted(later.runs) == later.after_look
    assert seeds(house) == {"bar": [0, 1, 2, 3], "dot": [0, 1]}
    notes = {
        record.spec.split_seed: record.notes for record in Store(house.results).records() if record.key in later.runs
    }
    assert notes == {2: [later.note], 3: [later.note]}
    page = house.bench("report", "--table", "loud:1").stdout
    assert later.note in page
    assert "chosen after a look" not in house.bench("report", "--table", "loud:1", "--where", "split_seed=0").stdout


@pytest.mark.slow
def test_runs_of_a_cell_without_results_are_no_second_look(house, loud):
    """Times are known of neither cell, then of both: no run is there yet."""
    refused = loud("--settle", "--seed", "0,1")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.splitlines()[-1].endswith(
        "--settle: no time is known of 4 missing fits: --calibrate measures it in about 20 s"
    )
    done = loud("--settle", "--seed", "0,1", "--calibrate")
    assert done.returncode == 0, done.stderr
    assert "calibration: 1 kind of fits in " in done.stderr
    (later,) = declared(house)
    assert later.after_look == []
    assert all(record.notes == [] for record in Store(house.results).records())


@pytest.mark.slow
def test_an_unfinished_choice_is_finished_before_another_look(house, looked):
    assert looked("--settle", "--seed", "0,1,2,3,4").returncode == 0
    (later,) = declared(house)
    lost = next(record for record in Store(house.results).records() if record.spec.split_seed == 4)
    Store(house.results).record_path(lost.key).unlink()
    again = looked("--settle", "--seed", "0,1,2,3,4,5,6")
    assert f"--settle goes on with the choice of {later.declared[:10]}, of which 1 run is missing" in again.stderr
    assert declared(house) == [later]
    assert seeds(house)["bar"] == [0, 1, 2, 3, 4]
    assert Store(house.results).get(lost.key).notes == [later.note]


@pytest.mark.slow
def test_a_budget_runs_what_fits_and_says_what_is_left(house, looked):
    slow(house, 3600.0)
    words = ("--seed", "0,1,2,3,4", "--jobs", "1", "--plan", "--json")
    whole = json.loads(looked(*words, "--budget", "40h").stdout)["choice"]
    part = json.loads(looked(*words, "--budget", "2h30m").stdout)
    assert (whole["runs_chosen"], whole["runs_left"]) == (6, 0)
    assert (part["choice"]["runs_chosen"], part["choice"]["runs_left"]) == (2, 4)
    assert part["choice"]["seconds"] == 7200.0
    assert part["choice"]["budget_seconds"] == 9000.0
    bar = next(cell for cell in whole["cells"] if cell["cell"] == BAR)
    assert (bar["state"], bar["n"], bar["split_seeds"]) == ("open", 2, [2, 3, 4])
    assert whole["runs_for_no_verdict"] == 3, "those of the cell that nothing settles"
    run = next(run for run in part["runs"] if run["state"] == "missing")
    assert (run["seconds"], run["seconds_from"]) == ([3600.0, 3600.0], "from 4 finished runs")


@pytest.mark.slow
def test_seeds_that_were_declared_before_the_first_run_are_no_later_ones(house, looked):
    """The suite declared the seeds 0 and 1; a budget that leaves one out takes no look at a verdict, 2 is another."""
    lost = next(record for record in Store(house.results).records() if record.spec.split_seed == 1)
    Store(house.results).record_path(lost.key).unlink()
    assert looked("--seed", "0,1,2", "--budget", "1h").returncode == 0
    (later,) = declared(house)
    notes = {
        record.spec.split_seed: record.notes for record in Store(house.results).records() if record.key in later.runs
    }
    assert notes[2] == [later.note]
    assert Store(house.results).get(lost.key).notes == []


@pytest.mark.slow
def test_a_budget_in_which_no_fit_ends_runs_nothing(house, looked):
    slow(house, 3600.0)
    done = looked("--seed", "0,1,2,3,4", "--budget", "30m")
    assert done.returncode == 0
    assert "chosen: 0 runs, at most 0 s of fits and scores, for a budget of 30 min" in done.stderr
    assert f"1 cell ({BAR}): the time is not enough" in done.stderr
    assert seeds(house)["bar"] == [0, 1]
    assert declared(house) == []


@pytest.mark.parametrize("text", ["", "0h", "-3h", "forty hours", "3d", "1h1h", "nan", "inf", "30m2h", "1e3"])
def test_nonsense_is_no_budget(bench, text):
    code, _, err = bench("run", "--suite", "quick", "--plan", "--budget", text)
    assert code == 2
    assert f"'{text}' is not a time such as 90s, 15m, 2h or 2h30m" in err


@pytest.mark.parametrize("option", [("--settle",), ("--budget", "1h")])
@pytest.mark.parametrize("other", ["--force", "--retry-failed", "--audit-selection"])
def test_what_chooses_among_missing_runs_takes_no_stored_ones(bench, option, other):
    code, _, err = bench("run", "--suite", "quick", *option, other)
    name = option[0]
    assert code == 2
    assert err == f"bench: {name} chooses among missing runs: leave out {other}, or give it without {name}\n"


def test_json_is_of_a_plan(bench):
    code, out, err = bench("run", "--suite", "quick", "--json")
    assert (code, out) == (2, "")
    assert "give --plan with it" in err


def test_what_is_not_comparable_gets_no_seed(finished):
    """A dataset that is not the paper's, recipe quick: no verdict, whatever is run."""
    plan = finished.run("--seed", "0,1", "--settle", "--plan")
    assert plan.returncode == 0, plan.stderr
    assert "no cell of a paper's table is planned here" in plan.stdout
    assert "chosen: 0 runs" in plan.stdout
