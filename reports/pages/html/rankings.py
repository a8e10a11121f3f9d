"""Methods against each other on the rows of a table: critical-difference diagrams and matrices of wins."""

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from protocols.text import plural
from reports.pages.html.model import RankChart
from reports.pages.html.svg import AxisScale, svg_circle, svg_picture, svg_segments, svg_text
from reports.stats.friedman import LEAST_ROWS, RankComparison, compare_ranks, level_groups
from reports.tables.groups import leaf_cells, ranking_conditions, unprinted_cells
from reports.tables.table import Cell, Table

RANKS_REMARK = (
    "Mean ranks over the rows that all of these methods have, 1 is best. Methods joined by a bar are not told apart: "
    "their mean ranks differ by less than Nemenyi's critical difference at 0.05 (Demsar 2006)."
)
_WIDTH = 620
_LONGEST_NAME = 44
_CHARACTER = 6.2
"""Width of a character of a name, estimated from above."""


def rank_charts(table: Table) -> tuple[RankChart, ...]:
    """A chart for each block of the table (such as a number of shots): of our means, and of the published ones."""
    if "method" not in table.layout.entry.coordinates or not table.value.is_auroc:
        return ()
    return tuple(_charts(table))


def _charts(table: Table) -> Iterator[RankChart]:
    labels = [name for name in table.layout.groups if name != "method"]
    blocks: dict[tuple[str, ...], list[Cell]] = {}
    leaves = {tuple(cell.coordinates.items()) for cell in (*leaf_cells(table), *unprinted_cells(table))}
    for cell in table.cells:
        if tuple(cell.coordinates.items()) in leaves and not (cell.source and cell.source.history):
            blocks.setdefault(tuple(cell.coordinates[name] for name in labels), []).append(cell)
    common = [cell for values, cells in blocks.items() if len(blocks) > 1 and "" in values for cell in cells]
    for values, cells in blocks.items():
        if len(blocks) > 1 and "" in values:
            continue
        title = ", ".join(table.label(*pair) for pair in zip(labels, values, strict=True))
        for side in ("ours", "published"):
            if side == "published" and table.show == "measured":
                continue
            chart = _chart(table, [*common, *cells], side, title, labels)
            if chart:
                yield chart


def _chart(table: Table, cells: Sequence[Cell], side: str, title: str, labels: Sequence[str]) -> RankChart | None:
    values: dict[str, dict[tuple[str, ...], float]] = {}
    conditions: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for cell in cells:
        value = cell.published if side == "published" else None if cell.verdict.name == "stale" else cell.measured
        if value is not None:
            row = tuple(text for name, text in cell.coordinates.items() if name not in {"method", *labels})
            values.setdefault(cell.coordinates["method"], {})[row] = value.mean
            alike = ranking_conditions(cell.measured) if side == "ours" and cell.measured else ()
            conditions.setdefault(row, set()).add(alike)
    shared = set.intersection(*map(set, values.values())) if values else set()
    rows = sorted(row for row in shared if len(conditions[row]) == 1)
    if len(values) < 2 or len(rows) < 2:
        return None
    compared = compare_ranks([[of_method[row] for of_method in values.values()] for row in rows])
    methods = [table.label("method", method) for method in values]
    order = sorted(range(len(methods)), key=lambda index: (compared.ranks[index], methods[index]))
    named = [methods[index] for index in order]
    ranks = [compared.ranks[index] for index in order]
    heading = f"{'Our means' if side == 'ours' else 'Published means'}{f', {title}' if title else ''}"
    sentence = (
        f"{heading}: {plural(len(methods), 'method')} on {plural(compared.rows, 'row')}; {_p_text(compared.p_value)}; "
        f"critical difference {compared.critical:.2f} ranks."
    )
    return RankChart(
        title=heading,
        picture=_draw(named, ranks, compared, sentence),
        sentence=sentence,
        methods=tuple(named),
        ranks=tuple(f"{rank:.2f}" for rank in ranks),
        wins=tuple(
            tuple("" if first == second else f"{compared.wins[first][second]:g}" for second in order) for first in order
        ),
    )


def _p_text(p_value: float | None) -> str:
    if p_value is None:
        return f"fewer than {LEAST_ROWS} rows, too few for a test that all are equal"
    number = "below 0.001" if p_value < 0.001 else f"{p_value:.3f}"
    return f"Friedman's test that all are equal gives p {number}"


def _draw(names: Sequence[str], ranks: Sequence[float], compared: RankComparison, sentence: str) -> Markup:
    """A line a method in the order of the ranks, and a bar over each set of methods that are not told apart."""
    spans = level_groups(ranks, compared.critical)
    short_names = [name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…" for name in names]
    label_end = max(60.0, _CHARACTER * max(map(len, short_names)))
    x = AxisScale(1, len(names), label_end + 18, _WIDTH - 40)
    top, step = 46 + 7 * len(spans), 22
    bottom = top + step * len(names) - 8
    parts = [
        svg_segments([((x(rank), 26.0), (x(rank), float(bottom))) for rank in range(1, len(names) + 1)], "grid"),
        *(svg_text(x(rank), 18, str(rank), "middle") for rank in range(1, len(names) + 1)),
        *(
            svg_segments([((x(low) - 4, 34.0 + 7 * number), (x(high) + 4, 34.0 + 7 * number))], "level")
            for number, (low, high) in enumerate(spans)
        ),
    ]
    for number, (name, rank) in enumerate(zip(short_names, ranks, strict=True)):
        y = top + step * number
        parts += [
            svg_segments([((label_end + 8, float(y)), (x(rank), float(y)))], "lead"),
            svg_circle(x(rank), y, 4, "ours"),
            svg_text(label_end, y + 4, name, "end"),
            svg_text(x(rank) + 9, y + 4, f"{rank:.2f}"),
        ]
    return svg_picture(_WIDTH, bottom + 8, parts, sentence, "plot wide")
