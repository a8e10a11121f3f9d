"""Calibration: how measured steps are scaled to a fit, what is kept of them, and what they tell a plan."""

import json

import loud as loud_suite
import pytest
import strangers
from msgspec.structs import replace

from benchmark import numerics
from benchmark.execution.processes.calibration import KindOfFit, MeasuredSteps, NoiseImages, measure_steps, scaled_cost
from benchmark.planning.costs.decoding import DECODING_FILE, image_sets, measure_decoding, undecoded
from benchmark.planning.costs.forecast import Conditions, forecast_tasks
from benchmark.planning.costs.measured import COSTS, FitCost, cost_kind, keep_cost
from benchmark.planning.types import StoreKey
from protocols.catalogue import data_folder
from protocols.images.store import ImageStore

SUITE = """
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


def steps(px, fit_s, score_s=0.5, peak=600.0):
    return MeasuredSteps(px=px, fit_s=fit_s, score_s=score_s, resting_mib=400.0, peak_mib=peak, numerics_class="cpu-x")


def test_one_size_is_scaled_by_pixels():
    """224 px has four times the pixels of 112 px: 100 s become 400 s, 0.5 s become 2 s, 200 MiB of 600 become 800."""
    cost = scaled_cost([steps(112, 100.0)], 224, train=30)
    assert (cost.fit_s, cost.score_s, cost.memory_mib) == (400.0, 2.0, 1200.0)
    assert (cost.run, cost.calibrated_px, cost.train, cost.test) == (None, 112, 30, 1)


def test_two_sizes_are_a_line():
    """At 100 px 30 s and at 200 px 60 s: 10,000 pixels cost 10 s, so that 400 px has 60 s and 120 s."""
    assert scaled_cost([steps(100, 30.0), steps(200, 60.0)], 400, train=1).fit_s == 180.0
    assert scaled_cost([steps(100, 90.0), steps(200, 60.0)], 400, train=1).fit_s == 60.0, "a line that falls is none"
    assert scaled_cost([steps(100, 30.0), steps(200, 60.0)], 200, train=1).fit_s == 60.0


def test_noise_has_as_many_images_as_ids():
    images = NoiseImages([f"a{number}" for number in range(100)], 8, 1)
    assert (len(images), images.take([0, 99]).shape, images.one(50).shape) == (100, (2, 8, 8, 1), (8, 8, 1))
    picked = images.select([5, 50])
    assert (picked.ids, len(picked)) == (("a5", "a50"), 2)


@pytest.fixture
def tiles(drifting, rows):
    holes = [(f"test/hole/{i:03}", "hole", "test", 90 + i) for i in range(12)]
    drifting.prepare("tiles", rows["texture"](30) + holes)
    return drifting


def test_a_detector_that_reports_nothing_is_timed_whole(tiles):
    (task,) = tiles.plan(tiles.suite(SUITE)).tasks({"missing"})
    measured = measure_steps(KindOfFit(task.fit, 1, None, 16, 1, "cpu"))
    assert measured.px == 16
    assert measured.fit_s > 0
    assert measured.score_s >= 0
    assert measured.peak_mib >= measured.resting_mib > 0
    assert len(tiles.fits) == 1


def test_images_that_are_not_decoded_are_timed_once(tiles):
    cache = tiles.machine.cache
    sets = image_sets([StoreKey("tiles", 16, "squash"), StoreKey("tiles", 0, "none")] * 2, tiles.data)
    assert [key.size for key, _ in sets] == [16]
    assert undecoded(sets, cache) == sets
    measure_decoding(*sets[0], cache)
    (line,) = (cache / COSTS / DECODING_FILE).read_text().splitlines()
    assert json.loads(line)["fingerprint"] == sets[0][1].fingerprint
    ImageStore.open(data_folder.open_dataset(tiles.data, "tiles"), size=16, cache_dir=cache)
    assert undecoded(sets, cache) == []


@pytest.fixture
def loud(house, monkeypatch):
    (house.root / "site").mkdir()
    loud_suite.install(house.root / "site")
    monkeypatch.setenv("PYTHONPATH", strangers.path(house.root / "site"))
    (house.root / "loud.toml").write_text(loud_suite.SUITE)
    return lambda *words: house.bench("run", "--suite", house.root / "loud.toml", "--threads", "1", *words)


@pytest.mark.slow
def test_what_was_calibrated_tells_a_plan_until_a_run_is_finished(house, loud):
    first = loud("--plan")
    assert "time not known: --calibrate estimates it; --method noisy --dataset tiny --max-time 1m" in first.stdout
    calibrated = loud("--plan", "--calibrate", "--json")
    assert calibrated.returncode == 0, calibrated.stderr
    assert json.loads(calibrated.stdout)["fits_of_unknown_time"] == 0, "what a detector prints is not on stdout"
    assert "hello from a guest" in calibrated.stderr
    assert "calibration: 1 kind of fits in " in calibrated.stderr
    plan = loud("--plan").stdout
    assert "from a calibration at 16 px on this kind of machine with 1 thread" in plan
    assert "decoding, where it is not done yet: 44 images in about " in plan
    assert list(house.results.rglob("*.json")) == [], "a calibration leaves no record"
    again = loud("--plan", "--calibrate")
    assert again.stderr.splitlines()[-1] == "calibration: nothing to measure, the time of every missing fit is known"
    assert loud("--seed", "0").returncode == 0
    assert "from 2 finished runs on this kind of machine" in loud("--plan").stdout


@pytest.mark.slow
def test_a_detector_that_fails_is_named_and_the_plan_goes_on(house, loud):
    broken = loud_suite.DETECTOR.replace(
        "for step in range(1, 5):", "raise RuntimeError('no kernel')\n        for step in ():"
    )
    (house.root / "site" / "noisy" / "detector.py").write_text(broken)
    plan = loud("--plan", "--calibrate")
    assert plan.returncode == 0
    assert "not calibrated: noisy at 16 px: " in plan.stderr
    assert "no kernel" in plan.stderr
    assert "time not known" in plan.stdout


def test_the_first_part_of_a_fit_comes_before_a_calibration(tiles):
    """A fit that was stopped was real: it beats steps on noise, whichever came last."""
    plan = tiles.plan(tiles.suite(SUITE))
    tasks = plan.tasks({"missing"})
    spec, conditions = tasks[0].fit.spec, Conditions(tiles.machine.cache, "cpu", threads=1, jobs=1)
    kind = cost_kind(spec, cpu=numerics.cpu_name(), device="cpu", threads=1)
    class_ = numerics.expected_numerics_class(precision=spec.precision, threads=1)
    stopped = FitCost(run=None, numerics_class=class_, train=16, test=0, fit_s=100.0, score_s=0.0, memory_mib=1.0)
    bases = []
    for cost in (replace(stopped, fit_s=7.0, calibrated_px=96), stopped, replace(stopped, calibrated_px=96)):
        keep_cost(tiles.machine.cache, kind, cost)
        (forecast,) = forecast_tasks(plan, tasks, conditions).values()
        bases.append((forecast.basis, forecast.fit.high))
    assert bases == [
        ("from a calibration at 96 px, without its scores", 7.0),
        ("from the first part of a fit, without its scores", 100.0),
        ("from the first part of a fit, without its scores", 100.0),
    ]
