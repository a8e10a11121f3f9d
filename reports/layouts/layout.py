"""Layouts of papers' tables and figures: their published places, and which runs measure each of them."""

from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

from protocols.coordinates import COORDINATE_FIELDS
from protocols.text import near_miss
from reports.errors import ReportError
from reports.layouts import papers
from reports.layouts.paper import MeasuredBy, Paper, SourceKind
from reports.layouts.published import CellCoordinates, Erratum, FactLine, PublishedCell, read_errata, read_facts
from reports.layouts.subsets import CellSubset, SubsetFinder, entry_cells

LayoutKind = Literal["Table", "Figure"]


class Source(NamedTuple):
    """Source of a cell's measured value: a detector or variant, under a rule, on splits that have `split` too.

    By its AUC, or by the last value of a number in its `history`. Runs of `recipe`, where it is given, stand before
    those of others.
    """

    method: str
    rule: str
    split: Mapping[str, str]
    history: str = ""
    recipe: str = ""


class Layout:
    """One table of a paper, or a figure that holds AUCs: its published places, and which runs measure each of them."""

    def __init__(self, paper: Paper, table: str, kind: LayoutKind = "Table") -> None:
        self.paper = paper
        self.table = table
        self.kind = kind
        self.entry = (paper.tables if kind == "Table" else paper.figures)[table]
        self._subsets: dict[CellCoordinates, list[CellSubset]] = {}

    @property
    def id(self) -> str:
        return f"{self.paper.paper}:{self.table}"

    @property
    def name(self) -> str:
        return f"{self.entry.name or f'{self.kind} {self.table}'} of {self.paper.name}"

    @property
    def title(self) -> str:
        return f"{self.name}: {self.entry.title}"

    @property
    def is_published(self) -> bool:
        """True where a paper prints values in these places."""
        return True

    @property
    def metric(self) -> str:
        return self.entry.metric or self.paper.metric

    @property
    def std(self) -> Literal["runs", "classes", "none"]:
        """Over what the published standard deviations are taken."""
        return self.entry.std or self.paper.std

    @property
    def scale(self) -> float:
        """Factor of an AUC as a fraction in this table."""
        return 100.0 if self.paper.unit == "percent" else 1.0

    @property
    def notes(self) -> list[str]:
        return [*self.paper.notes, *self.entry.notes]

    @property
    def groups(self) -> list[str]:
        """The coordinates that name the groups of cells which are judged together."""
        usual = ["protocol", "method", *(name for name, field in COORDINATE_FIELDS.items() if field.role == "labels")]
        names = usual if self.entry.groups is None else self.entry.groups
        return [name for name in names if name in self.entry.coordinates]

    @cached_property
    def leaves(self) -> frozenset[CellCoordinates]:
        """The printed cells that are no mean of other printed ones."""
        printed = {cell.coordinates for cell in self.published_cells if cell.value}
        return frozenset(at for at in printed if not self._is_mean_of(printed, at))

    def _is_mean_of(self, printed: Collection[CellCoordinates], at: CellCoordinates) -> bool:
        parts = [tuple(subset.coordinates.items()) for subset in self.subsets(dict(at))]
        return len(parts) > 1 and any(part in printed for part in parts)

    @cached_property
    def class_counts(self) -> Mapping[str, str]:
        """Numbers of anomaly classes by dataset, where the paper's table has that column."""
        facts = self.entry.class_counts
        lines = FactLayout(self.paper, facts).lines if facts else ()
        return {dict(line.coordinates)["dataset"]: line.facts["anomaly_classes"] for line in lines}

    @cached_property
    def published_cells(self) -> tuple[PublishedCell, ...]:
        return entry_cells(self.paper, self.entry)

    @cached_property
    def _finder(self) -> SubsetFinder:
        return SubsetFinder(self.paper, self.entry, self.published_cells)

    @cached_property
    def errata(self) -> tuple[Erratum, ...]:
        """Doubts of the audit, which are about tables: a figure may share a table's number."""
        is_table = self.kind == "Table"
        return read_errata(Path(self.paper.folder), self.paper.paper, self.table) if is_table else ()

    def label(self, coordinate: str, value: str) -> str:
        return self.paper.label(coordinate, value)

    def heading(self, coordinate: str) -> str:
        return self.paper.heading(coordinate)

    def source(self, coordinates: Mapping[str, str]) -> Source | None:
        """The source of the printed cell at these coordinates; None where nothing measures it."""
        by = next((rule for rule in self.entry.measured if rule.when.items() <= coordinates.items()), MeasuredBy())
        method = self.paper.methods.get(coordinates.get("method", ""), "") if by.method is None else by.method
        return Source(method, by.rule or self.rule(coordinates), by.split, by.history) if method else None

    def source_kind(self, coordinates: Mapping[str, str]) -> tuple[SourceKind, str]:
        """The kind of a printed value, and the id of the paper that a quoted one is from, if that is known."""
        for rule in self.entry.quoted:
            if rule.when.items() <= coordinates.items():
                return "quoted", rule.of
        kind = self.paper.sources.get(coordinates.get("method", ""), "paper")
        return kind, self.paper.quoted_from if kind == "quoted" else ""

    def subsets(self, coordinates: Mapping[str, str]) -> list[CellSubset]:
        """The splits behind a cell: one, or for a mean one a subset."""
        at = tuple(coordinates.items())
        if at not in self._subsets:
            self._subsets[at] = self._finder.find(coordinates)
        return self._subsets[at]

    def rule(self, coordinates: Mapping[str, str]) -> str:
        """The protocol of the cell's splits."""
        return coordinates.get("protocol", self.entry.rule)

    def other_data(self, coordinates: Mapping[str, str], dataset: str) -> str:
        """The reason why a run on `dataset`, perhaps a prepared variant, is not on the paper's data; else empty."""
        for rule in self.entry.data:
            if rule.when.items() <= coordinates.items() and dataset.partition("@")[2] != rule.variant:
                return rule.reason
        return ""


