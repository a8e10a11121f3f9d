"""Start-up of commands that need no torch, over Python processes that import click or torch."""

import sys

from perf.houses import IMPORT_CLICK, IMPORT_TORCH, new_house
from perf.ratios import MeasurePlan, Ratios, children_seconds, run_command, seconds_in_turns, timed_ratio

TITLE = "Start-up"
SAYS = "Processor time of a command in a process of its own, over a Python that imports click, or torch."
COMMANDS = {
    "--help": ("--help",),
    "methods list": ("methods", "list"),
    "run --plan": ("run", "--suite", "hard", "--plan"),
    "report --table 2": ("report", "--table", "2"),
}


def measure_ratios(plan: MeasurePlan) -> Ratios:
    with new_house() as house:
        (house.root / "runs/records").mkdir(parents=True)
        ways = {name: lambda words=words: house.bench(*words, accepted=(0, 2)) for name, words in COMMANDS.items()} | {
            "import click": lambda: run_command(IMPORT_CLICK),
            "import torch": lambda: run_command(IMPORT_TORCH),
            "python": lambda: run_command((sys.executable, "-c", "")),
        }
        seconds = seconds_in_turns(ways, plan, children_seconds)
    for name in COMMANDS:
        for over in ("import click", "import torch"):
            yield timed_ratio(name, over, seconds[name], seconds[over])
    yield timed_ratio("import click", "an empty Python", seconds["import click"], seconds["python"])
