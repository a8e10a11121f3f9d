"""`bench report`: a table or a figure of the papers, published and measured values side by side."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
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
    record_options,
    say_page,
    write_output,
)

if TYPE_CHECKING:
    from pathlib import Path

    from reports.layouts.layout import BoxLayout, FactLayout, Layout
    from reports.tables.facts import FactTable
    from reports.tables.table import Show, Table
    from results.metrics import Metric
    from results.record import Record
    from results.scores import Scores

TEXTS = ("md", "latex", "html", "csv", "json")
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


@click.command("report", short_help="Print a table or figure of the papers: published and measured values.")
@click.option("--table", cls=_OfPapers, metavar="TABLE", help="{tables}; in short {short_forms}.")
@click.option("--figure", cls=_OfPapers, metavar="FIGURE", help="{figures}; in place of a table.")
@click.option("--show", type=click.Choice(["published", "measured", "both"]), default="both", show_default=True)
@click.option(
    "--format",
    "form",
    type=click.Choice([*TEXTS, *PICTURES]),
    help="Default: md, of a figure csv; svg and png are for figures.",
)
@click.option("--output", type=FilePath(dir_okay=False), metavar="FILE", help="Write to FILE.")
@record_options
@metric_option
@accept_stale_option
@click.option("--where", "wheres", multiple=True, metavar="PARAM=VALUE", help="Only records with this hyper-parameter.")
@click.option("--method", metavar="METHOD", help="Whose scores a figure of scores shows, in place of its own.")
@click.option(
    "--gamma", "gammas", type=CommaList(), default=(), help="Which gammas such a figure shows, in place of its own."
)
@no_collection()
def command(
    table: str | None,
    figure: str | None,
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
) -> None:
    """Print one table or figure; a cell that was not measured stays empty."""
    from reports.layouts import layout

    request = _Asked(show, results, recipe, wheres, margin, method, gammas, accept_stale_code, metric)
    if (table is None) == (figure is None):
        raise BenchError(
            "report prints one table or one figure: give --table or --figure, as bench report --help has them"
        )
    chosen = layout.figure_layout(figure) if figure is not None else None
    if (method or gammas) and not isinstance(chosen, layout.BoxLayout):
        figures = " or ".join(layout.score_figure_ids())
        raise BenchError(f"--method and --gamma choose what --figure {figures} shows: leave them out")
    if table is not None:
        if form in PICTURES:
            raise BenchError(f"--format {form} is for figures: choose {', '.join(TEXTS)} for a table")
        _put(_table(layout.find_layout(table), request, form or "md"), output)
    elif chosen is not None:
        _put(_figure(chosen, request, form or "csv"), output)


def _table(chosen: "Layout | FactLayout", request: _Asked, form: str) -> str:
    from reports import render
    from reports.layouts import layout

    built = _facts(chosen, request) if isinstance(chosen, layout.FactLayout) else _built(chosen, request)
    return render.render_table(built, form)


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
    from benchmark.planning.equivalence import detector_versions, measures
    from benchmark.planning.installed import InstalledCode
    from benchmark.views.metric_values import MetricValues, scored_folders, scores_digest, scores_finder, tell_remarks
    from benchmark.views.records import load_records, parse_conditions
    from reports.tables import table
    from reports.tables.measured import CellValue

    code = InstalledCode(accept=request.accept_stale_code)
    find_scores = scores_finder(scored_folders(request.results), note)
    values = MetricValues(request.metric, find_scores)
    built = table.build_table(
        chosen,
        load_records(request.results, note) if request.show != "published" else (),
        measures=measures(),
        versions=detector_versions(),
        stale=code.stale,
        remark=code.note,
        margin=request.margin,
        recipe=request.recipe,
        params=parse_conditions(request.wheres),
        show=request.show,
        value=CellValue(request.metric, values),
        scores_digest=partial(scores_digest, find_scores),
    )
    tell_remarks([values], note)
    return built


def _facts(chosen: "FactLayout", request: _Asked) -> "FactTable":
    """A table of facts, with what can be measured of them."""
    from benchmark.paths import resolve_folders
    from benchmark.views.fact_tables import measured_facts
    from reports.tables import facts

    _refuse_metric(request, "a table of facts")
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


def _put(content: str | bytes, output: "Path | None") -> None:
    if output is not None:
        write_output(output, content)
    elif isinstance(content, str):
        say_page(content)
    elif sys.stdout.isatty():
        raise BenchError("a picture is not for a terminal: give --output FILE")
    else:
        sys.stdout.buffer.write(content)
