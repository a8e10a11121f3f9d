"""`bench report`: a table, a figure or a cell of the papers, published and measured values side by side."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import click

from benchmark.errors import BenchError
from benchmark.terminal.collector import no_collection
from benchmark.terminal.options import (
    CommaList,
    FilePath,
    accept_stale_option,
    metric_option,
    note,
    put,
    record_options,
)
from reports.text import page_formats

if TYPE_CHECKING:
    from pathlib import Path

    from reports.layouts.layout import BoxLayout, FactLayout, Layout
    from reports.tables.facts import FactTable
    from reports.tables.table import Show, Table
    from results.metrics import Metric
    from results.record import Record
    from results.scores import Scores

TEXTS = page_formats("table")
PICTURES = ("svg", "png")


class _OfPapers(click.Option):
    """An option whose help names the tables or figures of all papers, which are read when a person asks for help."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        from reports.layouts import layout, papers

        record = super().get_help_record(ctx)
        if record is None:
            return None
        short_forms = ", ".join(f"{', '.join(forms)} ({name})" for name, forms in papers.short_forms().items())
        names = {"tables": ", ".join(layout.table_ids()), "figures": ", ".join(layout.figure_ids())}
        return record[0], record[1].format(short_forms=short_forms, **names)


@dataclass(frozen=True)
class _Asked:
    """Choice of the records that a report shows, and of the side of the cells."""

    show: "Show"
    results: "tuple[Path, ...]"
    recipe: str | None
    wheres: tuple[str, ...]
    margin: float
    method: str | None
    gammas: tuple[str, ...]
    accept_stale_code: bool
    metric: "Metric"
    all_sources: bool
    names_runs: bool


@click.command("report", short_help="Print a table or figure of the papers: published and measured values.")
@click.option("--table", cls=_OfPapers, metavar="TABLE", help="{tables}; in short {short_forms}.")
@click.option("--figure", cls=_OfPapers, metavar="FIGURE", help="{figures}; in place of a table.")
@click.option("--cell", metavar="CELL", help="History of one cell, such as hard/elpv/mono/dra/10; in place of a table.")
@click.option(
    "--claims", metavar="PAPER", help="Claims in the text of a paper, such as dra, from its cells and from ours."
)
@click.option("--selection", is_flag=True, help="Last and best epoch of the runs of bench run --audit-selection.")
@click.option("--show", type=click.Choice(["published", "measured", "both"]), default="both", show_default=True)
@click.option(
    "--format",
    "form",
    type=click.Choice([*TEXTS, *PICTURES]),
    help="Default: md, of a figure csv; svg and png are for figures, svg for a cell too.",
)
@click.option("--output", type=FilePath(dir_okay=False), metavar="FILE", help="Write to FILE.")
@record_options
@metric_option
@accept_stale_option
@click.option(
    "--sources",
    type=click.Choice(["own", "all"]),
    default="own",
    show_default=True,
    help="What is published: by the paper of the table, or by all that measured its cells, each a further column.",
)
@click.option("--runs", "names_runs", is_flag=True, help="Name the runs behind each measured cell of a table.")
@click.option("--where", "wheres", multiple=True, metavar="PARAM=VALUE", help="Only records with this hyper-parameter.")
@click.option("--method", metavar="METHOD", help="Whose scores a figure of scores shows, in place of its own.")
@click.option(
    "--gamma", "gammas", type=CommaList(), default=(), help="Which gammas such a figure shows, in place of its own."
)
@no_collection()
def command(
    table: str | None,
    figure: str | None,
    cell: str | None,
    claims: str | None,
    selection: bool,
    show: "Show",
    form: str | None,
    output: "Path | None",
    results: "tuple[Path, ...]",
    recipe: str | None,
    wheres: tuple[str, ...],
    margin: float,
    method: str | None,
    gammas: tuple[str, ...],
    accept_stale_code: bool,
    metric: "Metric",
    sources: str,
    names_runs: bool,
) -> None:
    """Print one table, figure or cell, or the claims of a paper; a cell that was not measured stays empty."""
    from reports.layouts import layout

    request = _Asked(
        show, results, recipe, wheres, margin, method, gammas, accept_stale_code, metric, sources == "all", names_runs
    )
    if [table, figure, cell, claims, selection or None].count(None) != 4:
        raise BenchError(
            "report prints one table, figure or cell, the claims of one paper, or what was selected: give --table or "
            "--figure, as bench report --help has them, --cell, --claims or --selection"
        )
    if table is None and (sources != "own" or names_runs):
        raise BenchError(f"{'--runs' if names_runs else '--sources'} is for tables: leave it out")
    chosen = layout.figure_layout(figure) if figure is not None else None
    if (method or gammas) and not isinstance(chosen, layout.BoxLayout):
        shown = " or ".join(layout.score_figure_ids())
        raise BenchError(f"--method and --gamma choose what --figure {shown} shows: leave them out")
    if claims is not None:
        put(_claims(claims, request, form or "md"), output)
    elif selection:
        put(_selection(request, form or "md"), output)
    elif cell is not None:
        put(_history(cell, request, form or "md"), output)
    elif table is not None:
        if form in PICTURES:
            raise BenchError(f"--format {form} is for figures: choose {', '.join(TEXTS)} for a table")
        _put_table(layout.find_layout(table), request, form or "md", output)
    elif chosen is not None:
        put(_figure(chosen, request, form or "csv"), output)


