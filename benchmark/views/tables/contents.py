"""Contents of a report beside its tables: figures, histories of cells, claims, audits of selection, facts."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from benchmark.errors import BenchError
from benchmark.terminal.options import note
from benchmark.views.tables.reported import ReportRequest, paper_table
from reports.text import PICTURE_FORMATS

if TYPE_CHECKING:
    from reports.layouts.layout import BoxLayout, FactLayout, Layout
    from reports.pages.facts import FactTable
    from results.record import Record
    from results.scores import Scores


def figure_content(chosen: "Layout | BoxLayout", request: ReportRequest, form: str) -> str | bytes:
    from reports.layouts import layout

    if isinstance(chosen, layout.BoxLayout):
        return _boxes(chosen, request, form)
    from reports.figures import plots
    from reports.pages import render

    built = paper_table(chosen, request, note)
    return plots.draw_dots(built, form) if form in PICTURE_FORMATS else render.render_table(built, form)


def history_content(name: str, request: ReportRequest, form: str) -> str | bytes:
    """All that is known of one cell, with the records that were asked for."""
    from benchmark.views.records import load_records, parse_conditions
    from benchmark.views.runs.cell_histories import load_history
    from reports.figures import history_output

    _refuse_metric(request, "the history of a cell")
    if form not in history_output.HISTORY_FORMATS:
        raise BenchError(f"--format {form} is not for a cell: choose {', '.join(history_output.HISTORY_FORMATS)}")
    if request.show == "measured":
        raise BenchError("--show measured leaves no history of a cell: leave it out, or give --show published")
    built = load_history(
        name,
        load_records(request.results, note) if request.show != "published" else (),
        folders=request.results,
        tell=note,
        accept_stale_code=request.accept_stale_code,
        margin=request.margin,
        recipe=request.recipe,
        params=parse_conditions(request.wheres),
        published_only=request.show == "published",
    )
    return history_output.render_history(built, form)


def claims_content(name: str, request: ReportRequest, form: str) -> str:
    """The claims in a paper's text, recomputed from its cells and from the records that were asked for."""
    from protocols.text import near_miss
    from reports.comparison.claims import CLAIM_FORMATS, judge_claims, render_claims
    from reports.layouts import papers
    from reports.layouts.claims import read_claims
    from reports.layouts.layout import auc_layout

    _refuse_metric(request, "the claims of a paper")
    if form not in CLAIM_FORMATS:
        raise BenchError(f"--format {form} is not for claims: choose {', '.join(CLAIM_FORMATS)}")
    paper = papers.find_paper(name)
    if paper is None:
        raise BenchError(f"no paper {name!r}: {near_miss(name, [paper.paper for paper in papers.every_paper()])}")
    claims = read_claims(paper)
    tables = {
        table: paper_table(auc_layout(f"{paper.paper}:{table}"), replace(request, show="both"), note)
        for table in dict.fromkeys(claim.table for claim in claims.claims)
    }
    return render_claims(judge_claims(claims, tables), f"Claims in the text of {paper.name}", form)


def labels_content(request: ReportRequest, form: str) -> str | bytes:
    """The page on labelled anomalies, with the records that were asked for."""
    from benchmark.views.pages.labels import label_content

    return label_content(request, form, note)


def selection_content(request: ReportRequest, form: str) -> str:
    """Audited runs of the results folders that were asked for."""
    from benchmark.paths import AUDITS_FOLDER, resolve_folders
    from reports.comparison.selection import SELECTION_FORMATS, render_selection, selection_audits
    from results.store import Store

    if form not in SELECTION_FORMATS:
        raise BenchError(f"--format {form} is not for audits: choose {', '.join(SELECTION_FORMATS)}")
    folders = request.results or (resolve_folders().results,)
    records = [record for folder in folders for record in Store(folder / AUDITS_FOLDER, warn=note).records()]
    return render_selection(selection_audits(records), form)


def fact_table(chosen: "FactLayout", request: ReportRequest) -> "FactTable":
    """A table of facts, with what can be measured of them."""
    from benchmark.paths import resolve_folders
    from benchmark.views.tables.fact_tables import measured_facts
    from reports.pages import facts

    _refuse_metric(request, "a table of facts")
    if request.all_sources or request.names_runs:
        name = "--runs" if request.names_runs else "--sources"
        raise BenchError(f"{name} says nothing of a table of facts: leave it out")
    measured = {} if request.show == "published" else measured_facts(chosen, resolve_folders().data, note)
    return facts.build_fact_table(chosen, measured, show=request.show)


def _boxes(chosen: "BoxLayout", request: ReportRequest, form: str) -> str | bytes:
    from benchmark.planning.equivalence import detector_versions, measures
    from benchmark.planning.installed import InstalledCode
    from benchmark.views.metric_values import scored_folders, scores_finder
    from benchmark.views.records import load_records, parse_conditions
    from reports.figures import boxes, plots
    from reports.tables.lookup import chosen_records
    from reports.text import csv_text

    _refuse_metric(request, "a figure of scores")
    if form not in {"csv", *PICTURE_FORMATS}:
        raise BenchError(f"--format {form} is not for a figure of scores: choose csv, {' or '.join(PICTURE_FORMATS)}")
    plot = boxes.collect_boxes(
        chosen,
        chosen_records(load_records(request.results, note), request.recipe, parse_conditions(request.wheres)),
        scores=partial(_scores, scores_finder(scored_folders(request.results), _refuse)),
        measures=measures(),
        versions=detector_versions(),
        stale=InstalledCode(accept=request.accept_stale_code).stale,
        method=_only_method(request),
        gammas=request.values.get("gamma", ()),
    )
    return plots.draw_boxes(plot, form) if form in PICTURE_FORMATS else csv_text(boxes.box_rows(plot))


def _scores(find_scores: "Callable[[Record], Scores | None]", record: "Record") -> "Scores":
    """The scores behind a record, from the results folder that has them."""
    scores = find_scores(record)
    if scores is None:
        raise BenchError(
            f"no scores of run {record.spec.name}: run it again with --force, or give its --results folder"
        )
    return scores


def _only_method(request: ReportRequest) -> str | None:
    methods = request.values.get("method", ())
    if len(methods) > 1:
        raise BenchError(f"--method {','.join(methods)}: a figure of scores shows one method, give one")
    return methods[0] if methods else None


def _refuse(reason: str) -> None:
    raise BenchError(reason)


def _refuse_metric(request: ReportRequest, content: str) -> None:
    from results.metrics import AUROC

    if request.metric.id != AUROC.id:
        raise BenchError(f"--metric says nothing of {content}: leave it out")
