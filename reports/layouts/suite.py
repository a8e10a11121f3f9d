"""A suite as a table of its own, whatever a paper prints: rows of datasets and classes, columns of methods."""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from math import isfinite
from typing import NamedTuple

from protocols.coordinates import COORDINATE_FIELDS
from protocols.text import plural
from reports.layouts.layout import Layout, Source
from reports.layouts.paper import Paper, TableEntry
from reports.layouts.published import CellCoordinates, Erratum, PublishedCell
from reports.layouts.subsets import CellSubset
from results.record import Record

MEAN_ROW = "mean"
_LABEL_NAMES = tuple(name for name, field in COORDINATE_FIELDS.items() if field.role == "labels")


class SuiteCell(NamedTuple):
    """Runs of a suite that differ in their seeds alone: the column of their method, and the split as it was asked for.

    `kept_rule` and `kept` are rule and split under which their records are kept, which may be another rule's. `recipe`
    is the suite's, whose runs are shown first.
    """

    column: str
    rule: str
    split: CellCoordinates
    kept_rule: str
    kept: CellCoordinates
    recipe: str = ""

    @property
    def dataset(self) -> str:
        return dict(self.split)["dataset"]


class SuiteLayout(Layout):
    """The table of a suite; no value of it is published."""

    def __init__(self, suite: str, title: str, suite_cells: Iterable[SuiteCell]) -> None:
        self._suite_cells = list(dict.fromkeys(suite_cells))
        rules = {suite_cell.rule for suite_cell in self._suite_cells}
        splits = [dict(suite_cell.split) for suite_cell in self._suite_cells]
        used = [name for name in COORDINATE_FIELDS if any(split[name] for split in splits)]
        self._labels = [name for name in used if name in _LABEL_NAMES]
        self._subset = [name for name in used if name not in _LABEL_NAMES]
        rows = [*(["protocol"] if len(rules) > 1 else []), "dataset", *self._subset]
        entry = TableEntry(
            title=title,
            name=f"Suite {suite}",
            file="",
            coordinates=[*rows, "method", *self._labels],
            rows=rows,
            columns=["method"],
            blocks=self._labels,
            rule=min(rules),
        )
        paper = Paper(
            folder="",
            paper="suite",
            name="",
            citation="",
            unit="fraction",
            decimals=3,
            metric="AUC",
            std="runs",
            runs=0,
            tables={suite: entry},
        )
        super().__init__(paper, suite)

    @property
    def title(self) -> str:
        return f"{self.entry.name}: {self.entry.title}"

    def label(self, coordinate: str, value: str) -> str:
        if coordinate == "shots" and value:
            return plural(int(value), "labelled anomaly", "labelled anomalies")
        if value == MEAN_ROW and coordinate in self.entry.rows:
            return "Mean"
        return f"gamma {value}" if coordinate == "gamma" else value

    @cached_property
    def errata(self) -> tuple[Erratum, ...]:
        return ()

    @property
    def is_published(self) -> bool:
        return False

    @cached_property
    def published_cells(self) -> tuple[PublishedCell, ...]:
        """The cells of the table: the rows of each dataset and their mean, then the mean over datasets."""
        return tuple(PublishedCell(at, None) for at in self._cells)

    @cached_property
    def leaves(self) -> frozenset[CellCoordinates]:
        return frozenset(map(self._at, self._suite_cells))

    def source(self, coordinates: Mapping[str, str]) -> Source | None:
        runs = self._cells.get(tuple(coordinates.items()))
        return Source(coordinates["method"], runs[0][0].kept_rule, {}, recipe=runs[0][0].recipe) if runs else None

    def subsets(self, coordinates: Mapping[str, str]) -> list[CellSubset]:
        runs = self._cells[tuple(coordinates.items())]
        return [CellSubset(dict(suite_cell.kept), share) for suite_cell, share in runs]

    @cached_property
    def _cells(self) -> dict[CellCoordinates, list[tuple[SuiteCell, float]]]:
        """The leaf cells behind each cell, with their shares of its mean."""
        cells: dict[CellCoordinates, list[tuple[SuiteCell, float]]] = {}
        for of_rule in _grouped(self._suite_cells, lambda suite_cell: suite_cell.rule):
            by_dataset = _grouped(of_rule, lambda suite_cell: suite_cell.dataset)
            for of_dataset in by_dataset:
                cells |= {self._at(suite_cell): [(suite_cell, 1.0)] for suite_cell in of_dataset}
                if len({self._values(suite_cell, self.entry.rows) for suite_cell in of_dataset}) > 1:
                    cells |= self._means(of_dataset, self._subset)
            if len(by_dataset) > 1:
                cells |= self._means(of_rule, ["dataset", *self._subset])
        return cells

    def _means(
        self, suite_cells: Sequence[SuiteCell], over: Sequence[str]
    ) -> dict[CellCoordinates, list[tuple[SuiteCell, float]]]:
        """A mean row of every column: each dataset counts alike, and within it each class."""
        means: dict[CellCoordinates, list[tuple[SuiteCell, float]]] = {}
        for column in _grouped(suite_cells, lambda suite_cell: self._values(suite_cell, ["method", *self._labels])):
            parts = _grouped(column, lambda suite_cell: suite_cell.dataset)
            at = tuple((name, MEAN_ROW if name in over else text) for name, text in self._at(column[0]))
            means[at] = [(suite_cell, 1 / len(parts) / len(part)) for part in parts for suite_cell in part]
        return means

    def _at(self, suite_cell: SuiteCell) -> CellCoordinates:
        texts = {"protocol": suite_cell.rule, "method": suite_cell.column, **dict(suite_cell.split)}
        return tuple((name, texts[name]) for name in self.entry.coordinates)

    def _values(self, suite_cell: SuiteCell, names: Sequence[str]) -> tuple[str, ...]:
        at = dict(self._at(suite_cell))
        return tuple(at[name] for name in names)