def _put_table(chosen: "Layout | FactLayout", request: _Asked, form: str, output: "Path | None") -> None:
    """Print a table or write it; a terminal that is too narrow for it gets what was measured, as a list."""
    from benchmark.terminal.narrow import narrow_text, say_fitting
    from reports import render
    from reports.layouts import layout
    from reports.tables.page import table_page

    if isinstance(chosen, layout.FactLayout):
        put(render.render_table(_facts(chosen, request), form), output)
        return
    built = _built(chosen, request)
    text = render.render_table(built, form)
    if output is not None or form != "md":
        put(text, output)
        return
    whole = "The whole table is wider than this terminal: the same command with --output FILE writes it"
    say_fitting(text, lambda width: narrow_text(table_page(built), whole, width))


def _figure(chosen: "Layout | BoxLayout", request: _Asked, form: str) -> str | bytes:
    from reports.layouts import layout

    if isinstance(chosen, layout.BoxLayout):
        return _boxes(chosen, request, form)
    from reports import render
    from reports.figures import plots

    built = _built(chosen, request)
    return plots.draw_dots(built, form) if form in PICTURES else render.render_table(built, form)


def _built(chosen: "Layout", request: _Asked) -> "Table":
    """A table of AUCs, or of another metric in their place, with the records that were asked for."""
    from benchmark.paths import resolve_folders
    from benchmark.planning.declaration import undeclared_margins
    from benchmark.planning.equivalence import detector_versions, measures, method_titles
    from benchmark.planning.installed import InstalledCode
    from benchmark.views.metric_values import MetricValues, scored_folders, scores_digest, scores_finder, tell_remarks
    from benchmark.views.records import load_records, parse_conditions
    from reports.tables import table
    from reports.tables.measured import CellValue

    code = InstalledCode(accept=request.accept_stale_code)
    find_scores = scores_finder(scored_folders(request.results), note)
    values = MetricValues(request.metric, find_scores)
    records, measured_as = load_records(request.results, note) if request.show != "published" else [], measures()
    built = table.build_table(
        chosen,
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
        added_methods=table.unprinted_methods(chosen, records, measured_as),
        titles=method_titles(),
        scores_digest=partial(scores_digest, find_scores),
        all_sources=request.all_sources,
    )
    tell_remarks([values], note)
    for remark in undeclared_margins(request.results or (resolve_folders().results,), request.margin):
        note(remark)
    return replace(built, names_runs=request.names_runs)


def _history(name: str, request: _Asked, form: str) -> str | bytes:
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


def _claims(name: str, request: _Asked, form: str) -> str:
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
        table: _built(auc_layout(f"{paper.paper}:{table}"), replace(request, show="both"))
        for table in dict.fromkeys(claim.table for claim in claims.claims)
    }
    return render_claims(judge_claims(claims, tables), f"Claims in the text of {paper.name}", form)


def _selection(request: _Asked, form: str) -> str:
    """Audited runs of the results folders that were asked for."""
    from benchmark.paths import AUDITS_FOLDER, resolve_folders
    from reports.comparison.selection import SELECTION_FORMATS, render_selection, selection_audits
    from results.store import Store

    if form not in SELECTION_FORMATS:
        raise BenchError(f"--format {form} is not for audits: choose {', '.join(SELECTION_FORMATS)}")
    folders = request.results or (resolve_folders().results,)
    records = [record for folder in folders for record in Store(folder / AUDITS_FOLDER, warn=note).records()]
    return render_selection(selection_audits(records), form)


def _facts(chosen: "FactLayout", request: _Asked) -> "FactTable":
    """A table of facts, with what can be measured of them."""
    from benchmark.paths import resolve_folders
    from benchmark.views.fact_tables import measured_facts
    from reports.tables import facts

    _refuse_metric(request, "a table of facts")
    if request.all_sources or request.names_runs:
        name = "--runs" if request.names_runs else "--sources"
        raise BenchError(f"{name} says nothing of a table of facts: leave it out")
    measured = {} if request.show == "published" else measured_facts(chosen, resolve_folders().data, note)
    return facts.build_fact_table(chosen, measured, show=request.show)


def _boxes(chosen: "BoxLayout", request: _Asked, form: str) -> str | bytes:
    from benchmark.planning.equivalence import detector_versions, measures
    from benchmark.planning.installed import InstalledCode
    from benchmark.views.metric_values import scored_folders, scores_finder
    from benchmark.views.records import load_records, parse_conditions
    from reports.figures import boxes, plots
    from reports.tables.lookup import chosen_records
    from reports.text import csv_text

    _refuse_metric(request, "a figure of scores")
    if form not in {"csv", *PICTURES}:
        raise BenchError(f"--format {form} is not for a figure of scores: choose csv, {' or '.join(PICTURES)}")
    plot = boxes.collect_boxes(
        chosen,
        chosen_records(load_records(request.results, note), request.recipe, parse_conditions(request.wheres)),
        scores=partial(_scores, scores_finder(scored_folders(request.results), _refuse)),
        measures=measures(),
        versions=detector_versions(),
        stale=InstalledCode(accept=request.accept_stale_code).stale,
        method=request.method,
        gammas=request.gammas,
    )
    return plots.draw_boxes(plot, form) if form in PICTURES else csv_text(boxes.box_rows(plot))


def _scores(find_scores: "Callable[[Record], Scores | None]", record: "Record") -> "Scores":
    """The scores behind a record, from the results folder that has them."""
    scores = find_scores(record)
    if scores is None:
        raise BenchError(
            f"no scores of run {record.spec.name}: run it again with --force, or give its --results folder"
        )
    return scores


def _refuse(reason: str) -> None:
    raise BenchError(reason)


def _refuse_metric(request: _Asked, content: str) -> None:
    from results.metrics import AUROC

    if request.metric.id != AUROC.id:
        raise BenchError(f"--metric says nothing of {content}: leave it out")
