"""The published numbers as they are printed, cell by cell, with the audit notes that belong to them."""

import csv
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Literal

from reports.errors import ReportError

Unit = Literal["fraction", "percent"]
Transcription = Literal["exact", "restored", "inferred"]
CellCoordinates = tuple[tuple[str, str], ...]

_OF_ERRATUM = ("paper", "table", "printed", "expected", "kind", "explanation")


@dataclass(frozen=True, slots=True)
class PublishedValue:
    """One printed value: texts as printed (`std_text` is empty where the paper prints none) and as numbers.

    `transcription` is `exact`, `restored` (lost in one source, taken from another) or `inferred` (by elimination).
    """

    mean_text: str
    std_text: str
    note: str
    transcription: Transcription

    @property
    def mean(self) -> float:
        return float(self.mean_text)

    @property
    def std(self) -> float | None:
        return float(self.std_text) if self.std_text else None


@dataclass(frozen=True, slots=True)
class PublishedCell:
    """One line of a published file; `value` is None where the paper prints a dash."""

    coordinates: CellCoordinates
    value: PublishedValue | None


@dataclass(frozen=True, slots=True)
class FactLine:
    """One line of a published file that holds facts, such as counts of images: each a text as printed, by column."""

    coordinates: CellCoordinates
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Erratum:
    """One doubt of the audit: what is printed, what is expected, and why. Coordinates may be empty (all of them)."""

    paper: str
    table: str
    coordinates: Mapping[str, str]
    printed: str
    expected: str
    kind: str
    explanation: str


def read_cells(file: Path, coordinates: Sequence[str], table: str = "") -> tuple[PublishedCell, ...]:
    """Lines of a published file in its order, with the named coordinate columns; `table` chooses some of them.

    Raises:
        ReportError: the file cannot be read, lacks a column, or a value in it is no number.
    """
    lines = _read_lines(file, [*coordinates, "mean", *(["table"] if table else [])])
    return tuple(_published_cell(line, coordinates, file.name) for line in lines if table in {"", line.get("table")})


def read_facts(file: Path, coordinates: Sequence[str], columns: Sequence[str]) -> tuple[FactLine, ...]:
    """Lines of a published file without mean and std: what stands in the named columns.

    Raises:
        ReportError: the file cannot be read, or lacks a column.
    """
    return tuple(
        FactLine(tuple((name, line[name]) for name in coordinates), {name: line[name] for name in columns})
        for line in _read_lines(file, [*coordinates, *columns])
    )


def read_errata(folder: Path, paper: str, table: str) -> tuple[Erratum, ...]:
    """Doubts of the audit about one table: lines of `errata.csv` in the paper's folder, if it has this file.

    Columns besides those of an erratum are coordinates.

    Raises:
        ReportError: the file cannot be read, or lacks a column.
    """
    file = folder / "errata.csv"
    return tuple(
        Erratum(
            paper=paper,
            table=line["table"],
            coordinates={name: text for name, text in line.items() if text and name not in _OF_ERRATUM},
            printed=line["printed"],
            expected=line["expected"],
            kind=line["kind"],
            explanation=line["explanation"],
        )
        for line in (_read_lines(file, _OF_ERRATUM) if file.exists() else ())
        if line["table"] == table
    )


def _published_cell(line: Mapping[str, str], coordinates: Sequence[str], file: str) -> PublishedCell:
    at = tuple((name, line[name]) for name in coordinates)
    if not line["mean"]:
        return PublishedCell(at, None)
    for text in filter(None, (line["mean"], line.get("std"))):
        if not _is_finite(text):
            raise ReportError(f"{file}: '{text}' of {', '.join(filter(None, dict(at).values()))} is no number")
    transcription: Transcription = "exact"
    if line.get("transcription") == "restored":
        transcription = "restored"
    elif line.get("transcription") == "inferred":
        transcription = "inferred"
    return PublishedCell(at, PublishedValue(line["mean"], line.get("std", ""), line.get("note", ""), transcription))


def _is_finite(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False


def _read_lines(file: Path, columns: Collection[str]) -> list[dict[str, str]]:
    """Lines of a CSV file as texts by column; it has at least these columns."""
    try:
        with file.open(encoding="utf-8", newline="") as handle:
            reader = csv.reader(handle)
            heading = next(reader, [])
            rows = [(reader.line_num, row) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ReportError(f"{file.name} cannot be read: {error}") from error
    lacking = [name for name in columns if name not in heading]
    if lacking:
        raise ReportError(f"{file.name} has no column {', '.join(lacking)}: its first line names them")
    for number, row in rows:
        if len(row) != len(heading):
            raise ReportError(f"{file.name}: line {number} has {len(row)} values for {len(heading)} columns")
    return [dict(zip(heading, row, strict=True)) for _, row in rows]
