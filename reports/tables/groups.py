"""Verdicts on a method in a table: its comparable cells together, and what they would count if all were equal."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from protocols.coordinates import COORDINATE_FIELDS
from reports.stats.expected import expected_by_digits
from reports.stats.friedman import row_ranks
from reports.stats.table_verdict import CellDifference, TableVerdict, table_verdict
from reports.stats.verdict import VerdictName
from reports.tables.judging import cell_difference, cell_samples, printed_half_unit
from reports.tables.table import Cell, Table

NOT_COMPARABLE = "not_comparable"
PLACE_COORDINATES = {"protocol", "dataset", "metric", *COORDINATE_FIELDS} - {"source_dataset"}
"""Coordinates whose values stand under one heading each: cells that differ in them do not compete."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Mean rank (1 is best) and rows won among `methods` methods on `rows` rows, ours and the paper's."""

    rank: float
    published_rank: float
    wins: float
    published_wins: float
    methods: int
    rows: int


@dataclass(frozen=True, slots=True)
class TableGroup:
    """Cells of a table that are judged together, by the coordinates that name them.

    judged: None where no cell is comparable. cells: leaf cells that the paper prints; measured: those of them that we
    have; left_out: comparable ones without a spread on either side. counts, expected: verdicts of the comparable cells,
    and what they would count if everything were equal. borrowed: cells with one run, which take the published std.
    """

    coordinates: Mapping[str, str]
    judged: TableVerdict | None
    cells: int
    measured: int
    left_out: int
    borrowed: int
    counts: Mapping[VerdictName, int]
    expected: Mapping[VerdictName, float]
    ranking: Ranking | None


def table_groups(table: Table) -> list[TableGroup]:
    """The groups of a table that have a measured leaf cell, in the order of the table."""
    groups: dict[tuple[tuple[str, str], ...], list[Cell]] = {}
    for cell in leaf_cells(table):
        groups.setdefault(group_of(table, cell), []).append(cell)
    rankings = _rankings(table, [cell for cells in groups.values() for cell in cells])
    return [
        _group(table, dict(names), cells, rankings.get(names))
        for names, cells in groups.items()
        if any(cell.measured for cell in cells)
    ]


def group_of(table: Table, cell: Cell) -> tuple[tuple[str, str], ...]:
    """The coordinates that name the group of a cell."""
    return tuple((name, cell.coordinates[name]) for name in table.layout.groups)


def leaf_cells(table: Table) -> list[Cell]:
    """Published cells that hold an AUC and are no mean of other printed ones."""
    leaves = table.layout.leaves
    return [
        cell
        for cell in (*table.cells, *table.left_out)
        if cell.published and tuple(cell.coordinates.items()) in leaves and not (cell.source and cell.source.history)
    ]


def is_comparable(cell: Cell) -> bool:
    """True for a measured cell of today that stands beside the paper's number."""
    return bool(cell.published and cell.measured and cell.verdict.comparison and cell.verdict.name != NOT_COMPARABLE)


def differences(table: Table, cells: Iterable[Cell]) -> list[CellDifference]:
    """Differences of measured cells that have known errors; cells that share a fit are marked as such."""
    chosen = [(cell, cell.published, cell.measured) for cell in cells]
    clusters = shared_fits([measured.fits if measured else frozenset() for *_, measured in chosen])
    made = [
        cell_difference(table.layout, published, measured, cluster)
        for (_, published, measured), cluster in zip(chosen, clusters, strict=True)
        if published and measured
    ]
    return [difference for difference in made if difference]


def shared_fits(fits: Sequence[frozenset[str]]) -> list[str]:
    """The name of each cell's cluster: cells that share a fit, directly or by way of others, are in one."""
    clusters: list[tuple[set[str], list[int]]] = []
    for index, keys in enumerate(fits):
        joined, members = set(keys), [index]
        rest = []
        for cluster in clusters:
            if cluster[0].isdisjoint(keys):
                rest.append(cluster)
            else:
                joined |= cluster[0]
                members = [*cluster[1], *members]
        clusters = [*rest, (joined, members)]
    names = {index: str(members[0]) for _, members in clusters for index in members}
    return [names[index] for index in range(len(fits))]


