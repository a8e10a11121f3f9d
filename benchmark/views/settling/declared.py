"""Choices of runs as they are declared before they run, and the choice of before that is not done yet."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from benchmark.planning.declaration import (
    LaterSeeds,
    LookedAtCell,
    declare_later,
    declared_seeds,
    last_later_seeds,
    with_notes,
)
from benchmark.planning.types import Plan, PlannedRun
from benchmark.views.settling.choice import CellRow, Choice, Forecasts, restricted
from protocols.text import plural
from reports.stats.thresholds import MARGIN
from reports.stats.verdict import VERDICT_VERSION
from results.store import Store


@dataclass(frozen=True)
class UnfinishedChoice:
    """A declared choice of which some runs are missing, by their keys; it is finished before another look is taken."""

    path: Path
    later: LaterSeeds
    missing: tuple[str, ...]


def unfinished_choice(root: Path, plan: Plan) -> UnfinishedChoice | None:
    """The choice of --settle that was declared last of all, where runs of it are missing in the plan."""
    last = last_later_seeds(root, plan.suite.id)
    if last is None or last[1].option != "--settle":
        return None
    path, later = last
    declared = set(later.runs)
    missing = tuple(
        run.spec.key for run in plan.runs if run.state == "missing" and run.spec and run.spec.key in declared
    )
    return UnfinishedChoice(path, later, tuple(dict.fromkeys(missing))) if missing else None


def go_on(choice: Choice, plan: Plan, root: Path, forecasts: Forecasts, tell: Callable[[str], None]) -> Choice:
    """The choice of before where it is not done yet: no second look is taken before the first one is answered."""
    unfinished = unfinished_choice(root, plan)
    if unfinished is None:
        return choice
    tell(
        f"--settle goes on with the choice of {unfinished.later.declared[:10]}, of which "
        f"{plural(len(unfinished.missing), 'run is', 'runs are')} missing: {unfinished.path} (remove it to choose anew)"
    )
    return restricted(choice, plan, unfinished.missing, forecasts)


def declare_choice(store: Store, choice: Choice) -> Choice:
    """The choice with notes for the records of runs that are added after a look, once it is written down.

    Raises:
        ResultsError: the results folder cannot be written.
    """
    store.check_writable()
    unfinished = unfinished_choice(store.root, choice.plan) if choice.budget.is_settling else None
    later = (
        unfinished.later if unfinished else choice_declaration(choice, declared_seeds(store.root, choice.plan.suite.id))
    )
    if unfinished is None:
        declare_later(store.root, later)
    return replace(choice, plan=with_notes(choice.plan, set(later.after_look), later.note))


def choice_declaration(choice: Choice, declared: Collection[tuple[int, int]]) -> LaterSeeds:
    """The declaration of a choice.

    --settle adds seeds to a cell until it has a verdict: all that come after a result are chosen by a look. --budget
    alone only puts seeds in order, of which those that were `declared` before the first run are none.
    """
    chosen = {run.spec.key: run for run in choice.plan.runs if run.state == "missing" and run.spec}
    rows = [row for row in choice.rows if row.seeds]
    looked = {
        key
        for row in choice.rows
        if row.outlook.prospect.runs
        for key in _keys(row)
        if key in chosen and (choice.budget.is_settling or _seeds(chosen[key]) not in declared)
    }
    return LaterSeeds(
        suite=choice.plan.suite.id,
        recipe=choice.plan.recipe,
        declared=datetime.now(UTC).isoformat(timespec="seconds"),
        verdict_version=VERDICT_VERSION,
        margin=MARGIN,
        option=choice.budget.option,
        budget_seconds=choice.budget.seconds,
        cells={row.outlook.name: _looked_at(row) for row in rows},
        runs=sorted(chosen),
        after_look=sorted(looked),
    )


def _seeds(run: PlannedRun) -> tuple[int, int]:
    return run.wanted_run.split_seed, run.wanted_run.seed


def _keys(row: CellRow) -> Mapping[str, None]:
    return dict.fromkeys(run.spec.key for step in row.outlook.steps for run in step.runs if run.spec)


def _looked_at(row: CellRow) -> LookedAtCell:
    return LookedAtCell(n=row.outlook.prospect.runs, split_seeds=list(row.seeds), chance=row.chance or 0.0)