def _grouped(suite_cells: Iterable[SuiteCell], key: Callable[[SuiteCell], Hashable]) -> list[list[SuiteCell]]:
    groups: dict[Hashable, list[SuiteCell]] = {}
    for suite_cell in suite_cells:
        groups.setdefault(key(suite_cell), []).append(suite_cell)
    return list(groups.values())


class SettingColumns:
    """Columns of the methods that were run with several values of a parameter: one for each setting."""

    def __init__(self, records: Iterable[Record]) -> None:
        settings: dict[str, dict[tuple[tuple[str, str], ...], None]] = {}
        for record in records:
            settings.setdefault(record.spec.method, {})[_own_settings(record)] = None
        self._varied = {method: _varied_names(list(several)) for method, several in settings.items()}

    def column(self, record: Record) -> str:
        """The column of a run as the method that it was run as: its id, followed by what differs between its runs."""
        method = record.spec.method
        values = [f"{name}={value}" for name, value in _own_settings(record) if name in self._varied.get(method, ())]
        return f"{method}[{';'.join(values)}]" if values else method

    def measures(self, measures: Callable[[Record], Collection[str]]) -> Callable[[Record], Collection[str]]:
        """The ids that a record measures, the column in the place of the method that it was run as."""
        return lambda record: {self.column(record) if name == record.spec.method else name for name in measures(record)}


def column_order(column: str) -> list[tuple[bool, float, str]]:
    """Key that sorts the columns of one method: without settings first, then by values, numbers as such."""
    values = column.partition("[")[2].removesuffix("]").split(";")
    texts = [value.partition("=")[2] or value for value in values]
    return [(not _is_number(text), float(text) if _is_number(text) else 0.0, text) for text in texts if text]


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False


def column_title(column: str, titles: Mapping[str, str]) -> str:
    """The printed form of a column: `DRA, topk = 5`."""
    method, _, values = column.removesuffix("]").partition("[")
    parts = [value.replace("=", " = ", 1) for value in filter(None, values.split(";"))]
    return ", ".join([titles.get(method, method), *parts])


def _varied_names(settings: Sequence[tuple[tuple[str, str], ...]]) -> set[str]:
    """The names whose values are not the same in all of these settings."""
    return {
        name for values in settings for name, value in values if any((name, value) not in other for other in settings)
    }


def _own_settings(record: Record) -> tuple[tuple[str, str], ...]:
    """Parameters of a run that are not its recipe's."""
    options = record.spec.split.options
    return tuple((name, value) for name, value in record.spec.settings.items() if name not in options)