class FactLayout:
    """One table of facts that are no AUCs."""

    def __init__(self, paper: Paper, table: str) -> None:
        self.paper = paper
        self.table = table
        self.entry = paper.facts[table]

    @property
    def id(self) -> str:
        return f"{self.paper.paper}:{self.table}"

    @property
    def name(self) -> str:
        return f"Table {self.table} of {self.paper.name}"

    @property
    def title(self) -> str:
        return f"{self.name}: {self.entry.title}"

    @cached_property
    def lines(self) -> tuple[FactLine, ...]:
        return read_facts(Path(self.paper.folder, self.entry.file), self.entry.coordinates, self.entry.columns)

    @cached_property
    def errata(self) -> tuple[Erratum, ...]:
        return read_errata(Path(self.paper.folder), self.paper.paper, self.table)


class BoxLayout:
    """One figure of scores."""

    def __init__(self, paper: Paper, figure: str) -> None:
        self.paper = paper
        self.entry = paper.boxes[figure]
        self.title = f"Figure {figure} of {paper.name}: {self.entry.title}"


def auc_table_ids() -> list[str]:
    """Ids `PAPER:TABLE` of all tables of AUCs, which `resolve` gives."""
    return [f"{paper.paper}:{table}" for paper in papers.every_paper() for table in paper.tables]


def table_ids() -> list[str]:
    """Ids of all tables, those of facts too."""
    every = papers.every_paper()
    return [f"{paper.paper}:{table}" for paper in every for table in sorted({*paper.tables, *paper.facts})]


def figure_ids() -> list[str]:
    """Ids of all figures, those of scores too."""
    return [f"{paper.paper}:{id_}" for paper in papers.every_paper() for id_ in (*paper.figures, *paper.boxes)]


def score_figure_ids() -> list[str]:
    """Ids of the figures of scores, which hold no AUCs."""
    return [f"{paper.paper}:{id_}" for paper in papers.every_paper() for id_ in paper.boxes]


def auc_layout(name: str) -> Layout:
    """The layout of a table of AUCs, by its id or a short form.

    Raises:
        ReportError: there is no such table, it holds no AUCs, or the plug-in that offers its paper is broken.
    """
    layout = find_layout(name)
    if isinstance(layout, FactLayout):
        raise ReportError(f"{layout.title} holds no AUCs: print it with bench report --table {layout.id}")
    return layout


def find_layout(name: str) -> Layout | FactLayout:
    """The layout of any table, of AUCs or of other facts, by its id or a short form.

    Raises:
        ReportError: there is no such table, it holds no results, or the plug-in that offers its paper is broken.
    """
    paper, table = _named(name)
    if paper and table in paper.tables:
        return Layout(paper, table)
    if paper and table in paper.facts:
        return FactLayout(paper, table)
    if paper and table in paper.no_results:
        reason = f"Table {table} of {paper.name} holds no results ({paper.no_results[table]})"
        raise ReportError(f"{reason}: choose one of {', '.join(table_ids())}")
    raise ReportError(f"no table {name!r}: {near_miss(name, table_ids())}")


def figure_layout(name: str) -> Layout | BoxLayout:
    """The layout of a figure, of AUCs or of scores, by its id.

    Raises:
        ReportError: there is no such figure, or the plug-in that offers its paper is broken.
    """
    paper, number = _named(name)
    if paper and number in paper.figures:
        return Layout(paper, number, "Figure")
    if paper and number in paper.boxes:
        return BoxLayout(paper, number)
    raise ReportError(f"no figure {name!r}: {near_miss(name, figure_ids())}")


def _named(name: str) -> tuple[Paper | None, str]:
    paper, _, table = name.strip().lower().rpartition(":")
    return papers.find_paper(paper) if paper else papers.paper_of_short_form(table), table
