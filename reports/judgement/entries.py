"""Published cells and measured runs of two tables, checked: their numbers, their coordinates, none twice."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import NamedTuple

from protocols.text import plural
from reports.errors import ReportError
from reports.judgement.sources import SourceLine, SourceTable
from reports.stats.thresholds import UNKNOWN_RUNS

CELL_FIELDS = (
    "published_mean", "published_std", "published_n", "mean", "std", "n",
    "difference", "low", "high", "told", "verdict", "p", "sees", "notes",
)  # fmt: skip
GROUP_FIELDS = (
    "by", "cells", "difference", "standard_error", "low", "high", "tau", "tau_low", "tau_high", "verdict", "sees", "p",
)  # fmt: skip
LARGEST = 1e300
"""Largest size of a number, so that differences and intervals are finite."""
MOST_RUNS = 10**9
MOST_EXPONENT = 400
"""Power of ten that a printed number may name, so that half a unit of its last digit is a number too."""
MOST_DIGITS = 300

_PUBLISHED = ("mean", "std", "n")
_MEASURED = ("value", "split")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_POWER_DIGITS = 6
_NAMED = 3
"""Lines that a message names."""

CellKey = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PublishedEntry:
    """A published cell: texts as printed, and as numbers. `n` is UNKNOWN_RUNS where the table does not say."""

    coordinates: CellKey
    mean_text: str
    std_text: str
    mean: float
    std: float | None
    n: int
    is_n_known: bool

    @property
    def digits(self) -> int:
        """Decimals of the finer of mean and std; below 0 where not even ones are printed."""
        finest = max(-_exponent(text) for text in (self.mean_text, self.std_text) if text)
        return min(max(finest, -MOST_DIGITS), MOST_DIGITS)

    @property
    def least_spread(self) -> float:
        """Half a unit of the last printed digit."""
        return 0.5 * 10.0**-self.digits


class MeasuredRun(NamedTuple):
    """A run of ours; `split` is None where the table has no such column."""

    value: float
    split: str | None


@dataclass(frozen=True, slots=True)
class Entries:
    """Everything that two tables hold: published cells in their order, and the runs of each by its coordinates."""

    columns: tuple[str, ...]
    published: tuple[PublishedEntry, ...]
    runs: dict[CellKey, list[MeasuredRun]]
    has_splits: bool

    def numbers(self) -> Iterable[float]:
        for entry in self.published:
            yield entry.mean
            yield entry.std or 0.0
        for runs in self.runs.values():
            yield from (run.value for run in runs)


def read_entries(published: SourceTable, measured: SourceTable) -> Entries:
    """Cells and runs of two tables.

    Raises:
        ReportError: a column is missing or has a reserved name, the tables have not the same coordinates, a number is
            none, a cell is published twice, or a run belongs to no published cell.
    """
    published.need("mean")
    columns = tuple(column for column in published.columns if column not in _PUBLISHED)
    if reserved := [column for column in columns if column in {*CELL_FIELDS, *GROUP_FIELDS}]:
        raise ReportError(
            f"{published.name}: the column {reserved[0]} has a name of the output: rename it in both files"
        )
    if not published.lines:
        raise ReportError(f"{published.name} has no line below its heading: give a line for each published cell")
    if measured.columns or measured.lines:
        measured.need("value")
        _same_coordinates(published, columns, measured)
    cells = [(line, _published_entry(published, line, columns)) for line in published.lines]
    _refuse_doubles(published, columns, cells)
    runs: dict[CellKey, list[MeasuredRun]] = {entry.coordinates: [] for _, entry in cells}
    unplaced = []
    for line in measured.lines:
        coordinates = _coordinates(line, columns)
        run = _measured_run(measured, line)
        if coordinates in runs:
            runs[coordinates].append(run)
        else:
            unplaced.append((line.at, coordinates))
    if unplaced:
        raise ReportError(
            f"{measured.name}: {plural(len(unplaced), 'run has', 'runs have')} coordinates that {published.name} does "
            f"not have, {_named(columns, unplaced)}: mend them, or add such a cell to {published.name}"
        )
    return Entries(columns, tuple(entry for _, entry in cells), runs, "split" in measured.columns)


def place_label(columns: Sequence[str], coordinates: Sequence[str]) -> str:
    """`method=dra, dataset=elpv`, or `all cells` where nothing tells cells apart."""
    pairs = ", ".join(f"{column}={text}" for column, text in zip(columns, coordinates, strict=True))
    return pairs or "all cells"


def _exponent(text: str) -> int:
    exponent = Decimal(text.strip()).as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _same_coordinates(published: SourceTable, columns: Sequence[str], measured: SourceTable) -> None:
    ours = [column for column in measured.columns if column not in _MEASURED]
    alone = [
        f"only {table.name} has {', '.join(names)}"
        for table, names in (
            (published, [column for column in columns if column not in ours]),
            (measured, [column for column in ours if column not in columns]),
        )
        if names
    ]
    if alone:
        raise ReportError(
            f"the coordinate columns of {published.name} (all but mean, std, n) and {measured.name} (all but value, "
            f"split) must be the same, and {' and '.join(alone)}: add, rename or remove columns"
        )


def _refuse_doubles(
    published: SourceTable, columns: Sequence[str], cells: Sequence[tuple[SourceLine, PublishedEntry]]
) -> None:
    seen: set[CellKey] = set()
    doubles = []
    for line, entry in cells:
        if entry.coordinates in seen:
            doubles.append((line.at, entry.coordinates))
        seen.add(entry.coordinates)
    if doubles:
        count = plural(len(doubles), "cell is", "cells are")
        raise ReportError(
            f"{published.name}: {count} there before, {_named(columns, doubles)}: keep one line a cell, or add a "
            "column that tells them apart"
        )


def _named(columns: Sequence[str], lines: Sequence[tuple[str, CellKey]]) -> str:
    named = "; ".join(f"{at} ({_quoted_label(columns, coordinates)})" for at, coordinates in lines[:_NAMED])
    return f"{named}; and {len(lines) - _NAMED} more" if len(lines) > _NAMED else named


def _quoted_label(columns: Sequence[str], coordinates: Sequence[str]) -> str:
    """As `place_label`, with every blank and every letter that looks like another one to be seen."""
    plain = [text if text.isascii() and text == text.strip() else ascii(text) for text in coordinates]
    return place_label(columns, plain)


def _coordinates(line: SourceLine, columns: Sequence[str]) -> CellKey:
    return tuple(line.texts[column] for column in columns)


def _published_entry(table: SourceTable, line: SourceLine, columns: Sequence[str]) -> PublishedEntry:
    mean_text, std_text, n_text = (line.texts.get(name, "").strip() for name in _PUBLISHED)
    mean, std = _number(table, line, "mean"), _number(table, line, "std") if std_text else None
    if std is not None and std < 0:
        raise ReportError(f"{table.name}: {line.at}, column std: '{std_text}' is below 0: give a standard deviation")
    runs = _number(table, line, "n") if n_text else float(UNKNOWN_RUNS)
    if not 1 <= runs <= MOST_RUNS or not runs.is_integer():
        raise ReportError(
            f"{table.name}: {line.at}, column n: '{n_text}' is no number of runs: give a whole number from 1 to "
            f"{MOST_RUNS:,}, or leave it empty"
        )
    return PublishedEntry(_coordinates(line, columns), mean_text, std_text, mean, std, int(runs), bool(n_text))


def _measured_run(table: SourceTable, line: SourceLine) -> MeasuredRun:
    split = line.texts["split"].strip() if "split" in line.texts else None
    if split == "":
        raise ReportError(f"{table.name}: {line.at}, column split: it is empty: name the split of each run")
    return MeasuredRun(_number(table, line, "value"), split)


def _number(table: SourceTable, line: SourceLine, column: str) -> float:
    text = line.texts[column].strip()
    what = f"{table.name}: {line.at}, column {column}: '{text}'"
    if not text:
        raise ReportError(f"{table.name}: {line.at}, column {column}: it is empty: give a number, or remove the line")
    if _NUMBER.fullmatch(text) is None:
        finite = text.lower().lstrip("+-") not in {"nan", "inf", "infinity"}
        problem = "is no number" if finite else "is not finite"
        raise ReportError(f"{what} {problem}: give a number, its decimals after a point")
    number = float(text)
    if not isfinite(number) or abs(number) > LARGEST:
        raise ReportError(f"{what} is larger than {LARGEST:g}: give the numbers in another unit")
    power = text.lower().partition("e")[2]
    if len(power) > _POWER_DIGITS or abs(int(power or 0)) > MOST_EXPONENT:
        raise ReportError(f"{what} has a power of ten beyond {MOST_EXPONENT}: give the numbers in another unit")
    return number
