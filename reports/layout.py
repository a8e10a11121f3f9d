"""How the papers' tables are printed, read from `layouts/PAPER.toml`: one entry a table.

A file says for its paper: `unit`, `decimals` (`std_decimals` where the std has others), `metric`, the kind of `std`
(`runs`, `classes`, `none`), the number of `runs` behind a published mean, `methods` (printed method = detector or
variant that measures it; one that is missing there is measured by nothing), `labels` by coordinate, `classes` by
dataset and `groups` of values.

An entry `[tables.ID]` has `file`, its `coordinates` in the file's order, the `rule` whose runs measure it (not needed
where `protocol` is a coordinate), the coordinates that name `rows`, `blocks` (one printed block a value) and `columns`,
and

- `measured`, for tables without a method column: `when` these coordinates hold, `method` measures the cell;
- `means`, cells that are a mean over subsets: `when` these coordinates hold, the mean is taken `over` a coordinate
  whose values are a `group`, or the dataset's classes (`normal_class`), or those of the file's other lines.
"""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.resources import files
from typing import Literal

import msgspec

from reports.errors import ReportError, did_you_mean
from reports.published import Erratum, Place, Unit, errata, read

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


class MeanRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    over: str
    when: dict[str, str] = {}
    group: str = ""


class MeasuredBy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    when: dict[str, str]
    method: str


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table as its TOML entry says."""

    title: str
    file: str
    coordinates: list[str]
    rows: list[str]
    columns: list[str]
    blocks: list[str] = []
    rule: str = ""
    means: list[MeanRule] = []
    measured: list[MeasuredBy] = []
    std: Literal["runs", "classes", "none"] | None = None
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
    not_laid_out: list[str] = []
    tables: dict[str, Entry] = {}


class Layout:
    """One table of a paper: its published places, and which runs measure each of them."""

    def __init__(self, paper: Paper, table: str) -> None:
        self.paper = paper
        self.table = table
        self.entry = paper.tables[table]

    @property
    def id(self) -> str:
        return f"{self.paper.paper}:{self.table}"

    @property
    def title(self) -> str:
        return f"Table {self.table} of {self.paper.name}: {self.entry.title}"

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
        return read(self.entry.file, self.entry.coordinates)

    @cached_property
    def errata(self) -> tuple[Erratum, ...]:
        return errata(self.paper.paper, self.table)

    def label(self, coordinate: str, value: str) -> str:
        """How a value of a coordinate is printed."""
        known = self.paper.labels.get(coordinate, {})
        if value in known:
            return known[value]
        if coordinate in {"dataset", "known_class"}:
            return value.replace("_", " ").capitalize()
        return value

    def heading(self, coordinate: str) -> str:
        """How a coordinate itself is printed."""
        known = self.paper.labels.get("coordinate", {})
        return known.get(coordinate, coordinate.replace("_", " ").capitalize())

    def method(self, where: Mapping[str, str]) -> str | None:
        """The detector or variant that measures the cell at these coordinates; None where nothing does."""
        for rule in self.entry.measured:
            if rule.when.items() <= where.items():
                return rule.method
        return self.paper.methods.get(where.get("method", ""))

    def subsets(self, where: Mapping[str, str]) -> list[dict[str, str]]:
        """Coordinates of the splits behind a cell: one, or for a mean one a subset."""
        for rule in self.entry.means:
            if rule.when.items() <= where.items():
                return [{**where, rule.over: value} for value in self._values(rule, where)]
        return [dict(where)]

    def rule(self, where: Mapping[str, str]) -> str:
        """The protocol of the cell's splits."""
        return where.get("protocol", self.entry.rule)

    def _values(self, rule: MeanRule, where: Mapping[str, str]) -> Sequence[str]:
        if rule.group:
            return self.paper.groups[rule.group]
        if rule.over == "normal_class":
            return [str(index) for index in range(self.paper.classes[where["dataset"]])]
        others = {name: where[name] for name in self.entry.rows if name != rule.over}
        found = [dict(place.coordinates) for place in self.places if others.items() <= dict(place.coordinates).items()]
        return list(dict.fromkeys(at[rule.over] for at in found if not rule.when.items() <= at.items()))


def available() -> list[str]:
    """Ids of all tables that `resolve` gives, as `dra:2`."""
    return [f"{name}:{table}" for name in PAPERS for table in _paper(name).tables]


def resolve(name: str) -> Layout:
    """The layout of `dra:2`, `csi_gan:ablation` or a short form: 1 to 4 and 7 to 9 are DRA's, 5 is AGAD's.

    Raises:
        ReportError: there is no such table, it holds no results, or it is not laid out.
    """
    paper_name, _, table = name.strip().lower().rpartition(":")
    paper_name = paper_name or SHORT_FORMS.get(table, "")
    if paper_name not in PAPERS:
        raise ReportError(f"no table {name!r}{did_you_mean(name, available()) or _choice()}")
    paper = _paper(paper_name)
    if table in paper.tables:
        return Layout(paper, table)
    if table in paper.no_results:
        raise ReportError(f"Table {table} of {paper.name} holds no results ({paper.no_results[table]}){_choice()}")
    if table in paper.not_laid_out:
        raise ReportError(f"Table {table} of {paper.name} is not laid out yet{_choice()}")
    raise ReportError(f"no table {name!r}{did_you_mean(name, available()) or _choice()}")


def _choice() -> str:
    return f": choose one of {', '.join(available())}"


def _paper(name: str) -> Paper:
    text = (files("reports") / "layouts" / f"{name}.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), Paper)
