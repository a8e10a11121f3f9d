"""Hooks of mkdocs for these pages."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

from benchmark.planning.equivalence import detector_versions, measures
from benchmark.planning.suite import load_suite
from benchmark.views.pages.detectors import DetectorPages
from benchmark.views.pages.evidence import evidence_source
from benchmark.views.pages.fact_links import fact_links, with_anchors
from benchmark.views.pages.labels import label_picture, packaged_label_report
from benchmark.views.records import REFERENCE, load_records
from benchmark.views.runs.reproduction import reproduction_page
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

CAMPAIGN = Path(__file__).parents[1] / "results" / "reference" / "campaign"
PLACE = "<!-- tables -->"
LOG_PLACE = "<!-- log -->"
REPRODUCTION_PLACE = "<!-- reproduction -->"
LABELS_PLACE = "<!-- labels -->"
LABELS_PICTURE = "figures/labels.svg"
"""The curves of the page on labelled anomalies, drawn when the documentation is built."""
RESULT_PAGE = "table2.html"
"""The file of the page of DRA's Table 2 with the packaged runs, to which `pages.md` links."""
DETECTORS = "detectors"
"""Folder of the pages of detectors, which are made when the documentation is built; its index is in the navigation."""
FACTS = "facts.md"


def on_config(config: Any, **_: Any) -> Any:
    """Put the page of each installed detector below the index of detectors in the navigation."""
    index = f"{DETECTORS}/index.md"
    pages = [{info.title: f"{DETECTORS}/{info.id}.md"} for info in detector_pages().detectors()]
    config["nav"] = [{name: [{"All": path}, *pages] if path == index else path} for name, path in nav_entries(config)]
    return config


def nav_entries(config: Any) -> Iterator[tuple[str, str]]:
    """Titles and paths of the navigation."""
    for entry in config["nav"]:
        yield from entry.items()


def on_files(files: Files, config: Any, **_: Any) -> Files:
    """Add the index of detectors and the page of each."""
    pages = detector_pages()
    texts = {info.id: pages.page(info) for info in pages.detectors()}
    texts["index"] = pages.index(lambda detector: f"{detector}.md")
    for name, text in texts.items():
        files.append(File.generated(config, f"{DETECTORS}/{name}.md", content=text))
    report = packaged_labels()
    if labels_picture(report):
        files.append(File.generated(config, LABELS_PICTURE, content=label_picture(report, "svg")))
    return files


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


def on_page_markdown(markdown: str, page: Any = None, **_: Any) -> str:
    """Put the tables that packaged records fill, one heading deeper than they come, the log and what is said of all
    records into their places.

    The rows of the page of facts get the anchors that the pages of detectors link to.
    """
    if page is not None and page.file.src_uri == FACTS:
        return with_anchors(markdown)
    if REPRODUCTION_PLACE in markdown:
        return markdown.replace(REPRODUCTION_PLACE, packaged_reproduction())
    if LABELS_PLACE in markdown:
        report = packaged_labels()
        return markdown.replace(LABELS_PLACE, label_page(report, labels_picture(report), whole=False))
    if LOG_PLACE in markdown:
        return markdown.replace(LOG_PLACE, log_page(list(accepted_bundles())))
    return markdown.replace(PLACE, "\n".join(tables()).replace("# ", "## ")) if PLACE in markdown else markdown


def packaged_reproduction() -> str:
    """The page on the packaged records, with the runs of the campaign that are still to be made."""
    suites = [load_suite(str(file)) for file in sorted(CAMPAIGN.glob("*.toml"))]
    return reproduction_page(list(reference_records()), suites, measures=measures(), versions=detector_versions())


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


def on_post_build(config: Any, **_: Any) -> None:
    """Write the page of Table 2 beside the pages of documentation."""
    Path(config["site_dir"], RESULT_PAGE).write_text(packaged_page(), encoding="utf-8")


def packaged_page() -> str:
    """The page that `bench report --table 2 --results reference --format html` prints."""
    records, measured_as = load_records([Path(REFERENCE)], print), measures()
    built = table.build_table(layout.auc_layout("2"), records, measures=measured_as, versions=detector_versions())
    evidence = evidence_source(records, [Path(REFERENCE)], print, pictures=False)
    return render_page(built, evidence.of_table(built))
