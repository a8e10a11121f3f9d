"""`bench check`: the gate, for a CI that must fail when a reproduced number stops reproducing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from benchmark.errors import BenchError
from benchmark.terminal.options import (
    FilePath,
    accept_stale_option,
    metric_option,
    note,
    record_options,
    say,
    write_output,
)

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark.planning.installed import InstalledCode
    from benchmark.views.demands import ReferenceRuns
    from benchmark.views.metric_values import MetricValues
    from reports.gates.faults import Fault
    from reports.gates.published import Gate
    from reports.gates.reference import Agreement, ComparedMetric
    from reports.gates.required import Required
    from reports.tables.layout import Layout
    from reports.tables.table import Table
    from results.metrics import Metric
    from results.record import Record

PUBLISHED, REFERENCE = "published", "reference"
ELSEWHERE = {
    "names": ("--table", PUBLISHED),
    "margin": ("--margin", PUBLISHED),
    "include_not_comparable": ("--include-not-comparable", PUBLISHED),
    "tolerance": ("--tolerance", REFERENCE),
    "partial": ("--partial", REFERENCE),
}
"""Options of the verb, each with the one side of `--against` that it says something about."""


@dataclass(frozen=True)
class _Held:
    """The records that the gate looks at, what of them is unreadable or contradicts itself, and what must be there."""

    records: "Sequence[Record]"
    unread: "Sequence[Fault]"
    contradictions: Sequence[str]
    code: "InstalledCode"
    required: "Required | None"


@click.command("check", short_help="The gate: exit 3 on a regression or a fault, 4 when there was nothing to compare.")
@click.option(
    "--against",
    required=True,
    metavar="published|reference|FILE|FOLDER",
    help="The papers' values; the packaged reference runs; other runs: a results folder, or records in a .jsonl file.",
)
@click.option("--table", "names", multiple=True, metavar="TABLE", help="Only this table; repeatable (default: all).")
@record_options
@click.option("--include-not-comparable", is_flag=True, help="Also test cells that are not comparable, and say so.")
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.01,
    show_default=True,
    help="Largest difference in a metric from a reference run of another machine; on the same kind there may be none.",
)
@click.option(
    "--partial", is_flag=True, help="A part of the reference runs is meant: one that was not made is no fault."
)
@click.option(
    "--require",
    type=FilePath(),
    metavar="FILE",
    help="What must be there: records, or a line each for a cell (general/elpv/dra/10, or in one table only "
    "PAPER:TABLE/general/elpv/dra/10) or the name of a run.",
)
@metric_option
@accept_stale_option
@click.option("--junit", type=FilePath(dir_okay=False), metavar="FILE", help="Write JUnit XML.")
@click.option("--summary", type=FilePath(dir_okay=False), metavar="FILE", help="Write Markdown.")
@click.pass_context
def command(
    ctx: click.Context,
    against: str,
    names: tuple[str, ...],
    results: "tuple[Path, ...]",
    recipe: str | None,
    include_not_comparable: bool,
    margin: float,
    tolerance: float,
    partial: bool,
    require: "Path | None",
    metric: "Metric",
    accept_stale_code: bool,
    junit: "Path | None",
    summary: "Path | None",
) -> int:
    """Test whether our values are worse than the published ones, or other than those of reference runs.

    Exit status 3: a regression or a difference; a run or cell that failed, is stale, or is required and absent. Against
    reference runs each of them is required, but with --partial; one whose run has another key is always a fault. The
    default metric stands for AUC and average precision, which every record holds.
    """
    _refuse_elsewhere(ctx, PUBLISHED if against == PUBLISHED else REFERENCE)
    held = _held(results, recipe, require, accept=accept_stale_code)
    if against == PUBLISHED:
        from reports.gates import published_output

        gate = _gate(held, names, margin, metric, include_not_comparable=include_not_comparable)
        status, lines = gate.status, published_output.lines(gate)
        pages = {junit: published_output.junit(gate), summary: published_output.summary(gate)}
    else:
        from benchmark.views.demands import read_references
        from benchmark.views.metric_values import tell_remarks
        from reports.gates import reference_output

        compared, values = _compared(metric, results, against)
        agreement = _agreement(held, read_references(against), recipe, tolerance, compared, partial=partial)
        tell_remarks(values, note)
        status, lines = agreement.status, reference_output.lines(agreement)
        pages = {junit: reference_output.junit(agreement), summary: reference_output.summary(agreement)}
    for line in lines:
        say(line)
    for path, page in pages.items():
        if path:
            write_output(path, page)
    return status


def _refuse_elsewhere(ctx: click.Context, side: str) -> None:
    for name, (option, option_side) in ELSEWHERE.items():
        if option_side != side and ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            opposite = "reference runs" if side == REFERENCE else "published values"
            raise BenchError(f"{option} says nothing against {opposite}: leave it out")


def _held(results: "tuple[Path, ...]", recipe: str | None, require: "Path | None", *, accept: bool) -> _Held:
    from benchmark.planning.installed import InstalledCode
    from benchmark.views.demands import read_required, unread_records
    from benchmark.views.records import load_records
    from reports.tables.table import chosen

    code = InstalledCode(accept=accept)
    required_runs = read_required(require) if require else None
    contradictions: list[str] = []
    records = load_records(results, note, contradictions.append)
    chosen_records = chosen(records, recipe, {})
    if remark := code.note(chosen_records):
        note(remark)
    return _Held(chosen_records, unread_records(results, records), contradictions, code, required_runs)


def _gate(
    held: _Held, names: tuple[str, ...], margin: float, metric: "Metric", *, include_not_comparable: bool
) -> "Gate":
    from benchmark.planning.equivalence import leaking_series
    from reports.gates import published
    from reports.tables import layout
    from results.metrics import AUROC

    layouts = [layout.resolve(name) for name in names or layout.available()]
    unpublished = "" if metric.id == AUROC.id else metric.title
    return published.check(
        [] if unpublished else _tables(held, layouts, margin),
        include_not_comparable=include_not_comparable,
        leaking=leaking_series(held.records),
        faults=[*held.unread, *_unmet(held)],
        required=held.required.lines if held.required else (),
        contradictions=held.contradictions,
        unpublished=unpublished,
    )


def _compared(
    metric: "Metric", results: "tuple[Path, ...]", against: str
) -> "tuple[list[ComparedMetric], list[MetricValues]]":
    """The metric of our runs and of the reference runs; AUC stands for all that records hold. Then what is computed."""
    from pathlib import Path

    from benchmark.views.metric_values import MetricValues, scored_folders, scores_finder
    from reports.gates.reference import STORED, ComparedMetric
    from results.metrics import AUROC
    from results.store import Store

    if metric.id == AUROC.id:
        return [*STORED], []
    theirs = [Store(Path(against))] if Path(against).is_dir() else []
    finders = [scores_finder(stores, note) for stores in (scored_folders(results), theirs)]
    measured, reference = (MetricValues(metric, find_scores) for find_scores in finders)
    return [ComparedMetric(metric.title, measured, reference)], [measured, reference]


def _agreement(
    held: _Held,
    references: "ReferenceRuns",
    recipe: str | None,
    tolerance: float,
    compared: "list[ComparedMetric]",
    *,
    partial: bool,
) -> "Agreement":
    from benchmark.planning.equivalence import detector_versions, leaking_series
    from reports.gates import reference
    from reports.tables.table import chosen

    reference_records = chosen(list(references.records), recipe, {})
    return reference.compare(
        held.records,
        reference_records,
        tolerance=tolerance,
        versions=detector_versions(),
        stale=held.code.stale,
        partial=partial,
        leaking=leaking_series([*held.records, *reference_records]),
        faults=[*references.unreadable, *held.unread, *_unmet(held)],
        contradictions=[*held.contradictions, *references.contradictions],
        metrics=compared,
    )


def _unmet(held: _Held) -> "list[Fault]":
    """Faults of what is required and absent; a cell may be of any table, also of one that is not tested."""
    if held.required is None:
        return []
    from benchmark.planning.equivalence import detector_versions, measures
    from reports.gates import required
    from reports.tables import layout, table

    every = [layout.resolve(name) for name in layout.available()] if held.required.lines else []
    tables = _tables(held, every, table.MARGIN)
    return required.unmet(
        held.required, held.records, tables, measures=measures(), versions=detector_versions(), stale=held.code.stale
    )


def _tables(held: _Held, layouts: "Sequence[Layout]", margin: float) -> "list[Table]":
    from benchmark.planning.equivalence import detector_versions, measures
    from reports.tables import table

    measured_as, current = measures(), detector_versions()
    return [
        table.build(layout, held.records, measures=measured_as, versions=current, stale=held.code.stale, margin=margin)
        for layout in layouts
    ]
