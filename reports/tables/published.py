"""The published numbers as they are printed, cell by cell, with the audit notes that belong to them."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from io import StringIO
from typing import Literal

Unit = Literal["fraction", "percent"]
Transcription = Literal["exact", "restored", "inferred"]
Coordinates = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Value:
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
class Place:
    """One line of a published file; `value` is None where the paper prints a dash."""

    coordinates: Coordinates
    value: Value | None


@dataclass(frozen=True, slots=True)
class FactLine:
    """One line of a published file that holds facts, such as counts of images: each a text as printed, by column."""

    coordinates: Coordinates
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


def read(file: str, coordinates: Sequence[str], table: str = "") -> tuple[Place, ...]:
    """The lines of a packaged file in its order, with the named coordinate columns; `table` chooses some of them."""
    return tuple(_place(line, coordinates) for line in _lines(file) if table in {"", line["table"]})


def read_facts(file: str, coordinates: Sequence[str], columns: Sequence[str]) -> tuple[FactLine, ...]:
    """The lines of a packaged file without mean and std: what stands in the named columns."""
    return tuple(
        FactLine(tuple((name, line[name]) for name in coordinates), {name: line[name] for name in columns})
        for line in _lines(file)
    )


def errata(paper: str, table: str) -> tuple[Erratum, ...]:
    """What the audit found about one table."""
    where = ("protocol", "dataset", "known_class", "method", "shots")
    return tuple(
        Erratum(
            paper=line["paper"],
            table=line["table"],
            coordinates={name: line[name] for name in where if line[name]},
            printed=line["printed"],
            expected=line["expected"],
            kind=line["kind"],
            explanation=line["explanation"],
        )
        for line in _lines("errata.csv")
        if (line["paper"], line["table"]) == (paper, table)
    )


def audit() -> str:
    """The audit notes that come with the published files (Markdown)."""
    return (files("reports") / "data" / "AUDIT.md").read_text(encoding="utf-8")


def _place(line: Mapping[str, str], coordinates: Sequence[str]) -> Place:
    where = tuple((name, line[name]) for name in coordinates)
    if not line["mean"]:
        return Place(where, None)
    transcription: Transcription = "exact"
    if line["transcription"] == "restored":
        transcription = "restored"
    elif line["transcription"] == "inferred":
        transcription = "inferred"
    return Place(where, Value(line["mean"], line["std"], line["note"], transcription))


def _lines(file: str) -> list[dict[str, str]]:
    text = (files("reports") / "data" / file).read_text(encoding="utf-8")
    return list(csv.DictReader(StringIO(text, newline="")))
