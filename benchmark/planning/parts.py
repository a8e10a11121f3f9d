"""Parts of a plan, for several machines or a scheduler: a share of its fits, or named ones."""

from collections.abc import Sequence
from dataclasses import replace

from benchmark.errors import BenchError
from benchmark.planning.types import Plan, PlannedFit, RunState
from benchmark.terminal.options import Shard

LEAST_DIGITS = 8
"""Of a key, by which a command names a fit."""


def shard_of(plan: Plan, shard: Shard) -> Plan:
    """The runs whose fits fall to a shard, by their keys alone: the same whatever is done, on every machine.

    Fits of one source stay together. Blocked runs belong to the first shard.
    """
    runs = tuple(
        run
        for run in plan.runs
        if (shard.number == 1 if run.fit is None else _falls_to(run.fit, shard.parts) == shard.number)
    )
    return replace(plan, runs=runs)


def _falls_to(fit: PlannedFit, count: int) -> int:
    return int((fit.source or fit).key, 16) % count + 1


def named_fits(plan: Plan, prefixes: Sequence[str]) -> Plan:
    """The runs of the fits whose keys start with one of the texts each.

    Raises:
        BenchError: a text starts no key of the plan, or several.
    """
    keys = {run.fit.key for run in plan.runs if run.fit is not None}
    chosen = set()
    for prefix in prefixes:
        found = [key for key in keys if key.startswith(prefix)]
        if len(found) != 1:
            problem = "several fits start" if found else "no fit of this plan starts"
            raise BenchError(f"--fit {prefix}: {problem} with it; --plan --format tasks names them")
        chosen.update(found)
    return replace(plan, runs=tuple(run for run in plan.runs if run.fit is not None and run.fit.key in chosen))


def task_commands(plan: Plan, states: set[RunState], words: Sequence[str]) -> list[str]:
    """One command a fit that is due, with those words of the call; a source is computed by the fits that need it."""
    import shlex

    keys = [task.key for task in plan.tasks(states) if task.runs]
    digits = next(n for n in range(LEAST_DIGITS, 65) if len({key[:n] for key in keys}) == len(keys))
    return [shlex.join(["bench", "run", *words, "--fit", key[:digits]]) for key in keys]
