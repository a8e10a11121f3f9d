"""Floats of a typeset table: rows, captions and notes, cut so that each float fits its page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from reports.pages.latex.grids import CLASS_COUNT, Grid, fitting_grids
from reports.pages.latex.sizes import CAPTION_SIZE, FRAMES, LEADING, NOTE_SIZE, Frame, paragraph_height
from reports.pages.page import GridCell, Page, TableRow
from reports.text import escape_latex

PLACES = "Best value in bold, second best underlined."
NUMBERS_OF_MARKS = "r of each value: in the other formats of bench report"
EVERY_VALUE = "Every measured value"
ABSENT = "--"
_RULE_HEIGHT = 6.0
_SPACE = 50.0
"""Space for the headings, the outer rules, and around caption and notes."""


@dataclass(frozen=True, slots=True)
class LatexSection:
    """Heading over columns from `first` to `last`, counted from 1."""

    title: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class LatexFloat:
    """One float in LaTeX: lines of a table in groups between rules, numbered notes, and texts on the whole table.

    `part` numbers the floats of a table from 1. A float without groups holds texts that have no space below a table.
    """

    part: int
    caption: str = ""
    size: float = NOTE_SIZE
    leading: float = NOTE_SIZE * LEADING
    labels: int = 0
    columns: int = 0
    sections: tuple[LatexSection, ...] = ()
    headings: str = ""
    groups: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LatexPage:
    """All floats of a table, in the environment that makes them, at most `width` wide; `label` is the first one's."""

    environment: str
    width: float
    label: str
    floats: tuple[LatexFloat, ...]


def latex_page(page: Page, width: str, *, notes: bool) -> LatexPage:
    """A table as floats of a width in `FRAMES`; without notes, its marks are explained alone."""
    frame = FRAMES[width]
    shared = _shared_notes(page)
    blocks = [
        replace(block, rows=tuple(_with_notes(row, shared, notes) for row in block.rows)) for block in page.blocks
    ]
    ways = [
        [_Piece(page, frame, grid, rows) for grid in grids for rows in _cut_rows(_Piece(page, frame, grid))]
        for grids in (fitting_grids(blocks, frame.width) if blocks else [])
    ]
    pieces = min(ways, key=len, default=[])
    general = [*page.legend, *[NUMBERS_OF_MARKS] * any(cell.mark != cell.sign for cell in _cells(page))]
    if notes:
        measured = [f"{EVERY_VALUE}: {page.notes[number - 1]}." for number in sorted(shared)]
        general = [*measured, *general, *page.verdicts, *page.remarks, *page.errata]
    label = f"tab:{page.id.replace(':', '-')}"
    return LatexPage(frame.environment, frame.width, label, tuple(_floats(pieces, general)))


@dataclass(frozen=True, slots=True)
class _Piece:
    """Rows of a grid that share a float, by their index; all of them where none are named."""

    page: Page
    frame: Frame
    grid: Grid
    rows: tuple[int, ...] = ()

    @property
    def both(self) -> bool:
        return self.page.show_published and self.page.show_measured

    @property
    def subject(self) -> str:
        return ", ".join(filter(None, (self.page.subject, self.grid.title)))

    @property
    def caption(self) -> str:
        """The caption of a first float up to the citation; what it says of places holds for all of them."""
        page, cells = self.page, list(_cells(self.page))
        sides = page.caption.replace(" / measured", ", below it in italics measured")
        published = page.show_published and any(cell.published_place for cell in cells)
        has_places = published or (page.show_measured and any(cell.measured_place for cell in cells))
        return f"{self.subject}. {sides} {PLACES if has_places else ''}".strip()

    @property
    def note_numbers(self) -> list[int]:
        cells = [column.cells[row] for row in self.rows for column in self.grid.columns]
        return list(dict.fromkeys(number for cell in cells for number in cell.notes))

    @property
    def height(self) -> float:
        """Its height without texts on the whole table."""
        width, line = self.frame.width, LEADING * self.grid.size
        caption = paragraph_height(f"{self.caption} {self.page.name} {self.page.citation}", width, CAPTION_SIZE)
        notes = sum(paragraph_height(self.page.notes[number - 1], width, NOTE_SIZE) for number in self.note_numbers)
        lines = sum(2 if self.has_measured(row) else 1 for row in self.rows)
        return _SPACE + caption + lines * line + len(row_groups(self)) * _RULE_HEIGHT + notes

    def has_measured(self, row: int) -> bool:
        """True where a second line holds the measured values of a row."""
        cells = [column.cells[row] for column in self.grid.columns]
        return self.both and any(cell.measured or cell.mark for cell in cells)


