"""Verdicts on a method in a table: its comparable cells together, and what they would count if all were equal."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from protocols.coordinates import COORDINATE_FIELDS
from reports.layouts.published import CellCoordinates
from reports.stats.expected import expected_by_digits
from reports.stats.friedman import row_ranks
from reports.stats.table_verdict import CellDifference, TableVerdict, table_verdict
from reports.stats.verdict import VerdictName
from reports.tables.judging import cell_difference, cell_samples, printed_half_unit
from reports.tables.measured import Measured, limits_of
from reports.tables.table import Cell, Table

NOT_COMPARABLE = "not_comparable"
PLACE_COORDINATES = {"protocol", "dataset", "metric", *COORDINATE_FIELDS} - {"source_dataset"}
"""Coordinates whose values stand under one heading each: cells that differ in them do not compete."""
GroupNames = tuple[tuple[str, str], ...]
"""The coordinates that name a group."""
RowNames = tuple[tuple[str, str], ...]
"""The coordinates that name a row, without those of its columns."""
_LABELS = {name for name, field in COORDINATE_FIELDS.items() if field.role == "labels"}


@dataclass(frozen=True, slots=True)
class Ranking:
    """Mean rank (1 is best) and rows won among `methods` methods on `rows` rows, ours and the paper's.

    The paper has none of a method that it does not print: that one's rank is among all that are measured with the
    label `budget`, or without one.
    """

    rank: float
    published_rank: float | None
    wins: float
    published_wins: float | None
    methods: int
    rows: int
    budget: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableGroup:
    """Cells of a table that are judged together, by the coordinates that name them.

    judged: None where no cell is comparable. cells: leaf cells that the paper prints; measured: those of them that we
    have. unpublished: measured cells of a method that it does not print, for which `cells` counts rows. left_out:
    comparable ones without a spread on either side. counts, expected: verdicts of the comparable cells, and what they
    would count if everything were equal. borrowed: cells with one run, which take the published std.
    """

    coordinates: Mapping[str, str]
    judged: TableVerdict | None
    cells: int
    measured: int
    unpublished: int
    left_out: int
    borrowed: int
    counts: Mapping[VerdictName, int]
    expected: Mapping[VerdictName, float]
    ranking: Ranking | None


def table_groups(table: Table) -> list[TableGroup]:
    """The groups of a table that have a measured leaf cell and a cell that is shown, in the order of the table."""
    groups: dict[GroupNames, list[Cell]] = {}
    for cell in [*leaf_cells(table), *unprinted_cells(table)]:
        groups.setdefault(group_of(table, cell), []).append(cell)
    shown = {group_of(table, cell) for cell in table.cells}
    rankings = _rankings(table, [cell for cells in groups.values() for cell in cells])
    rankings |= _measured_rankings(table, groups)
    return [
        _group(table, dict(names), cells, rankings.get(names))
        for names, cells in groups.items()
        if names in shown and any(cell.measured for cell in cells)
    ]


def group_of(table: Table, cell: Cell) -> GroupNames:
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


def unprinted_cells(table: Table) -> list[Cell]:
    """Cells of methods that the paper does not print, in the rows of its leaf cells."""
    rows = {_row(dict(at)) for at in table.layout.leaves}
    return [cell for cell in (*table.cells, *table.left_out) if not cell.published and _row(cell.coordinates) in rows]


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


def block_cells(table: Table) -> dict[tuple[str, ...], list[Cell]]:
    """The cells of each printed block; a method without shots stands beside the others in each, as in the papers."""
    by_block: dict[tuple[str, ...], list[Cell]] = {}
    for cell in table.cells:
        by_block.setdefault(tuple(cell.coordinates[name] for name in table.layout.entry.blocks), []).append(cell)
    common = by_block.pop(("",), []) if len(by_block) > 1 else []
    return {values: [*common, *cells] for values, cells in by_block.items()}


def table_places(table: Table) -> dict[CellCoordinates, int]:
    """Places of all measured values; that of a cell in several blocks is its place in the last of them."""
    places = {tuple(cell.coordinates.items()): 0 for cell in table.cells}
    for cells in block_cells(table).values():
        places |= row_places(table, cells, published=False)
    return places


def row_places(table: Table, cells: Iterable[Cell], *, published: bool) -> dict[CellCoordinates, int]:
    """1 for the best value among those that are printed beside each other, 2 for the next.

    Beside each other stand the cells of one block that differ in the method, its parameters or its source dataset
    alone. Values count as they are printed, so equal ones share a place; fewer than three have no second. Of measured
    values those of today count, those on all images before those on equally many.
    """
    entry = table.layout.entry
    fixed = [name for name in (*entry.rows, *entry.columns) if name in PLACE_COORDINATES]
    rivals: dict[tuple[str, ...], list[Cell]] = {}
    for cell in cells:
        if cell.published if published else cell.measured and cell.verdict.name != "stale":
            rivals.setdefault(tuple(cell.coordinates[name] for name in fixed), []).append(cell)
    places: dict[CellCoordinates, int] = {}
    for names, group in rivals.items():
        compared = group if published else _on_equal_images(group)
        values = {
            tuple(cell.coordinates.items()): round(_value(cell, published=published), table.layout.paper.decimals)
            for cell in compared
        }
        is_lower = dict(zip(fixed, names, strict=True)).get("metric") in entry.lower_is_better
        ordered = sorted(set(values.values()), reverse=not (is_lower or table.value.metric.better == "lower"))
        best = ordered[: min(2, max(0, len(values) - 1))]
        places |= {at: best.index(value) + 1 for at, value in values.items() if value in best}
    return places


def _on_equal_images(cells: Sequence[Cell]) -> list[Cell]:
    """The cells measured on all images; where there are none, all if they are on equally many, else none."""
    limits = {tuple(cell.coordinates.items()): limits_of(cell.measured.settings) for cell in cells if cell.measured}
    distinct = {*limits.values()}
    chosen = limits_of({}) if limits_of({}) in distinct else next(iter(distinct)) if len(distinct) == 1 else None
    return [cell for cell in cells if limits[tuple(cell.coordinates.items())] == chosen]


def _group(table: Table, names: Mapping[str, str], cells: Sequence[Cell], ranking: Ranking | None) -> TableGroup:
    comparable = [cell for cell in cells if is_comparable(cell)]
    known = differences(table, comparable)
    samples = [
        (printed_half_unit(cell.published), cell_samples(table.layout, cell.published, cell.measured))
        for cell in comparable
        if cell.published and cell.measured
    ]
    margin = table.margin * table.layout.scale
    unpublished = sum(bool(cell.measured and not cell.published) for cell in cells)
    return TableGroup(
        coordinates=names,
        judged=table_verdict(known, margin) if known else None,
        cells=len(_rows_of(table, names)) if unpublished else len(cells),
        measured=sum(cell.measured is not None for cell in cells),
        unpublished=unpublished,
        left_out=len(comparable) - len(known),
        borrowed=sum(not ours.has_spread and theirs.has_spread for _, (theirs, ours) in samples),
        counts=Counter(cell.verdict.comparison.verdict for cell in comparable if cell.verdict.comparison),
        expected=expected_by_digits(samples, margin) if samples else {},
        ranking=ranking,
    )


def _rankings(table: Table, cells: Sequence[Cell]) -> dict[GroupNames, Ranking]:
    """Ranks of each group among those that differ from it in the method alone, on the rows that all of them have."""
    if "method" not in table.layout.groups or not table.value.is_auroc:
        return {}
    blocks: dict[GroupNames, dict[GroupNames, dict[tuple[str, ...], Cell]]] = {}
    for cell in cells:
        if is_comparable(cell):
            names = group_of(table, cell)
            block = tuple(pair for pair in names if pair[0] != "method")
            row = tuple(value for name, value in cell.coordinates.items() if name != "method")
            blocks.setdefault(block, {}).setdefault(names, {})[row] = cell
    return {names: ranking for groups in blocks.values() for names, ranking in _block_rankings(groups)}


def _measured_rankings(table: Table, groups: Mapping[GroupNames, Sequence[Cell]]) -> dict[GroupNames, Ranking]:
    """Ranks of the groups without published values, among all methods with as many labelled anomalies, or with none.

    On the rows that all of them have, of one recipe and on equally many images. A method that is given no anomalies
    stands among those with the most.
    """
    if "method" not in table.layout.groups:
        return {}
    measured = {names: column for names, cells in groups.items() if (column := _usable(cells))}
    most = max(map(_budget, measured), key=lambda budget: [(len(text), text) for _, text in budget], default=())
    rankings: dict[GroupNames, Ranking] = {}
    for names in measured:
        budget = _budget(names) if any(text for _, text in _budget(names)) else most
        columns = {other: column for other, column in measured.items() if _is_rival(names, other, budget)}
        if not any(cell.published for cell in groups[names]) and len(columns) > 1:
            ranking = _measured_ranking(list(columns.values()), list(columns).index(names), budget)
            rankings |= {names: ranking} if ranking else {}
    return rankings


def _measured_ranking(columns: Sequence[Mapping[RowNames, Measured]], at: int, budget: GroupNames) -> Ranking | None:
    """The rank of one column of several; None where they share no row."""
    shared = set.intersection(*map(set, columns))
    rows = [row for row in sorted(shared) if len({ranking_conditions(column[row]) for column in columns}) == 1]
    ranks = [row_ranks([column[row].mean for column in columns]) for row in rows]
    if not ranks:
        return None
    mean_rank, wins = fmean(of_row[at] for of_row in ranks), sum(_won(of_row, at) for of_row in ranks)
    return Ranking(mean_rank, None, wins, None, len(columns), len(rows), dict(budget))


def ranking_conditions(measured: Measured) -> tuple[str, ...]:
    """Conditions that have to be alike in values that are ranked: the recipe, and the limits of a smoke test."""
    return measured.recipe, *limits_of(measured.settings)


def _budget(names: GroupNames) -> GroupNames:
    return tuple((name, text) for name, text in names if name in _LABELS)


def _is_rival(names: GroupNames, others: GroupNames, budget: GroupNames) -> bool:
    """True for a group that differs in the method alone and has this label budget, or none."""
    alike = {"method", *_LABELS}
    rest, other_rest = ([pair for pair in group if pair[0] not in alike] for group in (names, others))
    return rest == other_rest and (_budget(others) == budget or not any(text for _, text in _budget(others)))


def _usable(cells: Iterable[Cell]) -> dict[RowNames, Measured]:
    """Measured values of today, by row."""
    return {_row(cell.coordinates): cell.measured for cell in cells if cell.measured and cell.verdict.name != "stale"}


def _rows_of(table: Table, names: Mapping[str, str]) -> set[RowNames]:
    """The rows of leaf cells that a group may have."""
    rows = {_row(dict(at)) for at in table.layout.leaves}
    return {row for row in rows if all(names.get(name, value) == value for name, value in row)}


def _row(coordinates: Mapping[str, str]) -> RowNames:
    return tuple((name, value) for name, value in coordinates.items() if name != "method" and name not in _LABELS)


def _block_rankings(
    groups: Mapping[GroupNames, Mapping[tuple[str, ...], Cell]],
) -> Iterator[tuple[GroupNames, Ranking]]:
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
