"""Two fits side by side on one thread each, against one after the other on two threads, by the time that passes.

Quiet is the machine as it is (its load average stands beside each ratio); loaded, one more process multiplies matrices
on one core all the while.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

from perf.houses import House, new_house
from perf.ratios import BASE_VARIABLES, MeasurePlan, Ratios, elapsed_seconds, seconds_in_turns, timed_ratio

TITLE = "Workers"
SAYS = (
    "Time that passes in `bench run` of two short fits of DRA at 128 px, with two jobs of one thread or one job of "
    "two threads, over one job of one thread; quiet, and beside a process that keeps one core busy. Threads that spin "
    "while they wait are those of OMP_WAIT_POLICY=ACTIVE."
)
WAYS = {"2 jobs of 1 thread": (2, 1, {}), "1 job of 2 threads": (1, 2, {})}
SPINNING = {"1 job of 2 threads that spin": (1, 2, {"OMP_WAIT_POLICY": "ACTIVE"})}
"""Threads of OpenMP that wait for others without sleeping; `bench run` lets them sleep unless the variable is set."""
UNIT = "1 job of 1 thread"
FITS = ("--set", "dra.budget.epochs=1", "--set", "dra.budget.steps=4", "--set", "dra.img_size=128")
BUSY = "import torch\na = torch.randn(1024, 1024)\nwhile True: a @ a"


def measure_ratios(plan: MeasurePlan) -> Ratios:
    with new_house() as house:
        house.install_nothing()
        house.adopt_noise(60, 128)
        ways = {
            name: partial(run_fits, house, *way, is_quick=plan.is_quick)
            for name, way in {**WAYS, **SPINNING, UNIT: (1, 1, {})}.items()
        }
        for word, around in (("quiet", contextlib.nullcontext), ("loaded", busy_core)):
            with around():
                seconds = seconds_in_turns(ways, plan.rounds, elapsed_seconds, warm_up=word == "quiet")
            for name in WAYS:
                yield timed_ratio(f"{name}, {word}", UNIT, seconds[name], seconds[UNIT])
            (first, second), (spinning,) = WAYS, SPINNING
            yield timed_ratio(f"{first}, {word}", second, seconds[first], seconds[second])
            yield timed_ratio(f"{spinning}, {word}", second, seconds[spinning], seconds[second])


def run_fits(house: House, jobs: int, threads: int, variables: dict[str, str], *, is_quick: bool) -> None:
    shutil.rmtree(house.root / "runs", ignore_errors=True)
    suite = ["--suite", house.write_suite(2), "--jobs", str(jobs), "--threads", str(threads), "--weights", "random"]
    house.bench("run", *suite, *([] if is_quick else ["--method", "dra", *FITS]), **variables)


@contextlib.contextmanager
def busy_core() -> Iterator[None]:
    """A process beside, on one thread, for the time of a block."""
    process = subprocess.Popen([sys.executable, "-c", BUSY], env=os.environ | BASE_VARIABLES)
    try:
        yield
    finally:
        process.kill()
        process.wait()