def row_groups(piece: _Piece) -> list[list[int]]:
    """Rows between two rules: those with the same shared labels; single ones of one kind stay together."""
    rows = piece.grid.rows
    groups: list[list[int]] = []
    for _, indexes in groupby(piece.rows, key=lambda row: rows[row].labels[: rows[row].shared]):
        group = list(indexes)
        last = rows[groups[-1][-1]] if groups else None
        row = rows[group[0]]
        alike = last is not None and last.labels[: row.shared - 1] == row.labels[: row.shared - 1]
        if row.shared > 1 and alike and len(group) == 1 and _is_varied(piece, groups[-1]):
            groups[-1] += group
        else:
            groups.append(group)
    return groups


def _is_varied(piece: _Piece, group: Sequence[int]) -> bool:
    """True where no two neighbours of a group have the same shared labels."""
    names = [piece.grid.rows[row].labels[: piece.grid.rows[row].shared] for row in group]
    return all(name != other for name, other in pairwise(names))


def _cut_rows(piece: _Piece) -> Iterator[tuple[int, ...]]:
    """The rows of a grid in parts that fit a float; a group is cut only where it does not fit alone."""
    every = replace(piece, rows=tuple(range(len(piece.grid.rows))))
    current: tuple[int, ...] = ()
    for group in row_groups(every):
        if current and not _fits(piece, (*current, *group)) and _fits(piece, group):
            yield current
            current = ()
        for row in group:
            if current and not _fits(piece, (*current, row)):
                yield current
                current = ()
            current = (*current, row)
    yield current


def _fits(piece: _Piece, rows: Sequence[int]) -> bool:
    return replace(piece, rows=tuple(rows)).height <= piece.frame.height


def _shared_notes(page: Page) -> frozenset[int]:
    """Notes that every measured value has, and no other place."""
    cells = list(_cells(page))
    measured = [frozenset(cell.notes) for cell in cells if cell.measured]
    others = frozenset(number for cell in cells if not cell.measured for number in cell.notes)
    return frozenset.intersection(*measured) - others if measured else frozenset()


def _cells(page: Page) -> Iterator[GridCell]:
    return (cell for block in page.blocks for row in block.rows for cell in row.cells)


def _with_notes(row: TableRow, shared: frozenset[int], notes: bool) -> TableRow:
    """The row with the notes that are its cells' own."""
    cells = tuple(
        replace(cell, notes=tuple(number for number in cell.notes if notes and number not in shared))
        for cell in row.cells
    )
    return replace(row, cells=cells)


def _floats(pieces: Sequence[_Piece], general: Sequence[str]) -> Iterator[LatexFloat]:
    """A float a piece, the last with the texts on the whole table for which it has space, then floats of the others."""
    waiting = list(general)
    for part, piece in enumerate(pieces, 1):
        texts = _fitting_texts(waiting, piece.frame, piece.height) if part == len(pieces) else []
        yield _table_float(piece, part, texts)
    part = len(pieces)
    while pieces and waiting:
        part += 1
        yield LatexFloat(
            part, texts=tuple(map(escape_latex, _fitting_texts(waiting, pieces[0].frame, _SPACE, is_empty=True)))
        )


