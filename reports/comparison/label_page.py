"""Do labelled anomalies pay: AUC, ranks and cost against the number of labelled anomalies, as a page in Markdown."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from protocols.text import plural
from reports.pages.html.evidence import ScoredRun
from reports.pages.html.seen import class_areas
from reports.stats.friedman import LEAST_ROWS, RankComparison, compare_ranks, level_groups
from reports.tables.label_curves import (
    LabelCurve,
    LabelPanel,
    RunCosts,
    label_counts,
    label_panels,
    rank_rows,
    run_costs,
)
from reports.tables.measured import Measured
from reports.tables.table import Table
from reports.text import csv_text, escape_markdown, pipe_table
from results.record import Record

LABEL_FORMATS = ("md", "csv")
LABEL_COLUMNS = (
    "test_set", "rule", "dataset", "known_class", "method", "labels", "recipe", "settings", "n", "mean", "std",
    "test_normal", "test_anomaly", "fit_s", "score_s",
)  # fmt: skip
_TEST_OPTION = "one_shot_test"
_TITLE = "# Do labelled anomalies pay?"
_INTRODUCTION = """\
AUC of every method without labels and with 1, 10 and, where a dataset has so many, 100 labelled anomalies, each time on
the same test images. Methods without labels stand at 0. A value is the mean±std over seeds, with their number in
brackets; seconds are means over the runs of a row, on the machines named at the end, and fall to almost nothing where a
method with a frozen network found its feature maps kept by an earlier run."""
_FEW_RANKS = "fewer than two methods have a value on the same test images of two datasets or more."


@dataclass(frozen=True, slots=True)
class LabelSection:
    """One set of tests: rule and title, what is seen in it, and the cells that a suite has of it, measured or not."""

    rule: str
    name: str
    title: str
    text: str
    command: str
    panels: tuple[LabelPanel, ...]
    cells: int
    measured: int


@dataclass(frozen=True, slots=True)
class LabelReport:
    """Everything on the page: its sections, the runs behind them by series, runs with scores, machines by name."""

    sections: tuple[LabelSection, ...]
    runs: Mapping[str, Sequence[Record]]
    scored: Sequence[ScoredRun]
    titles: Mapping[str, str]
    machines: Sequence[str]

    def costs(self, measured: Iterable[Measured]) -> RunCosts | None:
        """Costs of the runs behind some values."""
        series = dict.fromkeys(id_ for value in measured for id_ in value.series)
        return run_costs(record for id_ in series for record in self.runs.get(id_, ()))


def label_sections(general: Table, ten_shot: Table) -> tuple[LabelSection, ...]:
    """The sections of a page from the tables of the suites `labels` (general and hard) and `labels_ten_shot`."""
    return (
        _section(
            general,
            "general",
            "100-label test set",
            "Seen classes: the test set that 100 labels leave",
            "General setting: labelled anomalies are drawn over all anomaly classes, so that with labels enough every "
            "class of the test is seen; one label shows one class. The 100 first by rank leave the test set, however "
            "many of them are labelled.",
            "bench run --suite labels",
        ),
        _section(
            general,
            "hard",
            "hard",
            "Unseen classes",
            "Hard setting: all labels are of the known class, and that whole class leaves the test set, however many "
            "are labelled: every anomaly in the test is of a class without a label.",
            "bench run --suite labels_hard",
        ),
        _section(
            ten_shot,
            "general",
            "ten-shot test set",
            "Seen classes: the paper's test set",
            "General setting on the test set that ten labels leave, which is the papers', also for datasets with fewer "
            "than 100 anomalies.",
            "bench run --suite labels_ten_shot",
        ),
    )


def _section(table: Table, rule: str, name: str, title: str, text: str, command: str) -> LabelSection:
    leaves = table.layout.leaves
    at = [cell for cell in table.cells if tuple(cell.coordinates.items()) in leaves]
    cells = [cell for cell in at if table.layout.rule(cell.coordinates) == rule]
    panels = tuple(panel for panel in label_panels(table) if panel.rule == rule)
    measured = sum(len(curve.points) for panel in panels for curve in panel.curves)
    return LabelSection(rule, name, title, text, command, panels, len(cells), measured)


def label_page(report: LabelReport, picture: str = "", *, whole: bool = True) -> str:
    """The page; `picture` is the address of the drawn curves, empty where there are none. Not `whole`: no title."""
    parts = [_TITLE, _INTRODUCTION] if whole else [_INTRODUCTION]
    if picture:
        parts.append(f"![AUC against the number of labelled anomalies, a panel for each set of test images]({picture})")
    for section in report.sections:
        parts += [f"## {section.title}", section.text, *_section_parts(report, section)]
    parts += ["## The same classes, seen and unseen", _classes_text(report)]
    if report.machines:
        parts += ["## Machines", "\n".join(f"- {escape_markdown(name)}" for name in report.machines)]
    return "\n\n".join(parts) + "\n"


def label_csv(report: LabelReport) -> str:
    """One line a value, with `LABEL_COLUMNS`."""
    return csv_text([LABEL_COLUMNS, *_csv_lines(report)])


def _csv_lines(report: LabelReport) -> Iterator[tuple[str, ...]]:
    for section in report.sections:
        for panel in section.panels:
            for curve in panel.curves:
                for point in curve.points:
                    costs = report.costs([point.measured])
                    yield (
                        section.name,
                        panel.rule,
                        panel.dataset,
                        panel.known_class,
                        curve.method,
                        str(point.labels),
                        point.measured.recipe,
                        _settings(point.measured),
                        str(point.measured.n),
                        repr(point.measured.mean),
                        "" if point.measured.std is None else repr(point.measured.std),
                        _count(point.measured.test_normal),
                        _count(point.measured.test_anomaly),
                        f"{costs.fit_s:.3f}" if costs else "",
                        f"{costs.score_s:.3f}" if costs else "",
                    )


def _section_parts(report: LabelReport, section: LabelSection) -> Iterator[str]:
    missing = section.cells - section.measured
    if not section.panels:
        cells = plural(section.cells, "cell")
        yield f"Nothing of it is measured: none of {cells} has a run. `{section.command}` makes them."
        return
    if missing:
        are = "is" if section.measured == 1 else "are"
        yield (
            f"{section.measured} of {plural(section.cells, 'cell')} {are} measured. `{section.command} --plan` says "
            "what is missing."
        )
    counts = label_counts(section.panels)
    class_heading = ["known class"] if any(panel.known_class for panel in section.panels) else []
    heading = [
        "dataset",
        *class_heading,
        "test images",
        "method",
        *map(_labels_text, counts),
        "recipe, settings, weights, precision",
        "fit, s",
        "scoring, s",
    ]
    rows = [
        [
            escape_markdown(panel.dataset),
            *([escape_markdown(panel.known_class)] if class_heading else []),
            _test_images(curve),
            escape_markdown(curve.method),
            *_values(curve, counts),
            escape_markdown("; ".join(dict.fromkeys(_made_with(point.measured) for point in curve.points))),
            *_cost_texts(report.costs(point.measured for point in curve.points)),
        ]
        for panel in section.panels
        for curve in panel.curves
    ]
    yield pipe_table(heading, rows)
    yield from _ranks(section, counts)


def _values(curve: LabelCurve, counts: Sequence[int]) -> Iterator[str]:
    for labels in counts:
        measured = curve.at(labels)
        std = f"±{measured.std:.3f}" if measured and measured.std is not None else ""
        yield f"{measured.mean:.3f}{std} ({measured.n})" if measured else ""


def _test_images(curve: LabelCurve) -> str:
    """Normal and anomalous images of the test; several where the points differ."""
    sizes = dict.fromkeys((point.measured.test_normal, point.measured.test_anomaly) for point in curve.points)
    return ", ".join(f"{_count(normal) or '?'} + {_count(anomaly) or '?'}" for normal, anomaly in sizes)


def _made_with(measured: Measured) -> str:
    return ", ".join(filter(None, [measured.recipe, _settings(measured), measured.weights, measured.precision]))


def _settings(measured: Measured) -> str:
    """What the runs were given beside their recipe; the section says which test set they have."""
    return ", ".join(f"{name} = {value}" for name, value in measured.settings.items() if name != _TEST_OPTION)


def _cost_texts(costs: RunCosts | None) -> tuple[str, str]:
    return (_seconds(costs.fit_s), _seconds(costs.score_s)) if costs else ("", "")


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.1f}"


def _ranks(section: LabelSection, counts: Sequence[int]) -> Iterator[str]:
    rows_by_count = {labels: rank_rows(section.panels, labels) for labels in counts}
    rankable = {
        labels: rows for labels, rows in rows_by_count.items() if len(rows) > 1 and len(next(iter(rows.values()))) > 1
    }
    left_out = [_labels_text(labels) for labels in counts if labels not in rankable]
    if rankable:
        yield "Mean ranks over datasets, 1 is best; methods without labels take part with their one value."
    for labels, rows in rankable.items():
        methods = list(next(iter(rows.values())))
        compared = compare_ranks([[of_method[method] for method in methods] for of_method in rows.values()])
        yield _rank_sentence(_labels_text(labels), methods, compared)
    if left_out:
        yield f"With {', '.join(left_out)} nothing can be ranked: {_FEW_RANKS}"


def _rank_sentence(name: str, methods: Sequence[str], compared: RankComparison) -> str:
    order = sorted(range(len(methods)), key=lambda index: (compared.ranks[index], methods[index]))
    listed = ", ".join(f"{escape_markdown(methods[index])} {compared.ranks[index]:.2f}" for index in order)
    if compared.p_value is None:
        test = f"Fewer than {LEAST_ROWS} datasets are too few for a test that all methods are equal"
    else:
        number = "below 0.001" if compared.p_value < 0.001 else f"{compared.p_value:.3f}"
        test = f"Friedman's test that all are equal gives p {number}"
    spans = level_groups(compared.ranks, compared.critical)
    alike = "; ".join(
        ", ".join(escape_markdown(methods[index]) for index in order if low <= compared.ranks[index] <= high)
        for low, high in spans
    )
    return (
        f"With {name}, over {plural(compared.rows, 'dataset')}: {listed}. Methods whose mean ranks differ by less than "
        f"{compared.critical:.2f} (Nemenyi's critical difference at 0.05) are not told apart: {alike or 'none'}. "
        f"{test}."
    )


def _classes_text(report: LabelReport) -> str:
    """A table of the mean AUC on anomaly classes that were seen in one run and unseen in another, by method."""
    rows = [row for section in report.sections if section.rule == "general" for row in _class_rows(report, section)]
    text = (
        "The AUC of one anomaly class against the normal test images, averaged over the classes that are seen in the "
        "general setting and unseen in the hard one, with equally many labels."
    )
    if not rows:
        return (
            f"{text} Nothing can be said of it yet: it needs runs of a method in both settings whose scores are stored."
        )
    heading = ("test set of the seen", "method", "labels", "classes", "seen", "unseen", "change")
    return f"{text}\n\n{pipe_table(heading, rows)}"


def _class_rows(report: LabelReport, seen_section: LabelSection) -> Iterator[tuple[str, ...]]:
    """Rows of the methods that learn from labels and have both sides: general runs of one test set, and hard ones."""
    hard = [section for section in report.sections if section.rule == "hard"]
    shown_series = {series for section in (seen_section, *hard) for series in _series(section)}
    scored = [run for run in report.scored if run.record.series in shown_series and run.record.spec.split.shots]
    for method in sorted({run.record.spec.method for run in scored}):
        areas = class_areas(run for run in scored if run.record.spec.method == method)
        both = {place: area for place, area in areas.items() if len(area) == 2}
        for shots in sorted({place.shots or 0 for place in both}):
            means = [
                (fmean(area[True]), fmean(area[False])) for place, area in both.items() if (place.shots or 0) == shots
            ]
            seen, unseen = (fmean(pair[at] for pair in means) for at in (0, 1))
            title = escape_markdown(report.titles.get(method, method))
            numbers = f"{seen:.3f}", f"{unseen:.3f}", f"{unseen - seen:+.3f}"
            yield seen_section.name, title, str(shots), str(len(means)), *numbers


def _series(section: LabelSection) -> Iterator[str]:
    for panel in section.panels:
        for curve in panel.curves:
            for point in curve.points:
                yield from point.measured.series


def _labels_text(labels: int) -> str:
    return plural(labels, "label") if labels else "no label"


def _count(images: int | None) -> str:
    return "" if images is None else str(images)
