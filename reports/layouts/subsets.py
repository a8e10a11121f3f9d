"""Splits behind a printed cell: one, or for a mean one a subset."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from reports.layouts.paper import MeanRule, Paper, TableEntry
from reports.layouts.published import PublishedCell, read_cells


class CellSubset(NamedTuple):
    """One of the splits behind a cell, and its share of the cell's mean."""

    coordinates: dict[str, str]
    share: float


def entry_cells(paper: Paper, entry: TableEntry) -> tuple[PublishedCell, ...]:
    """The published cells of a table or figure; raises ReportError where its file does not have them."""
    return read_cells(Path(paper.folder, entry.file), entry.coordinates, entry.lines)


def cell_subsets(
    paper: Paper, entry: TableEntry, cells: Sequence[PublishedCell], coordinates: Mapping[str, str]
) -> list[CellSubset]:
    """The splits behind the cell at these coordinates; `cells` are those of the entry.

    Raises:
        KeyError: a mean is taken over the classes of a dataset that the paper's `classes` lack.
    """
    for rule in entry.means:
        if rule.when.items() <= coordinates.items():
            values = _subset_values(paper, entry, cells, rule, coordinates)
            parts = [{**coordinates, rule.over: value} for value in values]
            nested = [
                cell_subsets(paper, entry, cells, part) if rule.group else [CellSubset(part, 1.0)] for part in parts
            ]
            return [
                CellSubset(subset.coordinates, subset.share / len(parts)) for subsets in nested for subset in subsets
            ]
    return [CellSubset(dict(coordinates), 1.0)]


def _subset_values(
    paper: Paper, entry: TableEntry, cells: Sequence[PublishedCell], rule: MeanRule, coordinates: Mapping[str, str]
) -> Sequence[str]:
    """The values of the coordinate that a mean is taken over."""
    if rule.group:
        return paper.groups[rule.group]
    if rule.over == "normal_class":
        return [str(index) for index in range(paper.classes[coordinates["dataset"]])]
    others = {name: coordinates[name] for name in entry.rows if name != rule.over}
    lines = [dict(cell.coordinates) for cell in (entry_cells(paper, paper.tables[rule.of]) if rule.of else cells)]
    values = [at[rule.over] for at in lines if others.items() <= at.items() and not rule.when.items() <= at.items()]
    return list(dict.fromkeys(values))
