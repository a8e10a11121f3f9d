"""Processor time of `bench report` and `bench check` on folders of records, against `import scipy.special`.

Each round starts, one after the other, a Python that imports scipy.special, `bench report --table 2` and `bench check
--against published`. The first round, whose report verifies every record, is told apart, and so are calls whose
statistics are not kept yet. Growth is the time a record in the largest folder over that in the smallest, beyond an
empty folder; 1 is linear.
"""

import shutil
import sys
from statistics import median

from perf.houses import House, new_house
from perf.made_records import write_records
from perf.ratios import MeasurePlan, Ratios, children_seconds, make_ratio, run_command, timed_ratio
from reports.stats.kept import STATISTICS

TITLE = "Report and check"
SAYS = (
    "Processor time of `bench report --table 2` and `bench check` on folders of records, over `import scipy.special`."
)
COUNTS, QUICK_COUNTS = (500, 5_000, 50_000), (10, 20)
UNIT = "import scipy.special"
GATE = (0, 3, 4)
"""Exit status of the gate, which may find a regression, or nothing to compare."""
WORDS = {"report": ("report", "--table", "2"), "check": ("check", "--against", "published")}


def measure_ratios(plan: MeasurePlan) -> Ratios:
    counts = QUICK_COUNTS if plan.is_quick else COUNTS
    units: dict[int, dict[str, float]] = {}
    for count in (0, *counts):
        rounds = min(plan.rounds, 2) if count == COUNTS[-1] else plan.rounds
        with new_house() as house:
            (house.root / "runs/records").mkdir(parents=True)
            write_records(house.root / "runs", count)
            first, *kept = [seconds_of_round(house, keep=True) for _ in range(rounds + 1)]
            computed = [seconds_of_round(house, keep=False) for _ in range(rounds)]
        for name in WORDS:
            for word, turns in (("", kept), (", the first time", [first]), (", statistics not kept", computed)):
                if count or not word:
                    pair = ([turn[key] for turn in turns] for key in (name, UNIT))
                    yield timed_ratio(f"{name} of {count:,} records{word}", UNIT, *pair)
        units[count] = {name: median(turn[name] / turn[UNIT] for turn in kept) for name in WORDS}
    for name in WORDS:
        few, many = ((units[count][name] - units[0][name]) / count for count in (counts[0], counts[-1]))
        if few > 0 and not plan.is_quick:
            yield make_ratio(f"{name}, a record of {counts[-1]:,}", f"a record of {counts[0]:,}", [many / few])


def seconds_of_round(house: House, *, keep: bool) -> dict[str, float]:
    command = (sys.executable, "-c", "import scipy.special")
    seconds = {UNIT: children_seconds(lambda: run_command(command))}
    for name, words in WORDS.items():
        if not keep:
            shutil.rmtree(house.root / "cache" / STATISTICS, ignore_errors=True)
        seconds[name] = children_seconds(lambda words=words: house.bench(*words, accepted=GATE))
    return seconds
