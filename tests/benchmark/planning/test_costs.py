"""What a plan says of time, memory and disk: from fits that were measured on this kind of machine, or not at all."""

from dataclasses import replace

import msgspec
import pytest
import running
from guests import Guests

from benchmark.execution.processes import fit_clock
from benchmark.execution.worker import execute
from benchmark.planning.costs.forecast import Conditions, Span, forecast_tasks, jobs_span
from benchmark.planning.costs.measured import COSTS, keep_cost, kept_costs
from benchmark.views.plan_summary import plan_lines

TILES = """
id = "tiles"
title = "Tiles"
rule = "hard"
recipe = "official"
methods = ["drift"]
shots = [10]
seeds = [0]
[datasets]
tiles = ["cut"]
"""

SHARED = TILES.replace('"drift"', '"drift_normal"').replace('["cut"]', '["cut", "hole"]')


@pytest.fixture
def tiles(drifting, rows):
    holes = [(f"test/hole/{i:03}", "hole", "test", 90 + i) for i in range(12)]
    drifting.prepare("tiles", rows["texture"](30) + holes)
    return drifting


def conditions(house, **changes):
    return replace(Conditions(house.machine.cache, "cpu", threads=1, jobs=1), **changes)


def lines(house, plan, **changes):
    return list(plan_lines(plan, conditions(house, **changes), house.data))


def measure(house, plan, **changes):
    """Run the first task of a plan and let it have taken 100 s for its fit and 2 s an image for its scores."""
    (task, *_) = plan.tasks({"missing"})
    assert execute(task, house.machine).state == "done"
    (file,) = (house.machine.cache / COSTS).iterdir()
    cost = msgspec.json.decode(file.read_bytes().splitlines()[-1])
    file.write_bytes(msgspec.json.encode(cost | {"fit_s": 100.0, "score_s": 2.0 * cost["test"]} | changes) + b"\n")
    return cost


def forecast_of(house, plan, **changes):
    tasks = plan.tasks({"missing"})
    (forecast, *_) = forecast_tasks(plan, tasks, conditions(house, **changes)).values()
    return forecast


def test_nothing_is_told_of_what_was_never_measured(tiles):
    said = lines(tiles, tiles.plan(tiles.suite(TILES)))
    assert said[2] == "time: not known, nothing of their kind was measured on this kind of machine with 1 thread"
    assert "--method drift --dataset tiles --max-time 1m in place of --plan measures it" in said[3]
    assert not any("about" in line and "missing" in line for line in said)


def test_a_finished_run_tells_of_another_seed_in_any_results_folder(tiles):
    first = tiles.plan(tiles.suite(TILES))
    cost = measure(tiles, first)
    assert cost["test"] == 4 + 12
    for path in tiles.house.results.rglob("*.json"):
        path.unlink()
    other = tiles.plan(tiles.suite(TILES), seeds=(1,))
    said = lines(tiles, other)
    assert said[0].endswith("  about 2 min")  # 100 s and 16 images of 2 s: 132 s
    assert said[2] == "time for all fits: about 2 min one after another"
    assert said[3] == (
        "  drift at 224 px: 1 fit of about 2 min, from 1 finished run on this kind of machine with 1 thread"
    )
    assert said[4].startswith("memory: up to ")


def test_stored_runs_of_the_plan_tell_where_the_cache_is_gone(tiles):
    measure(tiles, tiles.plan(tiles.suite(TILES)))
    (file,) = (tiles.machine.cache / COSTS).iterdir()
    file.unlink()
    assert forecast_of(tiles, tiles.plan(tiles.suite(TILES), seeds=(0, 1))).basis == "from 1 finished run"
    assert forecast_of(tiles, tiles.plan(tiles.suite(TILES), seeds=(1,))) is None


def test_a_run_counts_once_though_it_stands_in_the_plan_and_in_the_cache(tiles):
    measure(tiles, tiles.plan(tiles.suite(TILES)))
    forecast = forecast_of(tiles, tiles.plan(tiles.suite(TILES), seeds=(0, 1)))
    assert forecast.basis == "from 1 finished run"
    assert forecast.fit == Span(100, 100)


def test_what_differs_between_finished_runs_is_told(tiles):
    """100 s and 200 s, of which the middle eight tenths are 110 s to 190 s."""
    measure(tiles, tiles.plan(tiles.suite(TILES)))
    (file,) = (tiles.machine.cache / COSTS).iterdir()
    (cost,) = kept_costs(tiles.machine.cache, file.stem)
    keep_cost(tiles.machine.cache, file.stem, msgspec.structs.replace(cost, run="another", fit_s=200.0))
    forecast = forecast_of(tiles, tiles.plan(tiles.suite(TILES), seeds=(1,)))
    assert (forecast.fit.low, forecast.fit.high) == pytest.approx((110, 190))
    assert forecast.basis == "from 2 finished runs"


@pytest.mark.parametrize(
    ("train", "span", "basis"),
    [
        (8, Span(100, 200), "from 1 finished run on 8 images instead of 16"),
        (32, Span(50, 100), "from 1 finished run on 32 images instead of 16"),
        (16, Span(100, 100), "from 1 finished run"),
    ],
)
def test_other_numbers_of_images_are_told_as_a_span(tiles, train, span, basis):
    """Six normals and ten anomalies: as long as the measured fit, or as much longer or shorter as there are images."""
    measure(tiles, tiles.plan(tiles.suite(TILES)), train=train)
    forecast = forecast_of(tiles, tiles.plan(tiles.suite(TILES), seeds=(1,)))
    assert (forecast.fit, forecast.basis) == (span, basis)


