"""Fits on an accelerator: several processes on one device, and the device over the processor.

Without one there is nothing to measure; the quick form takes the processor, to see that the part runs.
"""

import shutil
from functools import partial

from methods.devices import Device, best_device
from perf.houses import House, new_house
from perf.ratios import MeasurePlan, Ratios, elapsed_seconds, seconds_in_turns, timed_ratio

TITLE = "Accelerator"
SAYS = (
    "Time that passes in `bench run` of four fits of DRA at 224 px, 100 steps each, on the device that `--device auto` "
    "takes, by how many share it at a time; and of one fit of 10 steps over the same on the processor with one thread."
)
AT_A_TIME, QUICK_AT_A_TIME = (1, 2, 4), (1, 2)
STEPS, FEW_STEPS = 100, 10
CPU = Device()


def measure_ratios(plan: MeasurePlan) -> Ratios:
    device = best_device()
    if device == CPU and not plan.is_quick:
        return
    with new_house() as house:
        house.install_nothing()
        house.adopt_noise(60, 224)
        at_a_time = QUICK_AT_A_TIME if plan.is_quick else AT_A_TIME
        one, *more = at_a_time
        ways = {
            f"{jobs} at a time": partial(run_fits, house, device, jobs, at_a_time[-1], STEPS, plan)
            for jobs in at_a_time
        }
        seconds = seconds_in_turns(ways, plan, elapsed_seconds)
        for jobs in more:
            way, base = f"{jobs} at a time", f"{one} at a time"
            yield timed_ratio(f"{device.name()}, {way}", base, seconds[way], seconds[base])
        both = {
            name: partial(run_fits, house, where, 1, 1, FEW_STEPS, plan)
            for name, where in (("device", device), ("processor", CPU))
        }
        seconds = seconds_in_turns(both, plan, elapsed_seconds)
        yield timed_ratio(f"{device.name()}, a fit", "on the processor", seconds["device"], seconds["processor"])


def run_fits(house: House, device: Device, jobs: int, count: int, steps: int, plan: MeasurePlan) -> None:
    shutil.rmtree(house.root / "runs", ignore_errors=True)
    words = ["--suite", house.write_suite(count), "--device", str(device), "--jobs", str(jobs), "--weights", "random"]
    settings = ("dra.budget.epochs=1", f"dra.budget.steps={steps}")
    fits = ["--method", "dra", *(word for setting in settings for word in ("--set", setting))]
    house.bench("run", *words, *([] if plan.is_quick else fits))
