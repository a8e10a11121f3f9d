"""Two tables of texts as they come, from CSV files or from rows of Python, and what is wrong with them."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from protocols.text import near_miss, plural
from reports.errors import ReportError

SEPARATORS = {";": "semicolons", "\t": "tabs"}
MISSING_NUMBERS = {"nan", "<NA>"}
"""Texts of what a data frame has where there is no number."""


class SourceLine(NamedTuple):
    """A line of a table: its texts by column, and where it stands, such as `line 4`."""

    at: str
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SourceTable:
    """A table of texts; `name` is what messages call it."""

    name: str
    columns: tuple[str, ...]
    lines: tuple[SourceLine, ...]

    def need(self, column: str) -> None:
        """Raises ReportError where the table has no such column."""
        if column not in self.columns:
            hint = near_miss(column, self.columns, "its first line must name it")
            raise ReportError(f"{self.name} has no column {column}: {hint}")


def read_source(file: Path) -> SourceTable:
    """A CSV file, separated by commas, in UTF-8 with or without a mark at its start.

    Raises:
        ReportError: the file cannot be read, is no such file, or a line has another number of values than the first.
    """
    rows = _rows(file)
    if not rows:
        raise ReportError(f"{file} is empty: its first line must name the columns")
    columns = _columns(str(file), rows[0][1])
    for separator, word in SEPARATORS.items():
        if len(columns) == 1 and separator in columns[0]:
            raise ReportError(f"{file} is separated by {word}: save it with commas")
    for number, row in rows[1:]:
        if len(row) != len(columns):
            raise ReportError(
                f"{file}: line {number} has {plural(len(row), 'value')} for {plural(len(columns), 'column')}: quote "
                "texts that hold commas, and write decimals with a point"
            )
    lines = (SourceLine(f"line {number}", dict(zip(columns, row, strict=True))) for number, row in rows[1:])
    return SourceTable(str(file), columns, tuple(lines))


def source_of_rows(name: str, rows: Any) -> SourceTable:
    """A table of mappings from columns to texts or numbers, or of a data frame; None and NaN are empty.

    Raises:
        ReportError: the rows have not all the same columns.
    """
    mappings = _mappings(name, rows)
    columns = _columns(name, [str(column) for column in getattr(rows, "columns", mappings[0] if mappings else ())])
    lines = []
    for number, mapping in enumerate(mappings, 1):
        texts = {str(column).strip(): _text(value) for column, value in mapping.items()}
        if texts.keys() != set(columns):
            raise ReportError(f"{name}: row {number} has other columns than row 1: give all rows the same")
        lines.append(SourceLine(f"row {number}", texts))
    return SourceTable(name, columns, tuple(lines))


def _rows(file: Path) -> list[tuple[int, list[str]]]:
    """The lines of a CSV file that are not empty, each with the number of its first line in the file."""
    rows, begun = [], 1
    try:
        with file.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.reader(handle, strict=True)
            for row in reader:
                if row:
                    rows.append((begun, row))
                begun = reader.line_num + 1
    except FileNotFoundError:
        raise ReportError(f"{file} is not there: name a CSV file") from None
    except IsADirectoryError:
        raise ReportError(f"{file} is a folder: name a CSV file") from None
    except UnicodeDecodeError:
        raise ReportError(f"{file} is not UTF-8: save it as CSV in UTF-8") from None
    except csv.Error as error:
        raise ReportError(f"{file} is no CSV file ({error} after line {begun - 1}): mend its quotes") from None
    except OSError as error:
        raise ReportError(f"{file} cannot be read ({error.strerror}): name another CSV file") from None
    return rows


def _mappings(name: str, rows: Any) -> Sequence[Mapping[Any, Any]]:
    if hasattr(rows, "to_dicts"):
        rows = rows.to_dicts()
    elif hasattr(rows, "to_dict"):
        rows = rows.to_dict("records")
    mappings: list[Any] = list(rows) if isinstance(rows, Iterable) else [rows]
    if not all(isinstance(row, Mapping) for row in mappings):
        raise ReportError(f"{name} must be rows of columns and values: give a list of dicts or a data frame")
    return mappings


def _text(value: Any) -> str:
    text = "" if value is None else str(value)
    return "" if text in MISSING_NUMBERS and not isinstance(value, str) else text


def _columns(name: str, heading: Sequence[str]) -> tuple[str, ...]:
    columns = tuple(text.strip() for text in heading)
    if len(columns) > 1 and not all(columns):
        raise ReportError(f"{name} has a column without a name: name each in the first line")
    if doubles := [column for number, column in enumerate(columns) if column in columns[:number]]:
        raise ReportError(f"{name} has two columns {doubles[0]}: rename or remove one")
    return columns
