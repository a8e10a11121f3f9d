"""Declarations: margin, seeds and groups of a suite, written into its results folder before its first run."""

import re
from collections.abc import Iterator, Mapping, Sequence
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
    return root / DECLARED_FOLDER / f"{suite if _PLAIN_ID.fullmatch(suite) else digest(suite)}.json"
