"""Tables and figures of papers that a run prints, and the tables of suites themselves."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmark.errors import BenchError
from benchmark.paths import resolve_folders
from benchmark.planning.equivalence import measures, method_titles
from benchmark.planning.inputs.resources import Resources
from benchmark.planning.planner import Planner
from benchmark.planning.suite import Selection, Suite, WantedRun, expand_suite, load_suite, suite_parts
from benchmark.planning.types import RunRequest
from methods.registry import installed
from protocols.coordinates import COORDINATE_FIELDS
from protocols.splits import rules
from protocols.splits.draw.options import Options
from reports.layouts import layout
from reports.layouts.layout import Layout
from reports.layouts.suite import SettingColumns, SuiteCell, SuiteLayout, column_order, column_title
from reports.tables.lookup import MeasuredIds
from results.record import Record
from results.store import Store

_TEST_OPTION = "one_shot_test"


def suite_layouts(suites: Iterable[Suite]) -> list[Layout]:
    """Tables and figures of the papers that the suites fill, each once; `bench report` alone prints scores."""
    tables: dict[str, None] = {}
    figures: dict[str, None] = {}
    for suite in suites:
        tables |= {suite.table: None} if suite.table else {}
        figures |= {suite.figure: None} if suite.figure else {}
    drawings = [layout.figure_layout(name) for name in figures]
    return [layout.auc_layout(name) for name in tables] + [each for each in drawings if isinstance(each, Layout)]


@dataclass(frozen=True)
class SuiteView:
    """The table of a suite with its columns: what records measure, and their titles; `alone` are without anomalies.

    records: those of before without what was tested on other images than the suite's.
    """

    layout: SuiteLayout
    records: tuple[Record, ...]
    measures: MeasuredIds
    titles: Mapping[str, str]
    alone: tuple[str, ...]


def suite_view(suite: Suite, selection: Selection, records: Sequence[Record], added: Sequence[str] = ()) -> SuiteView:
    """The table of a suite, or of what is selected of it, with a column for each method that has runs of it.

    A method with runs of several settings has a column for each; `added` are methods that have one without runs too.

    Raises:
        BenchError: a selected method, dataset or class does not exist, or nothing is left.
    """
    measured_as = measures()
    parts = [_Part(part, part_selection, records, measured_as) for part, part_selection in _parts(suite, selection)]
    columns = SettingColumns(record for part in parts for record in part.records)
    by_method: dict[str, set[str]] = {}
    for record in (record for part in parts for record in part.records):
        by_method.setdefault(record.spec.method, set()).add(columns.column(record))
    ordered = {method: sorted(several, key=column_order) for method, several in by_method.items()}
    suite_cells = [suite_cell for part in parts for suite_cell in part.cells(added, ordered)]
    if not suite_cells:
        raise BenchError(f"the selection leaves nothing of suite {suite.id}: leave out a filter")
    every_column = dict.fromkeys(suite_cell.column for suite_cell in suite_cells)
    titles, methods = method_titles(), installed.methods()
    return SuiteView(
        layout=SuiteLayout(suite.id, suite.title, suite_cells),
        records=tuple(record for record in records if all(part.has_its_test(record) for part in parts)),
        measures=columns.measures(measured_as),
        titles={column: column_title(column, titles) for column in every_column},
        alone=tuple(
            column for column in every_column if (info := methods.get(column.partition("[")[0])) and not info.anomalies
        ),
    )


def suites_tested_apart(suite: Suite) -> list[Suite]:
    """Suites planned after this one that have other test images under its rule: each has a table of its own."""
    listed = map(load_suite, suite.also)
    return [part for part in listed if part.rule == suite.rule and _test_of(part) != _test_of(suite)]


def _test_of(suite: Suite) -> object:
    return suite.options.get(_TEST_OPTION)


def _parts(suite: Suite, selection: Selection) -> Iterator[tuple[Suite, Selection]]:
    """The parts of a suite, of each rule those that test on the same images as the first one of it."""
    tests: dict[str, object] = {}
    for part, part_selection in suite_parts(suite, selection):
        if tests.setdefault(part.rule, _test_of(part)) == _test_of(part):
            yield part, part_selection


class _Part:
    """One rule of a suite, with the records that may stand in its table."""

    def __init__(self, suite: Suite, selection: Selection, records: Sequence[Record], measured_as: MeasuredIds) -> None:
        resources = Resources(resolve_folders(), (), quick=True, notify=None)
        self._planner = Planner(suite, suite.recipe, RunRequest(), resources, Store(resolve_folders().results))
        self._suite, self._selection, self._measured_as = suite, selection, measured_as
        datasets = selection.datasets or tuple(suite.datasets)
        self.records = [record for record in records if _dataset(record) in datasets and self._is_kept(record)]

    def cells(self, added: Sequence[str], columns: Mapping[str, Collection[str]]) -> Iterator[SuiteCell]:
        """The cells of the table; `columns` are those of a method that has several, or another than its id."""
        recorded = {method for record in self.records for method in (record.spec.method, *self._measured_as(record))}
        methods = self._selection.methods or (
            *self._suite.methods,
            *sorted({record.spec.method for record in self.records} - {*self._suite.methods}),
        )
        chosen = replace(self._selection, methods=tuple(dict.fromkeys([*methods, *added])))
        present = {_dataset(record) for record in self.records}
        self._planner.check_names(
            replace(
                chosen,
                methods=tuple(name for name in chosen.methods or () if name not in recorded),
                datasets=tuple(name for name in chosen.datasets or () if name not in present),
            )
        )
        runs = expand_suite(
            self._suite,
            chosen,
            without_anomalies=self._planner.without_anomalies(),
            classes={name: self._classes(name) for name in chosen.datasets or self._suite.datasets},
        )
        for run in runs:
            for column in columns.get(run.method, (run.method,)):
                yield self._suite_cell(run, column)

    def _suite_cell(self, run: WantedRun, column: str) -> SuiteCell:
        rule, kept = self._kept(run)
        return SuiteCell(column, self._suite.rule, _texts(run), rule, _texts(kept), self._suite.recipe)

    def _kept(self, run: WantedRun) -> tuple[str, WantedRun]:
        info = installed.methods().get(run.method)
        return rules.kept_as(self._suite.rule, run, info.rules) if info else (self._suite.rule, run)

    def _is_kept(self, record: Record) -> bool:
        """True for a run under the rule of the suite, or one without labels under the rule that such are kept as."""
        split = record.spec.split
        run = WantedRun(method=record.spec.method, dataset=_dataset(record), seed=0, split_seed=0, **split.coordinates)
        rule, kept = self._kept(run)
        is_unlabelled = all(value in {None, COORDINATE_FIELDS[name].unlabelled} for name, value in split.labels.items())
        is_alike = (split.rule == self._suite.rule or is_unlabelled) and self.has_its_test(record)
        return is_alike and split.rule == rule and kept.coordinates == split.coordinates

    def has_its_test(self, record: Record) -> bool:
        """False where the suite says which draw leaves the test set of its rule, and a run was tested on another's."""
        split, wanted_test = record.spec.split, _test_of(self._suite)
        if wanted_test is None or split.rule != self._suite.rule:
            return True
        return split.options.get(_TEST_OPTION, Options().one_shot_test) == wanted_test

    def _classes(self, name: str) -> tuple[str, ...]:
        """Classes of a dataset as planning knows them, else those that its records have."""
        subset = self._suite.subset
        if subset is None or subset == "source_dataset":
            return ()
        recorded = {getattr(record.spec.split, subset) for record in self.records if _dataset(record) == name}
        return self._planner.classes(name) or tuple(sorted(filter(None, recorded)))


def _dataset(record: Record) -> str:
    return record.spec.split.dataset.partition("@")[0]


def _texts(run: WantedRun) -> tuple[tuple[str, str], ...]:
    """Dataset and coordinates of a run, as a cell has them."""
    return (("dataset", run.dataset.partition("@")[0]), *run.coordinate_texts.items())