def _fitting_texts(waiting: list[str], frame: Frame, height: float, *, is_empty: bool = False) -> list[str]:
    """The first of the waiting texts that fit below this height, at least one on an empty float; they wait no more."""
    texts: list[str] = []
    while waiting:
        height += paragraph_height(waiting[0], frame.width, NOTE_SIZE)
        if height > frame.height and (texts or not is_empty):
            break
        texts.append(waiting.pop(0))
    return texts


def _table_float(piece: _Piece, part: int, texts: Sequence[str]) -> LatexFloat:
    page, grid = piece.page, piece.grid
    marks = {number: index for index, number in enumerate(piece.note_numbers, 1)}
    name, citation = escape_latex(page.name), escape_latex(page.citation)
    reference = f" ({name}, \\swanbenchcite{{{page.paper}}}{{{citation}}}.)" if citation else ""
    headings = ["$|C|$" if text == CLASS_COUNT else escape_latex(text) for text in grid.headings]
    return LatexFloat(
        part=part,
        caption=escape_latex(piece.caption) + reference if part == 1 else f"{escape_latex(piece.subject)}, continued.",
        size=grid.size,
        leading=grid.size * LEADING,
        labels=len(grid.headings),
        columns=len(grid.columns),
        sections=tuple(_sections(grid)),
        headings=" & ".join([*headings, *(escape_latex(column.heading) for column in grid.columns)]),
        groups=tuple(tuple(_group_lines(piece, group, marks)) for group in row_groups(piece)),
        notes=tuple(escape_latex(page.notes[number - 1]) for number in marks),
        texts=tuple(map(escape_latex, texts)),
    )


def _sections(grid: Grid) -> Iterator[LatexSection]:
    column = len(grid.headings)
    for section in grid.sections:
        if section.title:
            yield LatexSection(escape_latex(section.title), column + 1, column + len(section.columns))
        column += len(section.columns)


def _group_lines(piece: _Piece, group: Sequence[int], marks: Mapping[int, int]) -> Iterator[str]:
    above: tuple[str, ...] = ()
    for index in group:
        row = piece.grid.rows[index]
        cells = [column.cells[index] for column in piece.grid.columns]
        repeated = [at < row.shared and above[: at + 1] == row.labels[: at + 1] for at in range(len(row.labels))]
        labels = [escape_latex(text) for text in piece.grid.labels(row)]
        # The number of classes stands in rows of one label alone, so labels and row.labels pair from the left.
        labels = ["" if is_repeated else text for text, is_repeated in zip(labels, [*repeated, False], strict=False)]
        yield " & ".join([*labels, *(_first_line(piece, cell, marks) for cell in cells)])
        if piece.has_measured(index):
            yield " & ".join([*[""] * len(labels), *(_measured_line(cell, marks, is_below=True) for cell in cells)])
        above = row.labels


def _first_line(piece: _Piece, cell: GridCell, marks: Mapping[int, int]) -> str:
    if not piece.page.show_published:
        return _measured_line(cell, marks, is_below=False) or ABSENT
    is_marked = not (piece.both and (cell.measured or cell.mark))
    text = _placed(escape_latex(cell.published), cell.published_place) if cell.published else ABSENT
    return text + (_note_marks(cell, marks) if is_marked else "")


def _measured_line(cell: GridCell, marks: Mapping[int, int], *, is_below: bool) -> str:
    if not (cell.measured or cell.mark):
        return ""
    value = _placed(escape_latex(cell.measured), cell.measured_place) if cell.measured else ""
    value = f"\\textit{{{value}}}" if value and is_below else value
    return " ".join(filter(None, [value, escape_latex(cell.sign)])) + _note_marks(cell, marks)


def _placed(text: str, place: int) -> str:
    return {1: f"\\textbf{{{text}}}", 2: f"\\underline{{{text}}}"}.get(place, text)


def _note_marks(cell: GridCell, marks: Mapping[int, int]) -> str:
    numbers = ",".join(map(str, sorted(marks[number] for number in cell.notes)))
    return f"\\tnote{{{numbers}}}" if numbers else ""
