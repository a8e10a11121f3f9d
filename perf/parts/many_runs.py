"""Cost of a run beside its fit: many runs of a method that does nothing, made, and made again from the store."""

import shutil
from statistics import median

from perf.houses import IMPORT_CLICK, House, new_house
from perf.ratios import MeasurePlan, Ratios, children_seconds, make_ratio, run_command

TITLE = "Many runs"
SAYS = (
    "Processor time a run of `bench run` beside its fit, beyond that of a call with ten runs, over a Python that "
    "imports click. The method does nothing; each run has a split, a claim, a record and scores."
)
COUNTS, QUICK_COUNTS = (10, 1_000, 10_000), (2, 4)
UNIT = "import click"


def measure_ratios(plan: MeasurePlan) -> Ratios:
    first, *counts = QUICK_COUNTS if plan.is_quick else COUNTS
    costs: dict[str, list[float]] = {"made": [], "stored": []}
    with new_house() as house:
        house.install_nothing()
        house.adopt_noise(36, 32)
        house.bench(*words(house, 1))
        base = run_seconds(house, first)
        unit = median(children_seconds(lambda: run_command(IMPORT_CLICK)) for _ in range(2 * plan.rounds + 1))
        for count in counts:
            for name, seconds, least in zip(costs, run_seconds(house, count), base, strict=True):
                costs[name].append((seconds - least) / (count - first))
                yield make_ratio(f"a run of {count:,}, {name}", UNIT, [costs[name][-1] / unit])
                if count != counts[0] and not plan.is_quick:
                    growth = costs[name][-1] / costs[name][0]
                    yield make_ratio(f"a run of {count:,}, {name}", f"a run of {counts[0]:,}", [growth])


def words(house: House, count: int) -> list[str]:
    return ["run", "--suite", house.write_suite(count), "--precision", "fp32", "--jobs", "1"]


def run_seconds(house: House, count: int) -> tuple[float, float]:
    """Of runs that are missing, and of the same when they are stored."""
    shutil.rmtree(house.root / "runs", ignore_errors=True)
    made, stored = (children_seconds(lambda: house.bench(*words(house, count))) for _ in range(2))
    return made, stored
