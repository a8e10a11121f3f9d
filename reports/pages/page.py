"""A table as it is printed: blocks of rows and columns, marks, numbered notes, as all page templates read it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reports.layouts.errata import as_sentence, erratum_sentences
from reports.layouts.layout import Layout
from reports.layouts.published import CellCoordinates, Erratum, PublishedValue
from reports.pages.sentences import (
    baseline_headings,
    baseline_legend,
    baseline_mark,
    baseline_texts,
    cell_words,
    group_sentence,
    table_caption,
    verdict_legend,
)
from reports.stats.verdict import Verdict
from reports.stats.words import MARKS, MEANINGS, verdict_mark
from reports.tables.groups import block_cells, row_places, table_groups
from reports.tables.measured import Measured
from reports.tables.sources import PublishedSource, other_sources, source_verdict
from reports.tables.table import Cell, Table

MIXED = "‡"
DETAIL_HEADINGS = ("Cell", "n", "Std", "Difference", "90 % interval", "Test-set error", "Verdict")
UNKNOWN_NUMBER = "The number of runs behind this published value is not known: it counts as three"
ORIGINS = {
    "restored": "Published value, from a second source since our first text of the paper fails here",
    "inferred": "Published value, our best reading of a copy that is damaged here",
}
BRACKETS = "not comparable with the paper; in brackets the verdict that it would have"


@dataclass(frozen=True, slots=True)
class GridCell:
    """Texts of one printed cell; `published` or `measured` is empty where there is none, `mark` says the verdict.

    coordinates: of the table's cell that stands here; empty where none does, or another paper's value. sign: the mark
    without numbers. A place is 1 for the best of the values beside it (`groups.row_places`), 2 for the next, 0 for
    others.
    """

    published: str = ""
    measured: str = ""
    mark: str = ""
    notes: tuple[int, ...] = ()
    coordinates: Mapping[str, str] = field(default_factory=dict, hash=False)
    sign: str = ""
    published_place: int = 0
    measured_place: int = 0


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row; the first `shared` labels name what it has in common with its neighbours, such as the dataset.

    `class_count` is the number of the dataset's anomaly classes where the paper's table has that column.
    """

    labels: tuple[str, ...]
    cells: tuple[GridCell, ...]
    shared: int = 0
    class_count: str = ""


@dataclass(frozen=True, slots=True)
class TableBlock:
    """One printed block: `title` is empty where a table has one block only."""

    title: str
    row_headings: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]


