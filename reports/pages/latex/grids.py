"""Columns of a typeset table: blocks beside each other where they fit, wide ones in parts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil

from reports.pages.latex.sizes import NOTE_SIZE, TABLE_SIZES, text_width
from reports.pages.page import GridCell, TableBlock, TableRow

SEPARATION = 4.0
"""Least space between two columns."""
CLASS_COUNT = "|C|"


@dataclass(frozen=True, slots=True)
class GridColumn:
    heading: str
    cells: tuple[GridCell, ...]


@dataclass(frozen=True, slots=True)
class GridSection:
    """Columns of one block; `title` is empty where no heading stands above them."""

    title: str
    columns: tuple[GridColumn, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """Sections beside each other over rows that they share, in a font of this size; `title` is that of its block."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[TableRow, ...]
    sections: tuple[GridSection, ...]
    size: float

    @property
    def columns(self) -> tuple[GridColumn, ...]:
        return tuple(column for section in self.sections for column in section.columns)

    @property
    def width(self) -> float:
        """Its natural width."""
        labels = zip(self.headings, *map(self.labels, self.rows), strict=True)
        widths = [max(text_width(text, self.size) for text in texts) for texts in labels]
        for column in self.columns:
            widest = max((_cell_width(cell, self.size) for cell in column.cells), default=0.0)
            widths.append(max(text_width(column.heading, self.size), widest))
        return sum(widths) + SEPARATION * (len(widths) - 1)

    def labels(self, row: TableRow) -> tuple[str, ...]:
        """The labels of a row under the headings."""
        return (*row.labels[:1], *[row.class_count] * (CLASS_COUNT in self.headings), *row.labels[1:])


def fitting_grids(blocks: Sequence[TableBlock], width: float) -> list[list[Grid]]:
    """Ways to print blocks in grids of this width at most, the best first.

    All blocks beside each other, each on its own, or, where neither fits, parts of their columns.
    """
    fitting = [grids for grids in _arrangements(blocks) if all(grid.width <= width for grid in grids)]
    return fitting or [[part for block in blocks for part in _column_parts(_grid([block], NOTE_SIZE), width)]]


def _arrangements(blocks: Sequence[TableBlock]) -> Iterator[list[Grid]]:
    first = blocks[0]
    same_rows = all(
        block.row_headings == first.row_headings
        and [row.labels for row in block.rows] == [row.labels for row in first.rows]
        for block in blocks
    )
    if len(blocks) > 1 and same_rows:
        yield from ([_grid(blocks, size)] for size in TABLE_SIZES)
    for size in TABLE_SIZES:
        yield [_grid([block], size) for block in blocks]


def _grid(blocks: Sequence[TableBlock], size: float) -> Grid:
    first = blocks[0]
    counts = [CLASS_COUNT] * any(row.class_count for row in first.rows)
    sections = [GridSection(block.title, _columns(block)) for block in blocks]
    return Grid(
        title=first.title if len(blocks) == 1 else "",
        headings=(*first.row_headings[:1], *counts, *first.row_headings[1:]),
        rows=first.rows,
        sections=tuple(_without_repeats(sections) if len(blocks) > 1 else [replace(sections[0], title="")]),
        size=size,
    )


def _columns(block: TableBlock) -> tuple[GridColumn, ...]:
    return tuple(
        GridColumn(heading, tuple(row.cells[index] for row in block.rows))
        for index, heading in enumerate(block.columns)
    )


def _without_repeats(sections: Sequence[GridSection]) -> Iterator[GridSection]:
    """Columns that stand in every section with equal values come first, once: a place in all of them is kept."""
    repeated = {
        column.heading
        for column in sections[0].columns
        if any(cell.published or cell.measured for cell in column.cells)
        and all(any(_equal(column, other) for other in section.columns) for section in sections[1:])
    }
    if repeated:
        alike = zip(
            *([column for column in section.columns if column.heading in repeated] for section in sections), strict=True
        )
        yield GridSection("", tuple(map(_common_places, alike)))
    for section in sections:
        columns = tuple(column for column in section.columns if column.heading not in repeated)
        if columns:
            yield replace(section, columns=columns)


def _equal(column: GridColumn, other: GridColumn) -> bool:
    pairs = zip(column.cells, other.cells, strict=True)
    return column.heading == other.heading and all(_placeless(cell) == _placeless(twin) for cell, twin in pairs)


def _placeless(cell: GridCell) -> GridCell:
    return replace(cell, published_place=0, measured_place=0)


def _common_places(columns: Sequence[GridColumn]) -> GridColumn:
    alike = zip(*(column.cells for column in columns), strict=True)
    return replace(columns[0], cells=tuple(cells[0] if len({*cells}) == 1 else _placeless(cells[0]) for cells in alike))


def _column_parts(grid: Grid, width: float) -> list[Grid]:
    """The grid in as few parts as fit, each with about as many columns where their widths allow it."""
    filled = list(_filled_parts(grid, width))
    columns, length = grid.columns, ceil(len(grid.columns) / len(filled))
    even = [_with_columns(grid, columns[start : start + length]) for start in range(0, len(columns), length)]
    return even if all(part.width <= width for part in even) else filled


def _filled_parts(grid: Grid, width: float) -> Iterator[Grid]:
    """Parts of as many columns as fit, at least one."""
    part = _with_columns(grid, grid.columns[:1])
    for column in grid.columns[1:]:
        wider = _with_columns(grid, (*part.columns, column))
        if wider.width > width:
            yield part
            wider = _with_columns(grid, (column,))
        part = wider
    yield part


def _with_columns(grid: Grid, columns: tuple[GridColumn, ...]) -> Grid:
    return replace(grid, sections=(GridSection("", columns),))


def _cell_width(cell: GridCell, size: float) -> float:
    """Width of the longer of the two lines that a cell may have."""
    marks = text_width(",".join(map(str, cell.notes)), NOTE_SIZE)
    published = text_width(cell.published, size, bold=cell.published_place == 1)
    measured = text_width(cell.measured, size, bold=cell.measured_place == 1) + text_width(f" {cell.sign}", size)
    return marks + max(published, measured)
