"""Declarations: margin, seeds and groups of a suite, written into its results folder before its first run.

Seeds that are chosen later, by what stored runs show, are declared too, before they are run.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from reports.stats.thresholds import MARGIN
from reports.stats.verdict import VERDICT_VERSION
from results.files import write_atomic
from results.spec import digest

if TYPE_CHECKING:
    from benchmark.planning.types import Plan

DECLARED_FOLDER = "declared"
LATER_FOLDER = "later"
"""Folder in that of declarations, of seeds that were chosen by a look at results."""
_PLAIN_ID = re.compile(r"[A-Za-z0-9_]+")


class Declaration(msgspec.Struct, frozen=True, kw_only=True):
    """`seeds` are pairs of split and training; `groups` are by table the coordinates that are judged together."""

    suite: str
    recipe: str
    declared: str
    verdict_version: int
    margin: float
    seeds: list[tuple[int, int]]
    groups: dict[str, list[str]]


class LookedAtCell(msgspec.Struct, frozen=True, kw_only=True):
    """A cell that seeds were chosen for: its n at that time, the split seeds, the chance of a verdict with them."""

    n: int
    split_seeds: list[int]
    chance: float


class LaterSeeds(msgspec.Struct, frozen=True, kw_only=True):
    """Runs that `bench run --settle` or `--budget` chose, by what stored runs showed of their cells, before they ran.

    `cells` by their ids with the table in front; `runs` are the keys of all runs chosen, `after_look` those of cells
    that had a result.
    """

    suite: str
    recipe: str
    declared: str
    verdict_version: int
    margin: float
    option: str
    budget_seconds: float | None
    cells: dict[str, LookedAtCell]
    runs: list[str]
    after_look: list[str]

    @property
    def note(self) -> str:
        """What the record of each run that was added after a look says."""
        return (
            f"seed chosen after a look at its cell's results (bench run {self.option}, declared {self.declared[:10]})"
        )


def declare_later(root: Path, later: LaterSeeds) -> Path:
    """Write down a choice of seeds under a name of its own, before its first run; gives the file.

    Raises:
        ResultsError: it cannot be written.
    """
    numbers = (number for number in range(1, 10**6) if not _later_path(root, later.suite, number).exists())
    path = _later_path(root, later.suite, next(numbers))
    write_atomic(path, msgspec.json.format(msgspec.json.encode(later), indent=2) + b"\n")
    return path


def last_later_seeds(root: Path, suite: str) -> tuple[Path, LaterSeeds] | None:
    """The choice of a suite that was declared last; None where there is none, or it cannot be read."""
    number = 0
    while _later_path(root, suite, number + 1).exists():
        number += 1
    if not number:
        return None
    path = _later_path(root, suite, number)
    try:
        return path, msgspec.json.decode(path.read_bytes(), type=LaterSeeds)
    except (OSError, msgspec.DecodeError):
        return None


def with_notes(plan: "Plan", keys: Collection[str], note: str) -> "Plan":
    """The plan whose runs of these keys leave a note in their records, as do others of the same fits."""
    fits = {run.fit.key for run in plan.runs if run.spec and run.fit and run.spec.key in keys}
    return replace(
        plan,
        runs=tuple(
            replace(run, fit=replace(run.fit, notes=(*run.fit.notes, note)))
            if run.fit and run.fit.key in fits and run.state == "missing"
            else run
            for run in plan.runs
        ),
    )


def declare(root: Path, plan: "Plan", groups: Mapping[str, Sequence[str]]) -> None:
    """Write down what this plan is measured with, unless its suite was declared before.

    Raises:
        ResultsError: it cannot be written.
    """
    path = _path(root, plan.suite.id)
    if path.exists():
        return
    seeds = {(run.wanted_run.split_seed, run.wanted_run.seed) for run in plan.runs}
    declaration = Declaration(
        suite=plan.suite.id,
        recipe=plan.recipe,
        declared=datetime.now(UTC).isoformat(timespec="seconds"),
        verdict_version=VERDICT_VERSION,
        margin=MARGIN,
        seeds=sorted(seeds),
        groups={table: list(names) for table, names in groups.items()},
    )
    write_atomic(path, msgspec.json.format(msgspec.json.encode(declaration), indent=2) + b"\n")


def declared_seeds(root: Path, suite: str) -> frozenset[tuple[int, int]]:
    """Seeds of split and training that a suite declared before its first run; none where it declared nothing."""
    try:
        declaration = msgspec.json.decode(_path(root, suite).read_bytes(), type=Declaration)
    except (OSError, msgspec.DecodeError):
        return frozenset()
    return frozenset(declaration.seeds)


def undeclared_margins(roots: Sequence[Path], margin: float) -> Iterator[str]:
    """One sentence a declaration with another margin than this; what is no declaration is passed over."""
    for root in roots:
        for path in sorted((root / DECLARED_FOLDER).glob("*.json")):
            try:
                declaration = msgspec.json.decode(path.read_bytes(), type=Declaration)
            except (OSError, msgspec.DecodeError):
                continue
            if abs(declaration.margin - margin) > 1e-12:
                yield (
                    f"margin {margin:g} is not the {declaration.margin:g} that {path} declared before the first run of "
                    f"suite {declaration.suite}"
                )


def _path(root: Path, suite: str) -> Path:
    return root / DECLARED_FOLDER / f"{_plain(suite)}.json"


def _later_path(root: Path, suite: str, number: int) -> Path:
    return root / DECLARED_FOLDER / LATER_FOLDER / f"{_plain(suite)}-{number}.json"


def _plain(suite: str) -> str:
    return suite if _PLAIN_ID.fullmatch(suite) else digest(suite)