@dataclass(frozen=True, slots=True)
class CellDetail:
    """One measured cell in words and numbers; texts are empty where nothing can be said."""

    cell: str
    n: int
    seed_std: str
    difference: str
    interval: str
    test_std: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that a page prints, as text; `notes` are numbered from 1, `verdicts` are one sentence a method.

    `id` is its own, `paper` that of the paper; `title` is the `name` that the table has there, with the `subject`.
    `tells_best`: the best and the second of a row are set apart, in place of what is measured.
    """

    id: str
    paper: str
    name: str
    subject: str
    title: str
    caption: str
    citation: str
    verdicts: tuple[str, ...]
    blocks: tuple[TableBlock, ...]
    legend: tuple[str, ...]
    notes: tuple[str, ...]
    details: tuple[CellDetail, ...]
    remarks: tuple[str, ...]
    errata: tuple[str, ...]
    show_published: bool
    show_measured: bool
    tells_best: bool = False
    detail_headings: tuple[str, ...] = DETAIL_HEADINGS


def table_page(table: Table) -> Page:
    """The printed form of a table, as its `show` asks."""
    notes = PageNotes()
    blocks = tuple(_blocks(table, notes))
    show_published, show_measured = table.show != "measured", table.show != "published"
    groups = table_groups(table) if show_measured and table.value.is_auroc else []
    paper = table.layout.paper
    has_details = show_measured and (table.layout.is_published or table.baseline)
    doubts = [erratum_sentences(erratum, paper) for erratum in table.layout.errata if _concerns(erratum, table)]
    return Page(
        id=table.page_id,
        paper=paper.paper,
        name=table.layout.name,
        subject=table.subject,
        title=table.title,
        caption=table_caption(table),
        citation=paper.citation,
        verdicts=tuple(group_sentence(table, group) for group in groups),
        blocks=blocks,
        legend=(*verdict_legend(groups), *_legend(table)) if show_measured else (),
        notes=tuple(notes.texts),
        details=tuple(_detail(table, cell) for cell in table.cells if cell.measured) if has_details else (),
        remarks=(*table.layout.notes, *table.remarks),
        errata=tuple(doubts) if show_published else (),
        show_published=show_published,
        show_measured=show_measured,
        tells_best=not table.layout.is_published,
        detail_headings=baseline_headings(table, table.baseline) if table.baseline else DETAIL_HEADINGS,
    )


def measured_texts(table: Table, measured: Measured) -> tuple[str, str]:
    """Mean and std with as many decimals as the table prints; the std is empty for one seed."""
    paper = table.layout.paper
    std_decimals = paper.decimals if paper.std_decimals is None else paper.std_decimals
    std = "" if measured.std is None else f"{measured.std:.{std_decimals}f}"
    return f"{measured.mean:.{paper.decimals}f}", std


def measured_in_words(measured: Measured, layout: Layout | None = None, *, names_runs: bool = False) -> str:
    """Circumstances of a measured cell: seeds (or the names of its runs), recipe, weights, precision, remarks, what
    makes it not comparable.

    In a layout without published values nothing is compared with a paper: settings that are not the recipe's instead.
    """
    kind, runs = ("run", measured.run_names) if names_runs else ("seed", list(map(str, measured.per_seed)))
    parts = [f"{kind if len(runs) == 1 else f'{kind}s'} {', '.join(runs)}", f"recipe {measured.recipe}"]
    parts += [f"weights {measured.weights}"] if measured.weights else []
    parts += [f"precision {measured.precision}", *measured.notes]
    text = "; ".join(parts)
    if layout is not None and not layout.is_published:
        return "; ".join([text, *(f"{name} = {value}" for name, value in measured.settings.items())])
    return f"{text}. Not comparable: {'; '.join(measured.reasons)}" if measured.reasons else text


@dataclass
class PageNotes:
    """Numbers the notes of a page; equal texts share a number."""

    texts: list[str] = field(default_factory=list)

    def number(self, text: str) -> int:
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1


def _blocks(table: Table, notes: PageNotes) -> Iterable[TableBlock]:
    entry = table.layout.entry
    others = {
        tuple(table.cells[number].coordinates.items()): [
            source for source in by_paper.values() if source.kind != "quoted"
        ]
        for number, by_paper in other_sources(table).items()
    }
    for values, cells in block_cells(table).items():
        title = ", ".join(table.label(*pair) for pair in zip(entry.blocks, values, strict=True) if pair[1])
        yield _block(table, title, cells, notes, others)


def _block(
    table: Table,
    title: str,
    cells: Sequence[Cell],
    notes: PageNotes,
    others: Mapping[CellCoordinates, Sequence[PublishedSource]],
) -> TableBlock:
    """One block; behind each column stand those of the other papers that measured a cell of it."""
    layout, entry = table.layout, table.layout.entry
    columns = _ordered(table, entry.columns, cells)
    rows = _ordered(table, entry.rows, cells)
    by_row_and_column = {(_values(cell, entry.rows), _values(cell, entry.columns)): cell for cell in cells}
    published_places = row_places(table, cells, published=True)
    measured_places = row_places(table, cells, published=False)
    shared = entry.rows.index("dataset") + 1 if "dataset" in entry.rows[:-1] else 0
    papers: dict[tuple[str, ...], dict[str, str]] = {column: {} for column in columns}
    for cell in cells:
        for source in others.get(tuple(cell.coordinates.items()), ()):
            papers[_values(cell, entry.columns)][source.paper] = source.layout.paper.name
    headings = {
        column: ", ".join(table.label(*pair) for pair in zip(entry.columns, column, strict=True) if pair[1])
        for column in columns
    }
    printed_columns = [(column, paper) for column in columns for paper in ("", *papers[column])]

    def grid_cell(row: tuple[str, ...], column: tuple[str, ...], paper: str) -> GridCell:
        cell = by_row_and_column.get((row, column))
        if cell is None:
            return GridCell()
        if not paper:
            at = tuple(cell.coordinates.items())
            places = published_places.get(at, 0), measured_places.get(at, 0)
            return replace(_grid_cell(table, cell, notes), published_place=places[0], measured_place=places[1])
        sources = others.get(tuple(cell.coordinates.items()), ())
        return _source_cell(table, cell, [source for source in sources if source.paper == paper], notes)

    return TableBlock(
        title=title,
        row_headings=tuple(layout.heading(name) for name in entry.rows),
        columns=tuple(
            f"{headings[column]}, by {papers[column][paper]}" if paper else headings[column]
            for column, paper in printed_columns
        ),
        rows=tuple(
            TableRow(
                labels=tuple(table.label(*pair) for pair in zip(entry.rows, row, strict=True)),
                cells=tuple(grid_cell(row, column, paper) for column, paper in printed_columns),
                shared=shared,
                class_count=layout.class_counts.get(dict(zip(entry.rows, row, strict=True)).get("dataset", ""), ""),
            )
            for row in rows
        ),
    )


def _source_cell(table: Table, cell: Cell, sources: Sequence[PublishedSource], notes: PageNotes) -> GridCell:
    """The value that another paper measured, with our verdict against it."""
    if not sources:
        return GridCell()
    source = sources[0]
    verdict = None if table.show == "published" else source_verdict(source, table, cell)
    numbers = () if source.n_known or not source.value.std_text else (notes.number(UNKNOWN_NUMBER),)
    mark, sign = _mark(verdict, table.layout.paper.decimals) if verdict else ("", "")
    return GridCell(_with_std(source.value.mean_text, source.value.std_text), "", mark, numbers, sign=sign)


def _ordered(table: Table, names: Sequence[str], cells: Sequence[Cell]) -> list[tuple[str, ...]]:
    """The distinct values of these coordinates among the cells, in the order of the published file, others last.

    Where the layout gives the order of a coordinate, that counts first.
    """
    entry = table.layout.entry
    blocks = {_values(cell, entry.blocks) for cell in cells}
    published = [dict(cell.coordinates) for cell in table.layout.published_cells]
    printed = [
        tuple(coordinates[name] for name in names)
        for coordinates in published
        if tuple(coordinates[name] for name in entry.blocks) in blocks
    ]
    present = dict.fromkeys(_values(cell, names) for cell in cells)
    distinct = [values for values in dict.fromkeys([*printed, *present]) if values in present]
    orders = [(index, entry.order[name]) for index, name in enumerate(names) if name in entry.order]
    return sorted(distinct, key=lambda values: [_position(values[index], order) for index, order in orders])


def _position(value: str, order: Sequence[str]) -> int:
    return order.index(value) if value in order else len(order)


def _grid_cell(table: Table, cell: Cell, notes: PageNotes) -> GridCell:
    texts: list[str] = []
    published, measured, mark, sign = "", "", "", ""
    if cell.published and table.show != "measured":
        published = _with_std(cell.published.mean_text, cell.published.std_text)
        texts += _source(cell.published)
    if table.show != "published":
        mark, sign = _mark(cell.verdict, table.layout.paper.decimals)
        if cell.measured:
            measured = _with_std(*measured_texts(table, cell.measured)) + (MIXED if cell.measured.mixes_code else "")
            texts.append(measured_in_words(cell.measured, table.layout, names_runs=table.names_runs))
            mark = mark or baseline_mark(table, cell)
        if cell.verdict.name in {"failed", "stale", "missing"}:
            texts += ["; ".join(cell.verdict.reasons)] if cell.verdict.reasons else []
    numbers = tuple(notes.number(text) for text in texts)
    return GridCell(published, measured, mark, numbers, cell.coordinates, sign)


def _source(value: PublishedValue) -> list[str]:
    return [f"{ORIGINS[value.transcription]}. {as_sentence(value.note)}"] if value.transcription in ORIGINS else []


def _mark(verdict: Verdict, decimals: int) -> tuple[str, str]:
    """The mark of a verdict, with its numbers and without."""
    if verdict.name in {"failed", "stale"}:
        return verdict.name, verdict.name
    if verdict.comparison is None:
        return "", ""
    mark, sign = verdict_mark(verdict.comparison, decimals), MARKS[verdict.comparison.verdict]
    return (f"({mark})", f"({sign})") if verdict.name == "not_comparable" else (mark, sign)


def _with_std(mean: str, std: str) -> str:
    return f"{mean}±{std}" if std else mean


def _legend(table: Table) -> Iterable[str]:
    others = [
        source_verdict(source, table, table.cells[number])
        for number, by_paper in other_sources(table).items()
        for source in by_paper.values()
        if source.kind != "quoted"
    ]
    verdicts = [*(cell.verdict for cell in table.cells), *(verdict for verdict in others if verdict)]
    used = {verdict.comparison.verdict for verdict in verdicts if verdict.comparison}
    for verdict, mark in MARKS.items():
        if verdict in used:
            yield f"{mark} {MEANINGS[verdict]}"
    if any(cell.verdict.would_be for cell in table.cells):
        yield f"( ) {BRACKETS}"
    if any(cell.measured and cell.measured.mixes_code for cell in table.cells):
        yield f"{MIXED} a mean over runs that different code made"
    yield from baseline_legend(table)


def _detail(table: Table, cell: Cell) -> CellDetail:
    if cell.measured is None:
        raise ValueError("a detail needs a measured cell")
    decimals = table.layout.paper.decimals
    measured, comparison = cell.measured, cell.verdict.comparison
    labels = [table.label(name, value) for name, value in cell.coordinates.items() if value]
    difference, interval, verdict = baseline_texts(table, cell)
    if comparison:
        difference = f"{comparison.difference:+z.{decimals}f}"
        if comparison.low is not None and comparison.high is not None:
            interval = f"{comparison.low:+z.{decimals}f} to {comparison.high:+z.{decimals}f}"
    return CellDetail(
        cell=", ".join(labels),
        n=measured.n,
        seed_std="" if measured.seed_std is None else f"{measured.seed_std:.{decimals}f}",
        difference=difference,
        interval=interval,
        test_std="" if measured.test_std is None else f"{measured.test_std:.{decimals}f}",
        verdict=verdict or cell_words(table, cell, decimals),
    )


def _concerns(erratum: Erratum, table: Table) -> bool:
    return any(
        all(cell.coordinates.get(name, value) == value for name, value in erratum.coordinates.items())
        for cell in table.cells
    )


def _values(cell: Cell, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(cell.coordinates[name] for name in names)
