"""The same short fits by each engine over local workers, by the time that passes.

Dask and Ray start a cluster of their own for the call. SLURM is that of the machine; it and engines whose extra is not
installed are left out where they are not there.
"""

import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec

from perf.houses import House, new_house
from perf.ratios import MeasurePlan, Ratios, elapsed_seconds, seconds_in_turns, timed_ratio

TITLE = "Engines"
SAYS = (
    "Time that passes in `bench run` of fits of DRA at 128 px, of one thread each and two at a time, by an engine over "
    "local workers: four fits of 4 steps, where starting is nearly all, and of 16 steps. Nothing else differs."
)
STEPS = {"short fits": 4, "longer fits": 16}
BASE = "local"


def measure_ratios(plan: MeasurePlan) -> Ratios:
    with new_house() as house:
        house.install_nothing()
        house.adopt_noise(60, 128)
        for words, steps in STEPS.items():
            ways = {
                name: partial(run_fits, house, name, steps, is_quick=plan.is_quick) for name in (BASE, *engines_here())
            }
            seconds = seconds_in_turns(ways, plan, elapsed_seconds)
            for name in ways:
                if name != BASE:
                    yield timed_ratio(f"{name}, {words}", BASE, seconds[name], seconds[BASE])


def engines_here() -> Iterator[str]:
    """Engines beside the local one that can be used on this machine."""
    packages = {"dask": "distributed", "ray": "ray"}
    yield from (name for name, package in packages.items() if find_spec(package))
    if find_spec("submitit") and shutil.which("sbatch"):
        answer = subprocess.run(["sbatch", "--test-only", "--wrap=true"], capture_output=True, check=False)
        if answer.returncode == 0:
            yield "slurm"


def run_fits(house: House, engine: str, steps: int, *, is_quick: bool) -> None:
    shutil.rmtree(house.root / "runs", ignore_errors=True)
    words = ["--suite", house.write_suite(2 if is_quick else 4), "--engine", engine, "--jobs", "2", "--threads", "1"]
    settings = ("dra.budget.epochs=1", f"dra.budget.steps={steps}", "dra.img_size=128")
    fits = ["--method", "dra", *(word for setting in settings for word in ("--set", setting))]
    house.bench("run", *words, "--weights", "random", *([] if is_quick else fits))
