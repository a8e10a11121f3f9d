"""Two fits side by side on one thread each, against one after the other on two threads, by the time that passes.

Quiet is the machine as it is (its load average stands beside each ratio); loaded, one more process multiplies matrices
on one core all the while.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial

from perf.houses import House, new_house
from perf.ratios import BASE_VARIABLES, MeasurePlan, Ratios, elapsed_seconds, seconds_in_turns, timed_ratio

TITLE = "Workers"
SAYS = (
    "Time that passes in `bench run` of two fits of DRA at 128 px, with two jobs of one thread or one job of two "
    "threads, over one job of one thread: of 4 steps, where starting is most, quiet and beside a process that keeps "
    "one core busy, and of 24 steps. Threads that spin while they wait are those of OMP_WAIT_POLICY=ACTIVE."
)
Way = tuple[int, int, dict[str, str]]
"""Jobs, threads, variables of the environment."""
WAYS: dict[str, Way] = {"2 jobs of 1 thread": (2, 1, {}), "1 job of 2 threads": (1, 2, {})}
SPINNING: dict[str, Way] = {"1 job of 2 threads that spin": (1, 2, {"OMP_WAIT_POLICY": "ACTIVE"})}
"""Threads of OpenMP that wait for others without sleeping; `bench run` lets them sleep unless the variable is set."""
UNIT = "1 job of 1 thread"
SHORT, LONGER = 4, 24
"""Steps of a fit."""
BUSY = "import torch\na = torch.randn(1024, 1024)\nwhile True: a @ a"


def measure_ratios(plan: MeasurePlan) -> Ratios:
    with new_house() as house:
        house.install_nothing()
        house.adopt_noise(60, 128)
        ways = ways_of(house, {**WAYS, **SPINNING, UNIT: (1, 1, {})}, None if plan.is_quick else SHORT)
        for word, around in (("quiet", contextlib.nullcontext), ("loaded", busy_core)):
            with around():
                seconds = seconds_in_turns(ways, plan, elapsed_seconds, warm_up=word == "quiet")
            for name in WAYS:
                yield timed_ratio(f"{name}, {word}", UNIT, seconds[name], seconds[UNIT])
            (first, second), (spinning,) = WAYS, SPINNING
            yield timed_ratio(f"{first}, {word}", second, seconds[first], seconds[second])
            yield timed_ratio(f"{spinning}, {word}", second, seconds[spinning], seconds[second])
        if not plan.is_quick:
            longer = ways_of(house, {**WAYS, UNIT: (1, 1, {})}, LONGER)
            seconds = seconds_in_turns(longer, plan, elapsed_seconds, warm_up=False)
            for name in WAYS:
                yield timed_ratio(f"{name}, {LONGER} steps", UNIT, seconds[name], seconds[UNIT])
            yield timed_ratio(f"{first}, {LONGER} steps", second, seconds[first], seconds[second])


def ways_of(house: House, ways: dict[str, Way], steps: int | None) -> dict[str, Callable[[], None]]:
    """Calls of `bench run` by their names: fits of DRA of so many steps, or of the method that does nothing."""
    settings = ("dra.budget.epochs=1", f"dra.budget.steps={steps}", "dra.img_size=128")
    fits = ["--method", "dra", *(word for setting in settings for word in ("--set", setting))] if steps else []
    return {name: partial(run_fits, house, *way, fits) for name, way in ways.items()}


def run_fits(house: House, jobs: int, threads: int, variables: dict[str, str], fits: list[str]) -> None:
    shutil.rmtree(house.root / "runs", ignore_errors=True)
    suite = ["--suite", house.write_suite(2), "--jobs", str(jobs), "--threads", str(threads), "--weights", "random"]
    house.bench("run", *suite, *fits, **variables)


@contextlib.contextmanager
def busy_core() -> Iterator[None]:
    """A process beside, on one thread, for the time of a block."""
    process = subprocess.Popen([sys.executable, "-c", BUSY], env=os.environ | BASE_VARIABLES)
    try:
        yield
    finally:
        process.kill()
        process.wait()
