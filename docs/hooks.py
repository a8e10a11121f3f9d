"""Hooks of mkdocs for these pages."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmark.planning.equivalence import detector_versions, measures
from benchmark.planning.suite import load_suite
from benchmark.views.pages.evidence import evidence_source
from benchmark.views.records import REFERENCE, load_records
from benchmark.views.runs.reproduction import reproduction_page
from benchmark.views.runs.reproduction_log import log_page
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
RESULT_PAGE = "table2.html"
"""The file of the page of DRA's Table 2 with the packaged runs, to which `pages.md` links."""


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the tables that packaged records fill, one heading deeper than they come, the log and what is said of all
    records into their places.
    """
    if REPRODUCTION_PLACE in markdown:
        return markdown.replace(REPRODUCTION_PLACE, packaged_reproduction())
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
