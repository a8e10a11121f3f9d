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


class SubsetFinder:
    """The splits behind the cells of a table or figure; `cells` are those of `entry`."""

    def __init__(self, paper: Paper, entry: TableEntry, cells: Sequence[PublishedCell]) -> None:
        self._paper = paper
        self._entry = entry
        self._cells = cells
        self._values: dict[int, dict[tuple[str, ...], list[str]]] = {}

    def find(self, coordinates: Mapping[str, str]) -> list[CellSubset]:
        """The splits behind the cell at these coordinates.

        Raises:
            KeyError: a mean is taken over the classes of a dataset that the paper's `classes` lack.
        """
        for number, rule in enumerate(self._entry.means):
            if rule.when.items() <= coordinates.items():
                values = self._averaged(number, rule, coordinates)
                parts = [{**coordinates, rule.over: value} for value in values]
                nested = [self.find(part) if rule.group else [CellSubset(part, 1.0)] for part in parts]
                return [
                    CellSubset(subset.coordinates, subset.share / len(parts))
                    for subsets in nested
                    for subset in subsets
                ]
        return [CellSubset(dict(coordinates), 1.0)]

    def _averaged(self, number: int, rule: MeanRule, coordinates: Mapping[str, str]) -> Sequence[str]:
        """The values of the coordinate that a mean is taken over, of the rule of this number."""
        if rule.group:
            return self._paper.groups[rule.group]
        if rule.over == "normal_class":
            return [str(index) for index in range(self._paper.classes[coordinates["dataset"]])]
        others = [name for name in self._entry.rows if name != rule.over]
        if number not in self._values:
            self._values[number] = self._printed_values(rule, others)
        return self._values[number].get(tuple(coordinates[name] for name in others), [])

    def _printed_values(self, rule: MeanRule, others: Sequence[str]) -> dict[tuple[str, ...], list[str]]:
        """The values that the rule's table prints beside those of the other coordinates of a row."""
        values: dict[tuple[str, ...], dict[str, None]] = {}
        for cell in entry_cells(self._paper, self._paper.tables[rule.of]) if rule.of else self._cells:
            at = dict(cell.coordinates)
            if not rule.when.items() <= at.items() and at.keys() >= {*others}:
                values.setdefault(tuple(at[name] for name in others), {})[at[rule.over]] = None
        return {at: list(printed) for at, printed in values.items()}
