"""A whole call of `bench run --suite quick`: cold, with nothing prepared or cached, and warm, with all runs stored."""

from functools import partial

from perf.houses import IMPORT_TORCH, House, new_house
from perf.ratios import MeasurePlan, Ratios, children_seconds, run_command, timed_ratio

TITLE = "Whole quick run"
SAYS = (
    "Processor time of `bench run --suite quick` with two jobs, all processes together, over a Python that imports "
    "torch: cold, when ELPV is prepared, decoded and four fits are made, and warm, when all runs are stored."
)
UNIT = "import torch"


def measure_ratios(plan: MeasurePlan) -> Ratios:
    seconds: dict[str, list[float]] = {"cold": [], "warm": [], UNIT: []}
    for _ in range(plan.rounds):
        with new_house() as house:
            words = quick_words(house, is_quick=plan.is_quick)
            for name in ("cold", "warm"):
                seconds[name].append(children_seconds(partial(house.bench, *words)))
        seconds[UNIT].append(children_seconds(lambda: run_command(IMPORT_TORCH)))
    for name in ("cold", "warm"):
        yield timed_ratio(name, UNIT, seconds[name], seconds[UNIT])


def quick_words(house: House, *, is_quick: bool) -> list[str]:
    """The words of the call; in a quick measurement a suite of two runs that train nothing."""
    if is_quick:
        house.install_nothing()
        house.adopt_noise(36, 32)
    suite = house.write_suite(2) if is_quick else "quick"
    return ["run", "--suite", suite, "--jobs", "2", "--threads", "1", "--weights", "random"]
