"""The columns of a suite's table against one of them: a paired test in each cell that has partners."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from protocols.text import near_miss
from reports.comparison.methods import MethodComparison, compare_methods
from reports.comparison.pairing import LISTS_ALIKE, ScoresOf
from reports.errors import ReportError
from reports.layouts.published import CellCoordinates
from reports.layouts.suite import MEAN_ROW
from reports.stats.paired import PairedTest, holm_corrected
from reports.tables.judging import Baseline
from reports.tables.lookup import MeasuredIds
from reports.tables.measured import Stale
from reports.tables.table import Cell, Table
from results.record import Record


def with_baseline(
    table: Table,
    baseline: str,
    records: Iterable[Record],
    *,
    measures: MeasuredIds,
    versions: Mapping[str, int],
    stale: Stale,
    scores: ScoresOf,
    alone: Collection[str],
) -> Table:
    """The table with every other column tested against that of `baseline`, on the runs that the table shows.

    See `compare_methods` for the arguments.

    Raises:
        ReportError: the table has no such column, or no cell of another has a partner.
    """
    columns = list(dict.fromkeys(cell.coordinates["method"] for cell in table.cells if cell.measured))
    if baseline not in columns:
        raise ReportError(f"--baseline {baseline}: no measured column of {table.title}: {near_miss(baseline, columns)}")
    series = {name for cell in table.cells if cell.measured for name in cell.measured.series}
    shown_records = [record for record in records if record.series in series]
    cells: dict[CellCoordinates, PairedTest] = {}
    means: dict[CellCoordinates, PairedTest] = {}
    for column in columns:
        if column != baseline:
            comparison = compare_methods(
                column,
                baseline,
                shown_records,
                measures=measures,
                versions=versions,
                stale=stale,
                scores=scores,
                alone=alone,
                value=table.value,
            )
            for cell in table.cells:
                if cell.coordinates["method"] == column and cell.measured:
                    tests = means if cell.coordinates["dataset"] == MEAN_ROW else cells
                    tests |= _test_of(table, cell, comparison)
    if not cells:
        raise ReportError(f"--baseline {baseline}: no other column of {table.title} has runs on the same test images")
    corrected = {
        at: test
        for tests in (cells, means)
        for at, test in zip(tests, holm_corrected(list(tests.values())), strict=True)
    }
    return replace(table, baseline=Baseline(baseline, corrected))


def _test_of(table: Table, cell: Cell, comparison: MethodComparison) -> dict[CellCoordinates, PairedTest]:
    """The test of a cell by its coordinates; of a mean over datasets that over these.

    A cell without label budget takes that with the most labelled anomalies.
    """
    at = tuple(cell.coordinates.items())
    subsets = table.layout.subsets(cell.coordinates)
    if cell.coordinates["dataset"] == MEAN_ROW:
        families = [
            family.test
            for family in comparison.families
            if _is_rule(cell, family.rule) and _agrees(subsets[0].coordinates, _texts(family.labels))
        ]
        return {at: families[-1]} if families else {}
    if len(subsets) > 1:
        return {}
    settings = [
        setting.test
        for setting in comparison.settings
        if _is_rule(cell, setting.split.rule)
        and setting.split.dataset.partition("@")[0] == subsets[0].coordinates["dataset"]
        and _agrees(subsets[0].coordinates, setting.split.coordinate_texts)
    ]
    return {at: settings[-1]} if settings else {}


def _is_rule(cell: Cell, rule: str) -> bool:
    return bool(cell.source and cell.source.rule in {rule, LISTS_ALIKE.get(rule)})


def _texts(values: Mapping[str, object]) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in values.items()}


def _agrees(at: Mapping[str, str], texts: Mapping[str, str]) -> bool:
    """True where all coordinates that a cell has are those of a split."""
    return all(not at.get(name) or at[name] == text for name, text in texts.items())
