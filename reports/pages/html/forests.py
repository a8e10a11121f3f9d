"""Forest plots: for each data set its measured cells on one axis, published values hollow and every seed a dot."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from reports.pages.html.cells import Anchors, place_name, shown_verdict
from reports.pages.html.model import Forest, ForestLine
from reports.pages.html.svg import (
    AxisScale,
    round_axis,
    svg_bar,
    svg_circle,
    svg_dots,
    svg_picture,
    svg_segments,
    svg_shared,
    svg_text,
    svg_use,
)
from reports.pages.page import measured_texts
from reports.stats.sample import Sample, mean_interval
from reports.tables.judging import cell_samples
from reports.tables.measured import Measured
from reports.tables.sources import PublishedSource
from reports.tables.table import Cell, Table

FOREST_LEGEND = (
    "Ring: published mean; small ring: of another paper (a quote has no ring). Shaded: the margin around this paper's "
    "mean. Dots: our runs; bar with a stroke: our mean with its 90 % interval, which may go on beyond the edge."
)
RUNS_LEGEND = "Dots: runs; bar with a stroke: their mean with its 90 % interval, which may go on beyond the edge."
_WIDTH, _HEIGHT, _PAD = 420, 24, 8


def forests(
    table: Table, anchors: Mapping[int, str], sources: Mapping[int, Sequence[PublishedSource]]
) -> tuple[Forest, ...]:
    """A plot for each data set with a measured cell; `anchors` and `sources` are by the number of a cell."""
    if not table.value.is_auroc:
        return ()
    datasets: dict[str, list[int]] = {}
    for number, cell in enumerate(table.cells):
        if cell.measured and not (cell.source and cell.source.history):
            datasets.setdefault(cell.coordinates.get("dataset", ""), []).append(number)
    grids = Anchors()
    return tuple(_forest(table, dataset, numbers, anchors, sources, grids) for dataset, numbers in datasets.items())


def _forest(
    table: Table,
    dataset: str,
    numbers: Sequence[int],
    anchors: Mapping[int, str],
    sources: Mapping[int, Sequence[PublishedSource]],
    grids: Anchors,
) -> Forest:
    ends = [value for number in numbers for value in _ends(table, table.cells[number], sources.get(number, ()))]
    low, high, ticks = round_axis(ends, table.layout.scale)
    x = AxisScale(low, high, _PAD, _WIDTH - _PAD)
    title = table.label("dataset", dataset) if dataset else table.title
    lines = svg_segments([((x(tick), 0.0), (x(tick), float(_HEIGHT))) for tick in ticks], "grid")
    grid = grids.anchor(f"grid/{dataset}")
    axis = [*(svg_text(x(tick), 14, f"{tick:g}", "middle") for tick in ticks), svg_shared(grid, lines)]
    return Forest(
        title=title,
        axis=svg_picture(_WIDTH, 18, axis, kind="plot axis-row"),
        lines=tuple(
            _line(table, table.cells[number], anchors.get(number, ""), sources.get(number, ()), x, grid)
            for number in numbers
        ),
    )


def _ends(table: Table, cell: Cell, sources: Sequence[PublishedSource]) -> list[float]:
    """The values that the axis must hold; an interval over two runs may reach anywhere, so its ends are not."""
    values = [source.sample(table.layout.scale).mean for source in sources if source.kind != "quoted"]
    if cell.measured:
        values += [*cell.measured.per_seed.values(), cell.measured.mean]
    if cell.published:
        margin = table.margin * table.layout.scale
        values += [cell.published.mean - margin, cell.published.mean + margin]
    return values


def _line(
    table: Table,
    cell: Cell,
    anchor: str,
    sources: Sequence[PublishedSource],
    x: AxisScale,
    grid: str,
) -> ForestLine:
    named = {name: value for name, value in cell.coordinates.items() if name != "dataset"}
    measured = measured_texts(table, cell.measured) if cell.measured else ()
    published = (cell.published.mean_text, cell.published.std_text) if cell.published else ()
    return ForestLine(
        name=place_name(table, named),
        anchor=anchor,
        plot=svg_picture(_WIDTH, _HEIGHT, _marks(table, cell, sources, x, grid)),
        published="±".join(filter(None, published)) if table.show != "measured" else "",
        measured="±".join(filter(None, measured)),
        verdict=shown_verdict(table, cell),
    )


def _marks(table: Table, cell: Cell, sources: Sequence[PublishedSource], x: AxisScale, grid: str) -> list[Markup]:
    middle = _HEIGHT / 2
    marks = [svg_use(grid)]
    if cell.published and table.show != "measured":
        margin = table.margin * table.layout.scale
        start, end = x(cell.published.mean - margin), x(cell.published.mean + margin)
        marks.append(svg_bar(start, 2, end - start, _HEIGHT - 4, "margin"))
    if cell.measured:
        low, high = _interval(table, cell, cell.measured)
        if low is not None and high is not None:
            marks.append(svg_segments([((x(low), middle), (x(high), middle))], "interval"))
        mean = x(cell.measured.mean)
        marks.append(svg_segments([((mean, middle - 7), (mean, middle + 7))], "interval"))
        marks.append(svg_dots(((x(value), middle) for value in cell.measured.per_seed.values()), "dot"))
    if cell.published and table.show != "measured":
        others = [source for source in sources if source.kind != "quoted" and source.paper != cell.paper]
        marks += [svg_circle(x(source.sample(table.layout.scale).mean), middle, 3, "ring other") for source in others]
        marks.append(svg_circle(x(cell.published.mean), middle, 5, "ring"))
    return marks


def _interval(table: Table, cell: Cell, measured: Measured) -> tuple[float | None, float | None]:
    """The 90 % interval of our mean, beside a published value with the spread that verdicts give it."""
    if cell.published:
        return mean_interval(cell_samples(table.layout, cell.published, measured)[1])
    return mean_interval(Sample(measured.mean, measured.seed_std, measured.n, measured.exact))
