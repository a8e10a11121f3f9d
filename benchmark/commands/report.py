"""`bench report`: a table, a figure or a cell of the papers, published and measured values side by side."""

from typing import TYPE_CHECKING, Any, NamedTuple

import click

from benchmark.errors import BenchError
from benchmark.terminal.collector import no_collection
from benchmark.terminal.completion import SuiteName, complete_datasets, complete_methods, complete_tables
from benchmark.terminal.options import (
    CommaList,
    FilePath,
    accept_stale_option,
    metric_option,
    note,
    put,
    record_options,
)
from reports.text import PICTURE_FORMATS, page_formats

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark.views.tables.reported import ReportRequest
    from reports.layouts.layout import BoxLayout, FactLayout, Layout
    from reports.tables.table import Show, Table
    from results.metrics import Metric

TEXTS = page_formats("table")
PAGE_WIDTHS = ("column", "text", "wide", "landscape")


class _PageForm(NamedTuple):
    """Format of a printed table; its width and notes in LaTeX; worst images on a page of HTML."""

    name: str
    width: str
    notes: bool
    thumbnails: bool


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


@click.command("report", short_help="Print a table or figure of the papers: published and measured values.")
@click.option(
    "--table",
    cls=_OfPapers,
    metavar="TABLE",
    shell_complete=complete_tables,
    help="{tables}; in short {short_forms}.",
)
@click.option("--figure", cls=_OfPapers, metavar="FIGURE", help="{figures}; in place of a table.")
@click.option("--cell", metavar="CELL", help="History of one cell, such as hard/elpv/mono/dra/10; in place of a table.")
@click.option(
    "--claims", metavar="PAPER", help="Claims in the text of a paper, such as dra, from its cells and from ours."
)
@click.option(
    "--suite",
    type=SuiteName(),
    metavar="SUITE",
    help="A suite by its name or the path of its file, of a paper or your own: its datasets and classes, a column for "
    "each method and each setting of --set that has runs; in place of a table.",
)
@click.option(
    "--labels",
    is_flag=True,
    help="AUC, ranks and cost against the number of labelled anomalies, of the suites labels and labels_ten_shot.",
)
@click.option("--selection", is_flag=True, help="Last and best epoch of the runs of bench run --audit-selection.")
@click.option("--show", type=click.Choice(["published", "measured", "both"]), default="both", show_default=True)
@click.option(
    "--format",
    "form",
    type=click.Choice([*TEXTS, *PICTURE_FORMATS]),
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
@click.option(
    "--where",
    "wheres",
    multiple=True,
    metavar="NAME=VALUE",
    help="Only records with this hyper-parameter, split option, seed, split_seed, precision, size or weights "
    "(genuine, random, custom:...); repeatable.",
)
@click.option("--add", "added", type=CommaList(), default=(), help="Methods that get a column even without records.")
@click.option(
    "--dataset",
    type=CommaList(),
    default=(),
    shell_complete=complete_datasets,
    help="Only these datasets of a table.",
)
@click.option(
    "--method",
    "--only",
    "method",
    shell_complete=complete_methods,
    type=CommaList(),
    default=(),
    help="Only these methods of a table; or the one whose scores a figure of scores shows, in place of its own.",
)
@click.option("--shots", type=CommaList(int, least=1), default=(), help="Only these numbers of labelled anomalies.")
@click.option(
    "--gamma", type=CommaList(), default=(), help="Only these shares of labelled anomalies, of such a figure too."
)
@click.option("--measured-only", is_flag=True, help="Only rows and columns of a table with a measured value.")
@click.option(
    "--baseline", metavar="METHOD", help="Column of a suite against which the others are tested on the same images."
)
@click.option(
    "--width",
    type=click.Choice(PAGE_WIDTHS),
    help=(
        "Space of a table in LaTeX: a column of a two-column page, the text of a one-column page (default), that of a "
        "two-column page, or a page on its side. A wider table is cut, never printed below 7 pt."
    ),
)
@click.option("--no-notes", is_flag=True, help="Leave notes out of a table in LaTeX.")
@click.option("--runs", "names_runs", is_flag=True, help="Name the runs behind each measured cell of a table.")
@click.option("--thumbnails", is_flag=True, help="Put the worst images of each run into the page of a table (html).")
@no_collection()
def command(
    table: str | None,
    suite: str | None,
    figure: str | None,
    cell: str | None,
    claims: str | None,
    labels: bool,
    selection: bool,
    show: "Show",
    form: str | None,
    output: "Path | None",
    results: "tuple[Path, ...]",
    recipe: str | None,
    wheres: tuple[str, ...],
    margin: float,
    added: tuple[str, ...],
    measured_only: bool,
    baseline: str | None,
    accept_stale_code: bool,
    metric: "Metric",
    sources: str,
    width: str | None,
    no_notes: bool,
    names_runs: bool,
    thumbnails: bool,
    **filters: tuple[Any, ...],
) -> None:
    """Print one table, figure, suite or cell, or the claims of a paper; a cell that was not measured stays empty."""
    from benchmark.views.tables import contents
    from benchmark.views.tables.reported import ReportRequest
    from reports.layouts import layout

    if [table, figure, cell, claims, suite, labels or None, selection or None].count(None) != 6:
        raise BenchError(
            "report prints one table, figure, suite or cell, the claims of one paper, the page on labels, or what was "
            "selected: give --table or --figure, as bench report --help has them, --suite, --cell, --claims, --labels "
            "or --selection"
        )
    request = ReportRequest(
        show=show,
        results=results,
        recipe=recipe,
        wheres=wheres,
        margin=margin,
        accept_stale_code=accept_stale_code,
        metric=metric,
        all_sources=sources == "all",
        added=added,
        values={name: tuple(map(str, values)) for name, values in filters.items() if values},
        measured_only=measured_only,
        baseline=baseline,
        names_runs=names_runs,
    )
    _check_page_options(table, suite, form, thumbnails=thumbnails, fits_paper=width is not None or no_notes)
    listed = None
    if table is not None:
        listed = layout.auc_layout(table) if form == "macros" else layout.find_layout(table)
    drawn = layout.figure_layout(figure) if figure is not None else None
    _check_options(request, listed or drawn, table=table, suite=suite, takes_parts=labels)
    if claims is not None:
        put(contents.claims_content(claims, request, form or "md"), output)
    elif labels:
        put(contents.labels_content(request, form or "md"), output)
    elif selection:
        put(contents.selection_content(request, form or "md"), output)
    elif cell is not None:
        put(contents.history_content(cell, request, form or "md"), output)
    elif drawn is not None:
        put(contents.figure_content(drawn, request, form or "csv"), output)
    elif form in PICTURE_FORMATS:
        raise BenchError(f"--format {form} is for figures: choose {', '.join(TEXTS)} for a table")
    else:
        page_form = _PageForm(form or "md", width or "text", not no_notes, thumbnails)
        _put_table(listed, suite, request, page_form, output)


def _check_page_options(
    table: str | None, suite: str | None, form: str | None, *, thumbnails: bool, fits_paper: bool
) -> None:
    """Refuse options of pages where none is printed in their format, and a margin where nothing is published."""
    is_page = table is not None or suite is not None
    if fits_paper and not (is_page and form == "latex"):
        raise BenchError("--width and --no-notes are for a table in LaTeX: add --format latex, or leave them out")
    if thumbnails and not (is_page and form == "html"):
        raise BenchError("--thumbnails are for the page of a table or suite: add --format html, or leave them out")
    given = click.get_current_context().get_parameter_source("margin")
    if suite is not None and given is click.core.ParameterSource.COMMANDLINE:
        raise BenchError("--margin is for verdicts on published values, which a suite has not: leave it out")


def _check_options(
    request: "ReportRequest",
    chosen: "Layout | FactLayout | BoxLayout | None",
    *,
    table: str | None,
    suite: str | None,
    takes_parts: bool,
) -> None:
    """Refuse options that say nothing of what is printed; raises BenchError.

    takes_parts: it can be cut down to datasets, methods and numbers of labels.
    """
    from reports.layouts import layout

    if request.all_sources and table is None:
        raise BenchError("--sources is for tables: leave it out")
    if request.names_runs and table is None and suite is None:
        raise BenchError("--runs is for tables: leave it out")
    if request.baseline and suite is None:
        raise BenchError("--baseline is for --suite; for two methods on any splits, see bench compare --help")
    if suite is not None and request.show == "published":
        raise BenchError("--show published is for what papers print: leave it out, or give --table in place of --suite")
    if request.added and request.show == "published":
        raise BenchError("--add is for measured values, which --show published leaves out: leave out one of them")
    if suite is not None or isinstance(chosen, layout.Layout):
        return
    names = ["add", "measured_only", *(["method", "gamma"] if not isinstance(chosen, layout.BoxLayout) else [])]
    names += ["dataset", "shots"]
    given = {"add": request.added, "measured_only": request.measured_only, **request.values}
    allowed = {"dataset", "method", "shots"} if takes_parts else set()
    wrong = next((name for name in names if name not in allowed and given.get(name)), None)
    if wrong:
        raise BenchError(f"--{wrong.replace('_', '-')} is for tables of AUCs and suites: leave it out")


def _put_table(
    chosen: "Layout | FactLayout | None",
    suite: str | None,
    request: "ReportRequest",
    form: _PageForm,
    output: "Path | None",
) -> None:
    """Print a table or write it; a terminal that is too narrow for it gets what was measured, as a list."""
    from benchmark.paths import resolve_folders
    from benchmark.terminal.narrow import narrow_text, say_fitting
    from benchmark.views.tables.contents import fact_table
    from benchmark.views.tables.reported import paper_table, suite_table
    from reports.layouts import layout
    from reports.pages import render
    from reports.pages.page import table_page
    from reports.stats.kept import keep_statistics, statistics_file

    if isinstance(chosen, layout.FactLayout):
        put(render.render_table(fact_table(chosen, request), form.name, width=form.width, notes=form.notes), output)
        return
    with keep_statistics(statistics_file(resolve_folders().cache, "report", chosen.id if chosen else f"suite {suite}")):
        built = paper_table(chosen, request, note) if chosen else suite_table(suite or "", request, note)
        if form.name == "html":
            put(_page(built, request, thumbnails=form.thumbnails), output)
            return
        text = render.render_table(built, form.name, width=form.width, notes=form.notes)
    if output is not None or form.name != "md":
        put(text, output)
        return
    whole = "The whole table is wider than this terminal: the same command with --output FILE writes it"
    say_fitting(text, lambda width: narrow_text(table_page(built), whole, width))


def _page(built: "Table", request: "ReportRequest", *, thumbnails: bool) -> str:
    """The table as a page with everything that is known of its runs."""
    from benchmark.views.pages.evidence import evidence_source
    from benchmark.views.records import load_records
    from reports.pages.html.output import render_page

    if request.show == "published":
        return render_page(built)
    records = load_records(request.results, lambda _: None)  # what is to be said of them was said before
    return render_page(built, evidence_source(records, request.results, note, pictures=thumbnails).of_table(built))
