"""A part of a table: the datasets, methods and label budgets that a reader wants to see, judged as the whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from protocols.coordinates import COORDINATE_FIELDS
from protocols.text import near_miss
from reports.errors import ReportError
from reports.tables.table import Cell, Table


@dataclass(frozen=True, slots=True)
class TableFilter:
    """Cells that are shown: of these values of coordinates, each a text, and measured ones alone where asked for."""

    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    measured_only: bool = False


def filter_table(table: Table, chosen: TableFilter) -> Table:
    """The part of a table that a filter leaves; what it hides is still judged.

    Raises:
        ReportError: the table has no such coordinate or value, or nothing is left.
    """
    part = table
    for name, wanted_values in chosen.values.items():
        _check_values(table, name, wanted_values)
        part = part.part({number for number, cell in enumerate(part.cells) if _has_value(cell, name, wanted_values)})
    if not part.cells:
        raise ReportError(f"the selection leaves nothing of {table.title}: leave out a filter")
    if chosen.measured_only:
        part = part.measured_part()
        if not part.cells:
            raise ReportError(
                f"nothing of {table.title} that is asked for is measured: leave out --measured-only or a filter"
            )
    return part


def _check_values(table: Table, name: str, wanted_values: Sequence[str]) -> None:
    heading = name.replace("_", " ")
    known_values = dict.fromkeys(text for cell in table.cells for text in _texts(cell, name) if text)
    if not known_values:
        raise ReportError(f"{table.title} has no {heading} to choose: leave out --{name.replace('_', '-')}")
    for value in wanted_values:
        if value not in known_values:
            more = "; --add METHOD gives a method a column" if name == "method" else ""
            raise ReportError(f"{table.title} has no {heading} '{value}': {near_miss(value, known_values)}{more}")


def _has_value(cell: Cell, name: str, wanted_values: Sequence[str]) -> bool:
    """True too for a cell without label budget: a method that is given no anomalies stands beside those of any."""
    is_unlabelled = name in COORDINATE_FIELDS and COORDINATE_FIELDS[name].role == "labels" and not _texts(cell, name)[0]
    return is_unlabelled or not set(wanted_values).isdisjoint(_texts(cell, name))


def _texts(cell: Cell, name: str) -> tuple[str, ...]:
    """Names of the value of a coordinate: of a method as printed, and that of what measures it."""
    text = cell.coordinates.get(name, "")
    return (text, cell.source.method) if name == "method" and cell.source else (text,)
