"""How the papers' tables and figures are printed, read from `layouts/PAPER.toml`: one entry each.

A file says for its paper: `unit`, `decimals` (`std_decimals` where the std has others), `metric`, the kind of `std`
(`runs`, `classes`, `none`), the number of `runs` behind a published mean, `methods` (printed method = detector or
variant that measures it; one that is missing there is measured by nothing), `labels` by coordinate, `classes` by
dataset and `groups` of values.

An entry `[tables.ID]`, or `[figures.ID]` for a figure that holds AUCs, has `file` (and `lines`, the value of its
column `table`, where a file holds several), its `coordinates` in the file's order, the `rule` whose runs measure it
(not needed where `protocol` is a coordinate), the coordinates that name `rows`, `blocks` (one printed block a value)
and `columns`, the `order` of a coordinate's values where it is not the file's, and

- `measured`: `when` these coordinates hold, `method` measures the cell (empty: nothing does), under `rule`, on splits
  that have the coordinates of `split` too; where `history` names a number of a run's history, its last value stands in
  the cell in place of the AUC and gets no verdict;
- `means`, cells that are a mean over subsets: `when` these coordinates hold, the mean is taken `over` a coordinate
  whose values are a `group`, or the dataset's classes (`normal_class`), or those of the other lines of the file, or
  `of` another table. A value of a group may be a mean itself;
- `data`: `when` these coordinates hold, the paper used the prepared `variant` of the dataset; runs on another are not
  comparable, for this `reason`.

An entry `[facts.ID]` is a table of other facts (`reports.tables.facts`), `[boxes.ID]` a figure of scores
(`reports.figures.boxes`).
"""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.resources import files
from typing import Literal, NamedTuple

import msgspec

from protocols.text import near_miss
from reports.errors import ReportError
from reports.tables.published import Erratum, FactLine, Place, Unit, errata, read, read_facts

PAPERS = ("dra", "agad", "csi_gan")
SHORT_FORMS = {
    "1": "dra",
    "2": "dra",
    "3": "dra",
    "4": "dra",
    "5": "agad",
    "6": "dra",
    "7": "dra",
    "8": "dra",
    "9": "dra",
}
Kind = Literal["Table", "Figure"]


class MeanRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    over: str
    when: dict[str, str] = {}
    group: str = ""
    of: str = ""


class MeasuredBy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    when: dict[str, str] = {}
    method: str | None = None
    rule: str = ""
    split: dict[str, str] = {}
    history: str = ""


class DataRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    when: dict[str, str]
    variant: str
    reason: str


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table or figure as its TOML entry says."""

    title: str
    file: str
    coordinates: list[str]
    rows: list[str]
    columns: list[str]
    lines: str = ""
    name: str = ""
    blocks: list[str] = []
    order: dict[str, list[str]] = {}
    rule: str = ""
    means: list[MeanRule] = []
    measured: list[MeasuredBy] = []
    data: list[DataRule] = []
    std: Literal["runs", "classes", "none"] | None = None
    metric: str = ""
    notes: list[str] = []


class FactEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of facts: `columns` of the file, those of them that can be `measured`, and what names a row.

    `key` is the coordinate by which measured facts are found; the row of a value in `sums` sums those of a group.
    """

    title: str
    caption: str
    file: str
    coordinates: list[str]
    key: str
    columns: list[str]
    measured: list[str]
    rows: list[str]
    sums: dict[str, str] = {}
    notes: list[str] = []


class BoxEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A figure of scores: of this `method` under `rule`, a colour for each of the `gammas`, a panel a dataset."""

    title: str
    method: str
    rule: str
    gammas: list[str]
    datasets: list[str]
    notes: list[str] = []


class Paper(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One TOML file."""

    paper: str
    name: str
    citation: str
    unit: Unit
    decimals: int
    metric: str
    std: Literal["runs", "classes", "none"]
    runs: int
    std_decimals: int | None = None
    methods: dict[str, str] = {}
    labels: dict[str, dict[str, str]] = {}
    classes: dict[str, int] = {}
    groups: dict[str, list[str]] = {}
    notes: list[str] = []
    no_results: dict[str, str] = {}
    tables: dict[str, Entry] = {}
    facts: dict[str, FactEntry] = {}
    figures: dict[str, Entry] = {}
    boxes: dict[str, BoxEntry] = {}

    def label(self, coordinate: str, value: str) -> str:
        """How a value of a coordinate is printed."""
        known = self.labels.get(coordinate, {})
        if value in known:
            return known[value]
        if coordinate in {"dataset", "source_dataset", "known_class"}:
            return value.replace("_", " ").capitalize()
        return value

    def heading(self, coordinate: str) -> str:
        """How a coordinate itself is printed."""
        known = self.labels.get("coordinate", {})
        return known.get(coordinate, coordinate.replace("_", " ").capitalize())


class Source(NamedTuple):
    """What measures a cell: a detector or variant, under a rule, on splits with the coordinates of `split` too.

    By its AUC, or by the last value of a number in its `history`.
    """

    method: str
    rule: str
    split: Mapping[str, str]
    history: str = ""


class Subset(NamedTuple):
    """One of the splits behind a cell, and its share of the cell's mean."""

    at: dict[str, str]
    share: float


class Layout:
    """One table of a paper, or a figure that holds AUCs: its published places, and which runs measure each of them."""

    def __init__(self, paper: Paper, table: str, kind: Kind = "Table") -> None:
        self.paper = paper
        self.table = table
        self.kind = kind
        self.entry = (paper.tables if kind == "Table" else paper.figures)[table]

    @property
    def id(self) -> str:
        return f"{self.paper.paper}:{self.table}"

    @property
    def title(self) -> str:
        name = self.entry.name or f"{self.kind} {self.table}"
        return f"{name} of {self.paper.name}: {self.entry.title}"

    @property
    def metric(self) -> str:
        return self.entry.metric or self.paper.metric

    @property
    def std(self) -> Literal["runs", "classes", "none"]:
        """Over what the published standard deviations are taken."""
        return self.entry.std or self.paper.std

    @property
    def scale(self) -> float:
        """What an AUC as a fraction is multiplied by to stand in this table."""
        return 100.0 if self.paper.unit == "percent" else 1.0

    @property
    def notes(self) -> list[str]:
        return [*self.paper.notes, *self.entry.notes]

    @cached_property
    def places(self) -> tuple[Place, ...]:
        return read(self.entry.file, self.entry.coordinates, self.entry.lines)

    @cached_property
    def errata(self) -> tuple[Erratum, ...]:
        return errata(self.paper.paper, self.table)

    def label(self, coordinate: str, value: str) -> str:
        return self.paper.label(coordinate, value)

    def heading(self, coordinate: str) -> str:
        return self.paper.heading(coordinate)

    def source(self, where: Mapping[str, str]) -> Source | None:
        """What measures the printed cell at these coordinates; None where nothing does."""
        by = next((rule for rule in self.entry.measured if rule.when.items() <= where.items()), MeasuredBy())
        method = self.paper.methods.get(where.get("method", ""), "") if by.method is None else by.method
        return Source(method, by.rule or self.rule(where), by.split, by.history) if method else None

    def subsets(self, where: Mapping[str, str]) -> list[Subset]:
        """The splits behind a cell: one, or for a mean one a subset."""
        for rule in self.entry.means:
            if rule.when.items() <= where.items():
                parts = [{**where, rule.over: value} for value in self._values(rule, where)]
                nested = [self.subsets(part) if rule.group else [Subset(part, 1.0)] for part in parts]
                return [Subset(one.at, one.share / len(parts)) for part in nested for one in part]
        return [Subset(dict(where), 1.0)]

    def rule(self, where: Mapping[str, str]) -> str:
        """The protocol of the cell's splits."""
        return where.get("protocol", self.entry.rule)

    def other_data(self, where: Mapping[str, str], dataset: str) -> str:
        """Why a run on `dataset`, perhaps a prepared variant, is not on the paper's data; empty where it may be."""
        for rule in self.entry.data:
            if rule.when.items() <= where.items() and dataset.partition("@")[2] != rule.variant:
                return rule.reason
        return ""

    def _values(self, rule: MeanRule, where: Mapping[str, str]) -> Sequence[str]:
        if rule.group:
            return self.paper.groups[rule.group]
        if rule.over == "normal_class":
            return [str(index) for index in range(self.paper.classes[where["dataset"]])]
        others = {name: where[name] for name in self.entry.rows if name != rule.over}
        places = Layout(self.paper, rule.of).places if rule.of else self.places
        found = [dict(place.coordinates) for place in places if others.items() <= dict(place.coordinates).items()]
        return list(dict.fromkeys(at[rule.over] for at in found if not rule.when.items() <= at.items()))


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
    def title(self) -> str:
        return f"Table {self.table} of {self.paper.name}: {self.entry.title}"

    @cached_property
    def lines(self) -> tuple[FactLine, ...]:
        return read_facts(self.entry.file, self.entry.coordinates, self.entry.columns)

    @cached_property
    def errata(self) -> tuple[Erratum, ...]:
        return errata(self.paper.paper, self.table)