@pytest.mark.parametrize("change", [{"threads": 2}, {"device": "cuda:0"}])
def test_other_machines_tell_nothing(tiles, change):
    measure(tiles, tiles.plan(tiles.suite(TILES)))
    assert forecast_of(tiles, tiles.plan(tiles.suite(TILES), seeds=(1,)), **change) is None


@pytest.mark.parametrize("params", [{"epochs": 2}, {"img_size": 32}])
def test_other_settings_tell_nothing(tiles, params):
    measure(tiles, tiles.plan(tiles.suite(TILES)))
    assert forecast_of(tiles, tiles.plan(tiles.suite(TILES), seeds=(1,), sets={"drift": params})) is None


def test_nothing_is_told_of_runs_that_are_scored_after_every_epoch(tiles):
    measure(tiles, tiles.plan(tiles.suite(TILES)))
    assert forecast_of(tiles, replace(tiles.plan(tiles.suite(TILES), seeds=(1,)), audit=True)) is None


def test_another_class_of_numerics_tells_nothing(tiles):
    measure(tiles, tiles.plan(tiles.suite(TILES)), numerics_class="cpu-avx2-torch1.0-threads1-pillow9.0")
    assert forecast_of(tiles, tiles.plan(tiles.suite(TILES), seeds=(1,))) is None


def test_a_fit_of_several_runs_is_counted_once(tiles):
    measure(tiles, tiles.plan(tiles.suite(SHARED)))
    plan = tiles.plan(tiles.suite(SHARED), seeds=(1,))
    forecast = forecast_of(tiles, plan)
    first, second = (forecast.of_run(run.spec.key) for run in plan.runs)
    assert first.low - second.low == pytest.approx(100, abs=30)
    assert forecast.whole.low == pytest.approx(first.low + second.low)


def test_damaged_lines_and_folders_that_cannot_be_written_lose_nothing(tiles):
    measure(tiles, tiles.plan(tiles.suite(TILES)))
    (file,) = (tiles.machine.cache / COSTS).iterdir()
    (cost,) = kept_costs(tiles.machine.cache, file.stem)
    file.write_bytes(b'{"run":\n\xff\n' + file.read_bytes() + b'{"run": "a", "fit_s": "long"}\n{"ru')
    assert list(kept_costs(tiles.machine.cache, file.stem)) == [cost]
    file.unlink()
    file.mkdir()
    keep_cost(tiles.machine.cache, file.stem, cost)
    assert forecast_of(tiles, tiles.plan(tiles.suite(TILES), seeds=(1,))) is None


def test_jobs_share_the_time_but_for_the_longest_fit():
    """60 s + 30 s + 30 s: two at once need 60 s, four no less than the longest of them."""
    spans = [Span(60, 60), Span(30, 40), Span(30, 40)]
    assert jobs_span(spans, 1) == Span(120, 140)
    assert jobs_span(spans, 2) == Span(60, 70)
    assert jobs_span(spans, 4) == Span(60, 60)


@pytest.fixture
def clock(tmp_path, monkeypatch):
    """The clock of a fit, and a function that reports a step at a time."""
    now = [0.0]
    monkeypatch.setattr(fit_clock.time, "monotonic", lambda: now[0])
    clock = fit_clock.FitClock(tmp_path / "progress.json", None)
    clock.begin_fit(None)

    def report(seconds, done, total):
        now[0] = seconds
        clock.report(done, total)

    return clock, report


def test_the_steps_after_the_first_foretell_a_whole_fit(clock):
    """A first step at 12 s, then 2 s each: 100 steps take 200 s and the 10 s before the first one."""
    clock, report = clock
    report(12.0, 1, 100)
    assert clock.foretold is None
    report(14.0, 2, 100)
    report(30.0, 10, 100)
    assert clock.foretold == pytest.approx(210.0)


def test_a_fit_that_goes_on_from_a_checkpoint_is_foretold_from_its_beginning(clock):
    clock, report = clock
    report(5.0, 51, 100)
    report(25.0, 61, 100)
    assert clock.foretold == pytest.approx(200.0)


def test_steps_that_begin_anew_are_not_added_to_those_before(clock):
    clock, report = clock
    for seconds, done in ((1.0, 1), (2.0, 2), (10.0, 1)):
        report(seconds, done, 10)
    assert clock.foretold is None


STEPS = """
for step in range(1, 1000):
    time.sleep(0.1)
    self.context.progress(step, 1000)
    if step == 20:
        (ROOT / "walked").touch()
    if self.context.deadline is not None and time.monotonic() >= self.context.deadline:
        raise DeadlineReached("stopped")
"""


@pytest.mark.slow
def test_a_fit_that_was_stopped_tells_of_the_whole(house, monkeypatch):
    guests = Guests(house, monkeypatch)
    guests.invite("walker", STEPS)
    assert "--method walker --dataset tiny --max-time 1m" in guests.run("walker", "--plan").stdout
    call = guests.start("walker")
    running.wait_for((house.root / "walked").exists)
    call.terminate()
    call.communicate(timeout=60)
    said = guests.run("walker", "--plan").stdout
    assert "walker at 16 px: 1 fit of about " in said
    assert "min, from the first part of a fit, without its scores" in said
