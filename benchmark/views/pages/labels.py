"""The page on labelled anomalies: what the suites `labels` and `labels_ten_shot` have measured."""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from benchmark.errors import BenchError
from benchmark.planning.equivalence import method_titles
from benchmark.views.pages.evidence import evidence_source
from benchmark.views.records import load_records
from benchmark.views.tables.reported import ReportRequest, label_tables
from reports.comparison.label_page import LABEL_FORMATS, LabelReport, label_csv, label_page, label_sections
from reports.figures.label_plots import draw_label_curves
from reports.stats.thresholds import MARGIN
from reports.text import PICTURE_FORMATS
from results.maintenance.bundles import machine_names
from results.metrics import AUROC
from results.record import Record


def label_report(request: ReportRequest, tell: Callable[[str], None]) -> LabelReport:
    """Everything on the page, of the records that were asked for; raises what `label_tables` does."""
    sections = label_sections(*label_tables(request, tell))
    records = load_records(request.results, lambda _: None)  # what is to be said of them was said before
    evidence = evidence_source(records, request.results, tell, pictures=False)
    shown_series = {
        series
        for section in sections
        for panel in section.panels
        for curve in panel.curves
        for point in curve.points
        for series in point.measured.series
    }
    runs = defaultdict[str, list[Record]](list)
    for record in evidence.finished:
        if record.series in shown_series:
            runs[record.series].append(record)
    return LabelReport(
        sections=sections,
        runs=runs,
        scored=evidence.scored if shown_series else (),
        titles=method_titles(),
        machines=machine_names(record for of_series in runs.values() for record in of_series),
    )


def packaged_label_report(folder: Path, tell: Callable[[str], None]) -> LabelReport:
    """The page's contents from one results folder, or from the packaged index, whatever the recipe."""
    request = ReportRequest(
        show="measured",
        results=(folder,),
        recipe=None,
        wheres=(),
        margin=MARGIN,
        accept_stale_code=False,
        metric=AUROC,
    )
    return label_report(request, tell)


def label_picture(report: LabelReport, form: str) -> bytes:
    """The curves of all sections that have some; raises ReportError where none has or nothing can be drawn."""
    return draw_label_curves({section.name: section.panels for section in report.sections}, form)


def label_content(request: ReportRequest, form: str, tell: Callable[[str], None]) -> str | bytes:
    """The page in Markdown, its numbers as CSV, or its curves as a picture."""
    if form not in {*LABEL_FORMATS, *PICTURE_FORMATS}:
        raise BenchError(
            f"--format {form} is not for the page on labels: choose {', '.join([*LABEL_FORMATS, *PICTURE_FORMATS])}, "
            "or give --suite labels in place of --labels"
        )
    if request.metric.id != AUROC.id:
        raise BenchError("--metric says nothing of the page on labels: give --suite labels in place of --labels")
    report = label_report(request, tell)
    if form in PICTURE_FORMATS:
        return label_picture(report, form)
    return label_csv(report) if form == "csv" else label_page(report)
