"""Tables for terminals that are too narrow for them: a list of what was measured, or fewer columns at a time."""

import shutil
import sys
from collections.abc import Callable, Iterator
from itertools import groupby
from textwrap import wrap
from typing import TYPE_CHECKING

from benchmark.terminal.options import say_page
from reports.text import pipe_table

if TYPE_CHECKING:
    from reports.pages.page import GridCell, Page, TableBlock

NARROWEST = 40
"""Columns below which no text is folded further."""


def say_fitting(wide: str, narrow: Callable[[int], str]) -> None:
    """A page on stdout; on a terminal that its tables do not fit, what `narrow` makes of it for so many columns."""
    if sys.stdout.isatty():
        width = max(shutil.get_terminal_size().columns, NARROWEST)
        if any(len(line) > width for line in wide.splitlines() if line.startswith("|")):
            say_page(narrow(width))
            return
    say_page(wide)


def narrow_text(page: "Page", whole: str, width: int) -> str:
    """A page in `width` columns: measured cells as a list by row, or published ones in tables of fewer columns.

    `whole` is the sentence that says how the wide table is written.
    """
    blocks = [block for block in page.blocks if _measured(block)]
    cells = [cell for block in blocks for _, _, cell in _measured(block)]
    sentences = [*page.verdicts, *_marks_used(page, cells)] if blocks else []
    lines = [*_folded(f"# {page.title}", width), *_folded(page.caption, width), ""]
    for block in blocks or page.blocks:
        lines += [*([f"## {block.title}"] if block.title else []), *(_list(block) if blocks else _tables(block, width))]
        lines.append("")
    for sentence in sentences:
        lines += _folded(f"- {sentence}", width)
    for number in sorted({number for cell in cells for number in cell.notes}):
        lines += _folded(f"- [{number}] {page.notes[number - 1]}", width)
    printed = sum(bool(cell.published) for block in page.blocks for row in block.rows for cell in row.cells)
    if blocks and printed > sum(bool(cell.published) for cell in cells):
        whole = f"Published values beside which nothing is measured are left out. {whole}"
    return "\n".join([*lines, *_folded(whole, width)]) + "\n"


def _marks_used(page: "Page", cells: "list[GridCell]") -> list[str]:
    """The lines of the legend on marks that these cells have; each begins with its mark, that of brackets with both."""
    marks = "".join(f"{cell.mark}{cell.measured}" for cell in cells)
    return [line for line in page.legend if line.partition(" ")[0] in set(marks)]


def _measured(block: "TableBlock") -> "list[tuple[tuple[str, ...], str, GridCell]]":
    """Row labels, column and cell of each cell with a measured value."""
    return [
        (row.labels, column, cell)
        for row in block.rows
        for column, cell in zip(block.columns, row.cells, strict=True)
        if cell.measured
    ]


def _list(block: "TableBlock") -> Iterator[str]:
    """A line a measured cell, below the first label of its row."""
    cells = _measured(block)
    rest = max(len(", ".join(labels[1:])) for labels, _, _ in cells)
    columns = max(len(column) for _, column, _ in cells)
    for first, group in groupby(cells, key=lambda cell: cell[0][0]):
        yield first
        for labels, column, cell in group:
            sides = " / ".join(filter(None, [cell.published, f"{cell.measured} {cell.mark}".rstrip()]))
            notes = f" [{','.join(map(str, cell.notes))}]" if cell.notes else ""
            label = f"{', '.join(labels[1:]):{rest}}  " if rest else ""
            yield f"  {label}{column:{columns}}  {sides}{notes}"


def _tables(block: "TableBlock", width: int) -> Iterator[str]:
    """The published values in tables of as many columns as fit."""
    rows = [[cell.published or "–" for cell in row.cells] for row in block.rows]
    first = 0
    while first < len(block.columns):
        last = len(block.columns)
        while last > first + 1 and len(_table(block, rows, first, last).splitlines()[0]) > width:
            last -= 1
        yield from (*([""] if first else []), *_table(block, rows, first, last).splitlines())
        first = last


def _table(block: "TableBlock", rows: list[list[str]], first: int, last: int) -> str:
    heading = [*block.row_headings, *block.columns[first:last]]
    return pipe_table(heading, [[*row.labels, *texts[first:last]] for row, texts in zip(block.rows, rows, strict=True)])


def _folded(text: str, width: int) -> list[str]:
    return wrap(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