def _group(table: Table, names: Mapping[str, str], cells: Sequence[Cell], ranking: Ranking | None) -> TableGroup:
    comparable = [cell for cell in cells if is_comparable(cell)]
    known = differences(table, comparable)
    samples = [
        (printed_half_unit(cell.published), cell_samples(table.layout, cell.published, cell.measured))
        for cell in comparable
        if cell.published and cell.measured
    ]
    margin = table.margin * table.layout.scale
    return TableGroup(
        coordinates=names,
        judged=table_verdict(known, margin) if known else None,
        cells=len(cells),
        measured=sum(cell.measured is not None for cell in cells),
        left_out=len(comparable) - len(known),
        borrowed=sum(not ours.has_spread and theirs.has_spread for _, (theirs, ours) in samples),
        counts=Counter(cell.verdict.comparison.verdict for cell in comparable if cell.verdict.comparison),
        expected=expected_by_digits(samples, margin) if samples else {},
        ranking=ranking,
    )


def _rankings(table: Table, cells: Sequence[Cell]) -> dict[tuple[tuple[str, str], ...], Ranking]:
    """Ranks of each group among those that differ from it in the method alone, on the rows that all of them have."""
    if "method" not in table.layout.groups or not table.value.is_auroc:
        return {}
    blocks: dict[tuple[tuple[str, str], ...], dict[tuple[tuple[str, str], ...], dict[tuple[str, ...], Cell]]] = {}
    for cell in cells:
        if is_comparable(cell):
            names = group_of(table, cell)
            block = tuple(pair for pair in names if pair[0] != "method")
            row = tuple(value for name, value in cell.coordinates.items() if name != "method")
            blocks.setdefault(block, {}).setdefault(names, {})[row] = cell
    return {names: ranking for groups in blocks.values() for names, ranking in _block_rankings(groups)}


def _block_rankings(
    groups: Mapping[tuple[tuple[str, str], ...], Mapping[tuple[str, ...], Cell]],
) -> Iterator[tuple[tuple[tuple[str, str], ...], Ranking]]:
    rows = set.intersection(*(set(cells) for cells in groups.values()))
    if len(groups) < 2 or not rows:
        return
    ours, theirs = (
        [row_ranks([_value(cells[row], published=published) for cells in groups.values()]) for row in sorted(rows)]
        for published in (False, True)
    )
    for index, names in enumerate(groups):
        yield (
            names,
            Ranking(
                rank=fmean(ranks[index] for ranks in ours),
                published_rank=fmean(ranks[index] for ranks in theirs),
                wins=sum(_won(ranks, index) for ranks in ours),
                published_wins=sum(_won(ranks, index) for ranks in theirs),
                methods=len(groups),
                rows=len(rows),
            ),
        )


def _value(cell: Cell, *, published: bool) -> float:
    side = cell.published if published else cell.measured
    if side is None:
        raise ValueError("a rank needs a value")
    return side.mean


def _won(ranks: Sequence[float], index: int) -> float:
    """1 for the best of a row, a part of it where several are best."""
    best = min(ranks)
    return 1 / ranks.count(best) if ranks[index] == best else 0.0


def row_places(table: Table, cells: Sequence[Cell], *, published: bool) -> dict[int, int]:
    """1 for the best value among those that are printed beside each other, 2 for the next, by the index of the cell.

    Beside each other stand the cells of one block that differ in the method, its parameters or its source dataset
    alone. Values count as they are printed, so equal ones share a place; fewer than three have no second.
    """
    entry, decimals = table.layout.entry, table.layout.paper.decimals
    fixed = [name for name in (*entry.rows, *entry.columns) if name in PLACE_COORDINATES]
    rivals: dict[tuple[str, ...], dict[int, float]] = {}
    for index, cell in enumerate(cells):
        if cell.published if published else cell.measured:
            names = tuple(cell.coordinates[name] for name in fixed)
            rivals.setdefault(names, {})[index] = round(_value(cell, published=published), decimals)
    places: dict[int, int] = {}
    for names, values in rivals.items():
        is_lower = dict(zip(fixed, names, strict=True)).get("metric") in entry.lower_is_better
        best = sorted(set(values.values()), reverse=not (is_lower or table.value.metric.better == "lower"))
        seconds = best[1:2] if len(values) > 2 else []
        if len(values) > 1:
            places |= {index: 1 for index, value in values.items() if value == best[0]}
            places |= {index: 2 for index, value in values.items() if value in seconds}
    return places
