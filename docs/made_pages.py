"""What Sphinx makes of packaged records and of the code while it builds these pages."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmark.cli import bench
from benchmark.planning.equivalence import detector_versions, measures
from benchmark.views.pages.detectors import DetectorPages
from benchmark.views.pages.evidence import evidence_source
from benchmark.views.pages.fact_links import fact_links, with_anchors
from benchmark.views.pages.labels import label_picture, packaged_label_report
from benchmark.views.records import REFERENCE, load_records
from benchmark.views.runs.reproduction import load_queue, reproduction_page
from benchmark.views.runs.reproduction_log import log_page
from methods.registry import installed
from reports.comparison.label_page import LabelReport, label_page
from reports.figures.plots import has_plots
from reports.layouts import layout
from reports.pages import render
from reports.pages.html.output import render_page
from reports.tables import table, unplaced_runs
from results.log.accepted import accepted_bundles
from results.reference import reference_records

if TYPE_CHECKING:
    from sphinx.application import Sphinx

CAMPAIGN = Path(__file__).parents[1] / "results" / "reference" / "campaign"
LABELS_PICTURE = "made/labels.svg"
"""The curves of the page on labelled anomalies, drawn when the documentation is built."""
RESULT_PAGE = "table2.html"
"""The file of the page of DRA's Table 2 with the packaged runs, to which `pages.md` links."""
DETECTORS = "detectors"
"""Folder of the pages of detectors, which are made when the documentation is built; its index is in the navigation."""
FACTS = "facts.md"


def setup(app: "Sphinx") -> dict[str, bool]:
    """Make pages before the others are read, fill places while they are read, add the page of a table at the end."""
    from pygments.lexers.special import TextLexer

    app.add_lexer("csv", TextLexer)
    app.connect("builder-inited", lambda app: write_pages(Path(app.srcdir)))
    app.connect("source-read", fill_source)
    app.connect("build-finished", lambda app, _: write_table_page(Path(app.outdir)))
    return {"parallel_read_safe": True}


def write_pages(folder: Path) -> None:
    """Write the index of detectors, the page of each and the curves of labelled anomalies; old ones go."""
    pages = detector_pages()
    texts = {f"{DETECTORS}/{info.id}.md": pages.page(info) for info in pages.detectors()}
    listed = "\n".join(Path(name).stem for name in texts)
    index = pages.index(lambda detector: f"{detector}.md")
    texts[f"{DETECTORS}/index.md"] = f"{index}\n\n```{{toctree}}\n:hidden:\n\n{listed}\n```\n"
    report = packaged_labels()
    if labels_picture(report):
        texts[LABELS_PICTURE] = label_picture(report, "svg").decode("utf-8")
    for old in {*folder.glob(f"{DETECTORS}/*.md")} - {folder / name for name in texts}:
        old.unlink()
    for name, text in texts.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def fill_source(_app: "Sphinx", page: str, source: list[str]) -> None:
    """Replace the text of a page, which Sphinx hands over as a list of one, by the filled one."""
    source[0] = filled(page, source[0])


@cache
def packaged_labels() -> LabelReport:
    """The contents of the page on labelled anomalies, from the packaged runs."""
    return packaged_label_report(Path(REFERENCE), print)


def labels_picture(report: LabelReport) -> str:
    """The address of the curves; empty where there is nothing to draw, or nothing to draw it with."""
    return LABELS_PICTURE if has_plots() and any(section.panels for section in report.sections) else ""


@cache
def detector_pages() -> DetectorPages:
    """Pages of all installed detectors with the packaged runs, linked to the page of facts."""
    facts = Path(__file__).with_name(FACTS).read_text(encoding="utf-8")
    records = load_records([Path(REFERENCE)], print)
    return DetectorPages(installed.methods(), records, fact_links(facts, f"../{FACTS}"))


def filled(page: str, markdown: str) -> str:
    """A page with what `PLACES` names in its place.

    The rows of the page of facts get the anchors that the pages of detectors link to.
    """
    if page == Path(FACTS).stem:
        return with_anchors(markdown)
    for place, text in PLACES.items():
        if place in markdown:
            return markdown.replace(place, text())
    return markdown


def packaged_labels_page() -> str:
    report = packaged_labels()
    return label_page(report, labels_picture(report), whole=False)


def help_of_commands(command: click.Command = bench, context: click.Context | None = None) -> Iterator[str]:
    """A heading for the command and each below it, with what its `--help` prints."""
    context = click.Context(command, context, command.name, terminal_width=100)
    yield f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None:
                yield from help_of_commands(child, context)


def packaged_reproduction() -> str:
    """The page on the packaged records, with the runs of the campaign that are still to be made."""
    queue = load_queue(CAMPAIGN / "queue.toml")
    return reproduction_page(list(reference_records()), queue, measures=measures(), versions=detector_versions())


def tables() -> Iterator[str]:
    """The measured part of each table in which a series stands for the first time: later tables repeat some cells. Then
    the runs of series that no table shows.
    """
    records, measured_as = list(reference_records()), measures()
    seen: set[tuple[str, ...]] = set()
    for name in layout.auc_table_ids():
        built = table.build_table(layout.auc_layout(name), records, measures=measured_as, versions=detector_versions())
        found = {cell.measured.series for cell in built.cells if cell.measured}
        if found - seen:
            yield render.render_table(built.measured_part(), "md")
        seen |= found
    others = [record for record in records if not any(record.series in series for series in seen)]
    if others:
        text = "Of fewer seeds than the series that a table shows, or of another precision."
        yield f"# Runs of other series\n\n{text}\n\n{unplaced_runs.runs_table(others)}"


def write_table_page(folder: Path) -> None:
    """Write the page of Table 2 beside the pages of documentation."""
    (folder / RESULT_PAGE).write_text(packaged_page(), encoding="utf-8")


def packaged_page() -> str:
    """The page that `bench report --table 2 --results reference --format html` prints."""
    records, measured_as = load_records([Path(REFERENCE)], print), measures()
    built = table.build_table(layout.auc_layout("2"), records, measures=measured_as, versions=detector_versions())
    evidence = evidence_source(records, [Path(REFERENCE)], print, pictures=False)
    return render_page(built, evidence.of_table(built))


PLACES: dict[str, Callable[[], str]] = {
    "<!-- tables -->": lambda: "\n".join(tables()).replace("# ", "## "),  # one heading deeper than they come
    "<!-- log -->": lambda: log_page(list(accepted_bundles())),
    "<!-- reproduction -->": packaged_reproduction,
    "<!-- labels -->": packaged_labels_page,
    "<!-- commands -->": lambda: "\n".join(help_of_commands()),
}
"""What stands on a page in the place of a comment."""