class BoxLayout:
    """One figure of scores."""

    def __init__(self, paper: Paper, figure: str) -> None:
        self.paper = paper
        self.entry = paper.boxes[figure]
        self.title = f"Figure {figure} of {paper.name}: {self.entry.title}"


def available() -> list[str]:
    """Ids of all tables of AUCs that `resolve` gives, as `dra:2`."""
    return [f"{name}:{table}" for name in PAPERS for table in _paper(name).tables]


def resolve(name: str) -> Layout:
    """The layout of `dra:2`, `csi_gan:ablation` or a short form: 1 to 4 and 7 to 9 are DRA's, 5 is AGAD's.

    Raises:
        ReportError: there is no such table, or it holds no AUCs.
    """
    found = find(name)
    if isinstance(found, FactLayout):
        raise ReportError(f"{found.title} holds no AUCs: print it with bench report --table {found.id}")
    return found


def find(name: str) -> Layout | FactLayout:
    """The layout of any table: of AUCs, or of other facts.

    Raises:
        ReportError: there is no such table, or it holds no results.
    """
    paper, table = _named(name)
    if paper and table in paper.tables:
        return Layout(paper, table)
    if paper and table in paper.facts:
        return FactLayout(paper, table)
    papers = [_paper(id_) for id_ in PAPERS]
    every = [f"{one.paper}:{id_}" for one in papers for id_ in sorted({*one.tables, *one.facts})]
    if paper and table in paper.no_results:
        what = f"Table {table} of {paper.name} holds no results ({paper.no_results[table]})"
        raise ReportError(f"{what}: choose one of {', '.join(every)}")
    raise ReportError(f"no table {name!r}: {near_miss(name, every)}")


def figure(name: str) -> Layout | BoxLayout:
    """The layout of a figure, as `dra:3left` or `agad:4`.

    Raises:
        ReportError: there is no such figure.
    """
    paper, number = _named(name)
    if paper and number in paper.figures:
        return Layout(paper, number, "Figure")
    if paper and number in paper.boxes:
        return BoxLayout(paper, number)
    papers = [_paper(id_) for id_ in PAPERS]
    every = [f"{one.paper}:{id_}" for one in papers for id_ in (*one.figures, *one.boxes)]
    raise ReportError(f"no figure {name!r}: {near_miss(name, every)}")


def _named(name: str) -> tuple[Paper | None, str]:
    paper, _, table = name.strip().lower().rpartition(":")
    paper = paper or SHORT_FORMS.get(table, "")
    return _paper(paper) if paper in PAPERS else None, table


def _paper(name: str) -> Paper:
    text = (files("reports") / "layouts" / f"{name}.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), Paper)
