"""Tables of papers and of suites with the records that a person asks for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmark.errors import BenchError
from benchmark.paths import resolve_folders
from benchmark.planning.declaration import undeclared_margins
from benchmark.planning.equivalence import detector_versions, measures, method_titles
from benchmark.planning.installed import InstalledCode
from benchmark.planning.suite import Selection, Suite, load_suite, option_words
from benchmark.views.metric_values import MetricValues, scored_folders, scores_digest, scores_finder, tell_remarks
from benchmark.views.records import load_records, parse_conditions
from methods.registry import installed
from protocols.coordinates import COORDINATE_FIELDS
from reports.layouts.layout import Layout
from reports.tables import table
from reports.tables.filtering import TableFilter, filter_table
from reports.tables.lookup import chosen_records
from reports.tables.measured import CellValue
from reports.tables.table import Show, Table
from results.metrics import Metric
from results.record import Record

if TYPE_CHECKING:
    from benchmark.views.tables.suites import SuiteView
    from reports.comparison.pairing import ScoresOf


@dataclass(frozen=True)
class ReportRequest:
    """Choice of the records that a report shows, of the cells, and of the side of these.

    `added` are methods that get a column without records too; `values` are those of coordinates to which a table is
    cut down; `baseline` is the column of a suite that the others are tested against; `names_runs`: what is
    said of a measured cell names its runs.
    """

    show: Show
    results: tuple[Path, ...]
    recipe: str | None
    wheres: tuple[str, ...]
    margin: float
    accept_stale_code: bool
    metric: Metric
    all_sources: bool = False
    added: tuple[str, ...] = ()
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    measured_only: bool = False
    baseline: str | None = None
    names_runs: bool = False


def paper_table(layout: Layout, request: ReportRequest, tell: Callable[[str], None]) -> Table:
    """A table of AUCs, or of another metric in their place, with the records that were asked for.

    Raises:
        BenchError: a folder of records is not there, or a condition has another form.
        MethodError: a method that is to be added does not exist.
        ReportError: nothing that was asked for is there.
    """
    forced = {name: installed.get(name).anomalies for name in request.added}
    code = InstalledCode(accept=request.accept_stale_code)
    find_scores = scores_finder(scored_folders(request.results), tell)
    values = MetricValues(request.metric, find_scores)
    records, measured_as = load_records(request.results, tell) if request.show != "published" else [], measures()
    built = table.build_table(
        layout,
        records,
        measures=measured_as,
        versions=detector_versions(),
        stale=code.stale,
        remark=code.note,
        margin=request.margin,
        recipe=request.recipe,
        params=parse_conditions(request.wheres),
        show=request.show,
        value=CellValue(request.metric, values),
        added_methods=table.unprinted_methods(layout, records, measured_as),
        forced_methods=forced,
        titles=method_titles(),
        scores_digest=partial(scores_digest, find_scores),
        all_sources=request.all_sources,
    )
    tell_remarks([values], tell)
    for remark in undeclared_margins(request.results or (resolve_folders().results,), request.margin):
        tell(remark)
    printed_table = filter_table(
        replace(built, names_runs=request.names_runs), TableFilter(request.values, request.measured_only)
    )
    return _with_base_gains(printed_table, records, find_scores)


class _BuiltSuite(NamedTuple):
    """The table of a suite, measured or not, with what it was made of; `beside` are records of its other datasets."""

    suite: Suite
    selection: Selection
    view: "SuiteView"
    table: Table
    beside: Sequence[Record]


def label_tables(request: ReportRequest, tell: Callable[[str], None]) -> tuple[Table, Table]:
    """The tables of the suites `labels` and `labels_ten_shot`, measured or not.

    Raises:
        BenchError: there is no such method, dataset or folder, or the selection leaves nothing.
        ReportError: a wrong recipe or condition.
    """
    records = chosen_records(load_records(request.results, tell), request.recipe, parse_conditions(request.wheres))
    general, ten_shot = (_built_suite(name, request, records, tell).table for name in ("labels", "labels_ten_shot"))
    return general, ten_shot


def suite_table(name: str, request: ReportRequest, tell: Callable[[str], None]) -> Table:
    """The table of a suite, of a paper or not: its datasets and classes, a column for each method and setting.

    Raises:
        BenchError: there is no such suite, method, dataset or folder, or the selection leaves nothing.
        ReportError: a wrong recipe, condition or baseline, or nothing measured where only that is asked for.
    """
    from reports.comparison.baseline import with_baseline

    all_records = load_records(request.results, tell)
    records = chosen_records(all_records, request.recipe, parse_conditions(request.wheres))
    find_scores = scores_finder(scored_folders(request.results), tell)
    suite, selection, view, built, beside = _built_suite(name, request, records, tell)
    if not built.has_measured:
        command = f"bench run --suite {name}{option_words(selection.options)}"
        further = "" if request.values else _further_datasets(suite, beside)
        raise BenchError(f"no run of suite {suite.id} that is asked for is measured: {command} makes them{further}")
    if request.baseline:
        built = with_baseline(
            built,
            request.baseline,
            view.records,
            measures=view.measures,
            versions=detector_versions(),
            stale=InstalledCode(accept=request.accept_stale_code).stale,
            scores=find_scores,
            alone=view.alone,
        )
    printed_table = filter_table(
        replace(built, names_runs=request.names_runs), TableFilter(measured_only=request.measured_only)
    )
    return _with_base_gains(printed_table, all_records, find_scores)


def _built_suite(
    name: str, request: ReportRequest, records: Sequence[Record], tell: Callable[[str], None]
) -> _BuiltSuite:
    from benchmark.views.tables.suites import suite_view

    suite = load_suite(name)
    selection = Selection(
        methods=request.values.get("method"),
        datasets=request.values.get("dataset"),
        coordinates={
            name: tuple(map(field.kind, request.values[name]))
            for name, field in COORDINATE_FIELDS.items()
            if name in request.values
        },
    )
    view = suite_view(suite, selection, records, request.added)
    code = InstalledCode(accept=request.accept_stale_code)
    find_scores = scores_finder(scored_folders(request.results), tell)
    values = MetricValues(request.metric, find_scores)
    built = table.build_table(
        view.layout,
        view.records,
        measures=view.measures,
        versions=detector_versions(),
        stale=code.stale,
        remark=code.note,
        titles=view.titles,
        value=CellValue(request.metric, values),
        scores_digest=partial(scores_digest, find_scores),
    )
    tell_remarks([values], tell)
    return _BuiltSuite(suite, selection, view, built, records)


def _with_base_gains(built: Table, records: Sequence[Record], find_scores: "ScoresOf") -> Table:
    """The table with a remark on each method of it that has a base: what it gains on that."""
    if not any(record.spec.source for record in records):
        return built
    from reports.comparison.bases import base_remarks

    return replace(built, remarks=(*built.remarks, *base_remarks(built, records, find_scores)))


def _further_datasets(suite: Suite, records: Sequence[Record]) -> str:
    """The datasets with runs under the rule of a suite that does not list them; it has a table of these on demand."""
    datasets = {
        record.spec.split.dataset.partition("@")[0] for record in records if record.spec.split.rule == suite.rule
    }
    further = ",".join(sorted(datasets - {*suite.datasets}))
    return f"; --dataset {further} shows what was run beside it" if further else ""
