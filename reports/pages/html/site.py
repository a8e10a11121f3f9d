"""A site of all tables: its index with the reproduction board, and pages of cards."""

from collections import Counter
from dataclasses import dataclass

from reports.pages.html.cells import shown_verdict, verdict_kinds
from reports.pages.html.model import ShownVerdict
from reports.pages.sentences import verdict_sentences
from reports.tables.groups import leaf_cells
from reports.tables.table import Table


@dataclass(frozen=True, slots=True)
class BoardLine:
    """A table on the reproduction board: leaf cells, those measured, their verdicts with counts, and runs.

    cells is 0 for a table of facts. sentences: one a method, on its verdict.
    """

    title: str
    address: str
    cells: int = 0
    measured: int = 0
    runs: int = 0
    verdicts: tuple[tuple[ShownVerdict, int], ...] = ()
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BoardPaper:
    """A paper on the board with its tables."""

    name: str
    citation: str
    lines: tuple[BoardLine, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """A detector or a dataset: what it is and its facts by name."""

    title: str
    id: str
    summary: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CardPage:
    """A page of cards of one kind; `address` is its file."""

    title: str
    lead: str
    address: str
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True)
class SiteIndex:
    """The first page of a site."""

    papers: tuple[BoardPaper, ...]
    pages: tuple[CardPage, ...]
    made_by: str

    @property
    def measured(self) -> int:
        return sum(line.measured for paper in self.papers for line in paper.lines)

    @property
    def cells(self) -> int:
        return sum(line.cells for paper in self.papers for line in paper.lines)


def board_line(table: Table, address: str, runs: int) -> BoardLine:
    """The line of a table of AUCs that `runs` runs stand behind."""
    cells = leaf_cells(table)
    shown = [verdict for cell in cells if (verdict := shown_verdict(table, cell)).name]
    counts = Counter(verdict.name for verdict in shown)
    return BoardLine(
        title=table.title,
        address=address,
        cells=len(cells),
        measured=sum(cell.measured is not None for cell in cells),
        runs=runs,
        verdicts=tuple((verdict, counts[verdict.name]) for verdict in verdict_kinds(shown)),
        sentences=tuple(verdict_sentences(table)),
    )
