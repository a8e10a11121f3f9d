"""`bench check`: the gate, for a CI that must fail when a reproduced number stops reproducing."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING

import click

from benchmark.errors import BenchError
from benchmark.terminal.collector import no_collection
from benchmark.terminal.options import (
    FilePath,
    accept_stale_option,
    check_output,
    metric_option,
    note,
    record_options,
    say,
    write_output,
)
from reports.stats.thresholds import MARGIN, TOLERANCE

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark.planning.installed import InstalledCode
    from benchmark.views.demands import ReferenceRuns
    from benchmark.views.metric_values import MetricValues
    from reports.gates.faults import Fault
    from reports.gates.published import PublishedGate
    from reports.gates.reference import ComparedMetric, ReferenceGate
    from reports.gates.required import Required
    from reports.layouts.layout import Layout
    from reports.tables.nesting import ScoresDigest
    from reports.tables.table import Table
    from results.metrics import Metric
    from results.record import Record

PUBLISHED, REFERENCE = "published", "reference"
ELSEWHERE = {
    "names": ("--table", PUBLISHED),
    "margin": ("--margin", PUBLISHED),
    "include_not_comparable": ("--include-not-comparable", PUBLISHED),
    "see": ("--see", PUBLISHED),
    "tolerance": ("--tolerance", REFERENCE),
    "partial": ("--partial", REFERENCE),
}
"""Options that say nothing against the other side."""


@dataclass(frozen=True)
class _Held:
    """The records that the gate looks at, what of them is unreadable or contradicts itself, and what must be there."""

    records: "Sequence[Record]"
    unread: "Sequence[Fault]"
    contradictions: Sequence[str]
    code: "InstalledCode"
    scores_digest: "ScoresDigest"
    required: "Required | None"


@click.command("check", short_help="The gate: exit 3 on a regression or a fault, 4 when there was nothing to compare.")
@click.option(
    "--against",
    required=True,
    metavar="published|reference|FILE|FOLDER",
    help="The papers' values; the packaged reference runs; other runs: a results folder, or records in a .jsonl file.",
)
@click.option(
    "--table",
    "names",
    multiple=True,
    metavar="TABLE",
    help="Only this table; repeatable (default: all, without what a later paper ran anew).",
)
@record_options
@click.option("--include-not-comparable", is_flag=True, help="Also test cells that are not comparable, and say so.")
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1, max_open=True),
    default=TOLERANCE,
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
@click.option(
    "--see",
    type=click.FloatRange(0, 1, max_open=True),
    metavar="DROP",
    help="Demand that the test of each method sees a true drop of this size with probability 0.8; else exit 4.",
)
@metric_option
@accept_stale_option
@click.option("--junit", type=FilePath(dir_okay=False), metavar="FILE", help="Write JUnit XML.")
@click.option(
    "--badge",
    type=FilePath(dir_okay=False),
    metavar="FILE",
    help="Write JSON that shields.io draws a badge from (its endpoint badge).",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "github"]),
    default="text",
    show_default=True,
    help="github: annotations of GitHub Actions after the lines.",
)
@click.option("--summary", type=FilePath(dir_okay=False), metavar="FILE", help="Write Markdown.")
@click.pass_context
@no_collection()
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
    see: float | None,
    metric: "Metric",
    accept_stale_code: bool,
    junit: "Path | None",
    summary: "Path | None",
    badge: "Path | None",
    form: str,
) -> int:
    """Test whether our values are worse than the published ones, or other than those of reference runs.

    Exit status 3: a regression or a difference; a run or cell that failed, is stale, or is required and absent. Against
    reference runs each of them is required, but with --partial; one whose run has another key is always a fault. The
    default metric stands for AUC and average precision, which every record holds.
    """
    _refuse_elsewhere(ctx, PUBLISHED if against == PUBLISHED else REFERENCE)
    if see is not None and not isfinite(see):
        raise BenchError(f"--see {see}: give the drop that each method's test must see, such as 0.05")
    from pathlib import Path

    outputs = {"--junit": junit, "--summary": summary, "--badge": badge}
    for option, path in outputs.items():
        if path:
            check_output(path, option, {"--against": Path(against), "--require": require} | outputs)
    held = _held(results, recipe, require, accept=accept_stale_code)
    if against == PUBLISHED:
        from benchmark.paths import resolve_folders
        from benchmark.planning.declaration import undeclared_margins
        from reports.gates.published_output import published_report
        from reports.stats.kept import keep_statistics, statistics_file

        with keep_statistics(statistics_file(resolve_folders().cache, "check", *names)):
            gate = _gate(held, names, margin, metric, see, include_not_comparable=include_not_comparable)
        for remark in undeclared_margins(results or (resolve_folders().results,), margin):
            note(remark)
        status, report = gate.status, published_report(gate)
    else:
        from benchmark.views.demands import read_references
        from benchmark.views.metric_values import tell_remarks
        from reports.gates.reference_output import reference_report

        compared, values = _compared(metric, results, against)
        agreement = _agreement(held, read_references(against), recipe, tolerance, compared, partial=partial)
        tell_remarks(values, note)
        status, report = agreement.status, reference_report(agreement)
    label = "published numbers" if against == PUBLISHED else "reference runs"
    pages = (
        (junit, report.junit, "--junit"),
        (summary, report.summary, "--summary"),
        (badge, lambda: report.badge(status, label), "--badge"),
    )
    for path, page, option in pages:
        if path:
            write_output(path, page(), option)
    for line in report.lines:
        say(line)
    for line in report.annotations() if form == "github" else ():
        say(line)
    return status


def _refuse_elsewhere(ctx: click.Context, side: str) -> None:
    for name, (option, own_side) in ELSEWHERE.items():
        if own_side != side and ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            other_side = "reference runs" if side == REFERENCE else "published values"
            raise BenchError(f"{option} says nothing against {other_side}: leave it out")


def _held(results: "tuple[Path, ...]", recipe: str | None, require: "Path | None", *, accept: bool) -> _Held:
    from benchmark.planning.installed import InstalledCode
    from benchmark.views.demands import read_required, unread_records
    from benchmark.views.metric_values import scored_folders, scores_digest, scores_finder
    from benchmark.views.records import load_records
    from reports.tables.lookup import chosen_records

    code = InstalledCode(accept=accept)
    demands = read_required(require) if require else None
    told: list[str] = []
    records = load_records(results, note, told.append)
    chosen = chosen_records(records, recipe, {})
    if remark := code.note(chosen):
        note(remark)
    find_scores = scores_finder(scored_folders(results), note)
    return _Held(chosen, unread_records(results, records), told, code, partial(scores_digest, find_scores), demands)


def _gate(
    held: _Held,
    names: tuple[str, ...],
    margin: float,
    metric: "Metric",
    see: float | None,
    *,
    include_not_comparable: bool,
) -> "PublishedGate":
    from benchmark.planning.equivalence import leaking_series
    from reports.gates.published import published_gate
    from reports.layouts import layout
    from results.metrics import AUROC

    layouts = [layout.auc_layout(name) for name in names or layout.auc_table_ids()]
    unpublished = "" if metric.id == AUROC.id else metric.title
    return published_gate(
        [] if unpublished else _tables(held, layouts, margin),
        include_not_comparable=include_not_comparable,
        include_reruns=bool(names),
        leaking=leaking_series(held.records),
        demanded=see,
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
    from reports.gates.reference import STORED_COMPARED, ComparedMetric
    from results.metrics import AUROC
    from results.store import Store

    if metric.id == AUROC.id:
        return [*STORED_COMPARED], []
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
) -> "ReferenceGate":
    from benchmark.planning.equivalence import detector_versions, leaking_series
    from reports.gates.reference import reference_gate
    from reports.tables.lookup import chosen_records

    reference_records = chosen_records(list(references.records), recipe, {})
    return reference_gate(
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
    """Requirements that are not met; a cell may be of any table, also of one that is not tested."""
    if held.required is None:
        return []
    from benchmark.planning.equivalence import detector_versions, measures
    from reports.gates.required import unmet_faults
    from reports.layouts import layout

    every = [layout.auc_layout(name) for name in layout.auc_table_ids()] if held.required.lines else []
    tables = _tables(held, every, MARGIN)
    return unmet_faults(
        held.required, held.records, tables, measures=measures(), versions=detector_versions(), stale=held.code.stale
    )


def _tables(held: _Held, layouts: "Sequence[Layout]", margin: float) -> "list[Table]":
    from benchmark.planning.equivalence import detector_versions, measures
    from reports.tables.lookup import Lookup
    from reports.tables.table import build_tables

    lookup = Lookup(held.records, measures(), detector_versions(), held.code.stale, scores_digest=held.scores_digest)
    return build_tables(layouts, lookup, margin)
