"""Tables of facts that are no AUCs, such as counts of images: published beside measured, without verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reports.layouts.errata import erratum_sentences
from reports.layouts.layout import FactLayout
from reports.pages.page import GridCell, Page, PageNotes, TableBlock, TableRow
from reports.tables.table import Show

DIFFERS = "≠"
FactValue = int | float


@dataclass(frozen=True, slots=True)
class Facts:
    """Measured values of one row, by column; `note` explains why they are not what the paper prints."""

    values: Mapping[str, FactValue]
    note: str = ""


@dataclass(frozen=True, slots=True)
class FactRow:
    """One row: texts as printed, and those measured, both by column; none is measured where nothing could be.

    `note` says why measured and published differ, or what a sum lacks.
    """

    coordinates: Mapping[str, str]
    published: Mapping[str, str]
    measured: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    def differs(self, column: str) -> bool:
        return column in self.measured and self.measured[column] != self.published[column]


@dataclass(frozen=True, slots=True)
class FactTable:
    """All rows of one table of facts, in the order of its file."""

    layout: FactLayout
    rows: tuple[FactRow, ...]
    show: Show


def build_fact_table(layout: FactLayout, measured: Mapping[str, Facts], *, show: Show = "both") -> FactTable:
    """Lay out a table of facts; `measured` has them by the layout's key, such as the dataset."""
    facts = {} if show == "published" else measured
    return FactTable(layout, tuple(_row(layout, index, facts) for index in range(len(layout.lines))), show)


def fact_page(table: FactTable) -> Page:
    """The printed form of a table of facts, as its `show` asks."""
    layout, paper, notes = table.layout, table.layout.paper, PageNotes()
    block = TableBlock(
        title="",
        row_headings=tuple(paper.heading(name) for name in layout.entry.rows),
        columns=tuple(paper.heading(name) for name in layout.entry.measured),
        rows=tuple(_grid_row(table, row, notes) for row in table.rows),
    )
    show_published, show_measured = table.show != "measured", table.show != "published"
    sides = " / ".join(["published"] * show_published + ["measured"] * show_measured).capitalize()
    differing = show_measured and any(row.differs(name) for row in table.rows for name in row.measured)
    return Page(
        id=layout.id,
        paper=paper.paper,
        name=layout.name,
        subject=layout.entry.title,
        title=layout.title,
        caption=f"{layout.entry.caption} {sides}.",
        citation=paper.citation,
        verdicts=(),
        blocks=(block,),
        legend=(f"{DIFFERS} differs from what the paper prints",) if differing else (),
        notes=tuple(notes.texts),
        details=(),
        remarks=tuple(layout.entry.notes),
        errata=tuple(erratum_sentences(erratum, paper) for erratum in layout.errata) if show_published else (),
        show_published=show_published,
        show_measured=show_measured,
    )


def _row(layout: FactLayout, index: int, measured: Mapping[str, Facts]) -> FactRow:
    line, entry = layout.lines[index], layout.entry
    coordinates = dict(line.coordinates)
    name = coordinates[entry.key]
    if name in entry.sums:
        facts = _sum(layout.paper.groups[entry.sums[name]], entry.measured, measured)
    else:
        facts = measured.get(name, Facts({}))
    texts = {column: str(facts.values[column]) for column in entry.measured if column in facts.values}
    row = FactRow(coordinates, line.facts, texts)
    explained = not facts.values or any(row.differs(column) for column in row.measured)
    return FactRow(coordinates, line.facts, row.measured, facts.note if explained else "")


def _sum(parts: list[str], columns: list[str], measured: Mapping[str, Facts]) -> Facts:
    part_facts = [measured[part] for part in parts if part in measured]
    if len(part_facts) < len(parts):
        return Facts({}, f"{len(part_facts)} of {len(parts)} are there" if part_facts else "")
    summed = [column for column in columns if all(column in facts.values for facts in part_facts)]
    return Facts({column: sum(facts.values[column] for facts in part_facts) for column in summed})


def _grid_row(table: FactTable, row: FactRow, notes: PageNotes) -> TableRow:
    layout = table.layout
    texts = {**row.coordinates, **row.published}
    noted = [column for column in layout.entry.measured if row.differs(column)] or layout.entry.measured[:1]
    cells = [
        GridCell(
            published=row.published[column] if table.show != "measured" else "",
            measured=row.measured.get(column, ""),
            mark=DIFFERS if row.differs(column) else "",
            sign=DIFFERS if row.differs(column) else "",
            notes=(notes.number(row.note),) if row.note and column in noted else (),
        )
        for column in layout.entry.measured
    ]
    return TableRow(tuple(layout.paper.label(name, texts[name]) for name in layout.entry.rows), tuple(cells))
