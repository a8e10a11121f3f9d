"""Seen against unseen: AUC of a method on an anomaly class that its training saw, and on the same class unseen."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from markupsafe import Markup

from protocols.text import plural
from reports.pages.html.evidence import ScoredRun
from reports.pages.html.model import SlopeChart
from reports.pages.html.svg import AxisScale, round_axis, svg_dots, svg_line, svg_picture, svg_segments, svg_text
from reports.tables.table import Table
from results.metrics import METRICS

SEEN_REMARK = (
    "The AUC of one anomaly class against the normal test images: seen, where labelled anomalies of this class were in "
    "training (the general setting, which draws them over all classes, or a run that knows just this class), and "
    "unseen, where they were all of another class (the hard setting)."
)
NO_SEEN = (
    "Nothing can be drawn yet: it needs stored scores of the same method and number of labelled anomalies in both the "
    "general and the hard setting."
)


class AnomalyPlace(NamedTuple):
    """One anomaly class under a number of labelled anomalies."""

    dataset: str
    label: str
    shots: int | None


ClassAreas = dict[bool, list[float]]
"""AUCs of one anomaly class: under True those of runs whose training had examples of it."""


def slope_charts(table: Table, scored: Iterable[ScoredRun]) -> tuple[SlopeChart, ...]:
    """A chart for each method of the table, and number of shots, that has both sides of an anomaly class."""
    runs, charts = list(scored), []
    for method in dict.fromkeys(cell.source.method for cell in table.cells if cell.source):
        sides = class_areas(run for run in runs if method in run.methods)
        for shots in dict.fromkeys(place.shots for place in sides):
            both = {place: side for place, side in sides.items() if place.shots == shots and len(side) == 2}
            if both:
                charts.append(_chart(table, method, shots, both))
    return tuple(charts)


def class_areas(runs: Iterable[ScoredRun]) -> dict[AnomalyPlace, ClassAreas]:
    """AUCs of the runs of one method by anomaly class and number of labels, where the class was seen and where not."""
    sides: dict[AnomalyPlace, ClassAreas] = {}
    for run in runs:
        split, counts = run.record.spec.split, run.record.counts
        known = split.known_class
        if (known is None and split.rule != "general") or not (counts and counts.train_anomaly):
            continue
        for label in sorted({*run.scores.classes} - {"normal"}):
            area = METRICS["auroc_seen"].of(run.scores, label)
            place = AnomalyPlace(split.dataset, label, split.shots)
            sides.setdefault(place, {}).setdefault(known in {None, label}, []).append(area)
    return sides


def _chart(table: Table, method: str, shots: int | None, both: Mapping[AnomalyPlace, ClassAreas]) -> SlopeChart:
    layout = table.layout
    means = {place: (fmean(side[True]), fmean(side[False])) for place, side in both.items()}
    seen, unseen = (fmean(pair[side] for pair in means.values()) for side in (0, 1))
    lines = tuple(
        (
            layout.label("dataset", place.dataset),
            layout.label("known_class", place.label),
            f"{means[place][0]:.3f} ({plural(len(side[True]), 'run')})",
            f"{means[place][1]:.3f} ({plural(len(side[False]), 'run')})",
            f"{means[place][1] - means[place][0]:+.3f}",
        )
        for place, side in both.items()
    )
    named = _method_title(table, method) + (f", {layout.label('shots', str(shots))}" if shots else "")
    sentence = (
        f"{named}: AUC {seen:.3f} on seen classes and {unseen:.3f} on the same classes unseen, a change of "
        f"{unseen - seen:+.3f} over {plural(len(means), 'class', 'classes')}."
    )
    return SlopeChart(named, _draw(means, (seen, unseen), sentence), sentence, lines)


def _method_title(table: Table, method: str) -> str:
    """The title of a method as the table prints it."""
    printed = (
        cell.coordinates["method"]
        for cell in table.cells
        if cell.source and cell.source.method == method and "method" in cell.coordinates
    )
    return table.label("method", next(printed, method))


def _draw(means: Mapping[AnomalyPlace, tuple[float, float]], mean: tuple[float, float], sentence: str) -> Markup:
    low, high, ticks = round_axis([value for pair in means.values() for value in pair], 1.0)
    y, left, right, height = AxisScale(low, high, 226, 26), 60.0, 240.0, 250
    parts = [
        svg_segments([((left, y(tick)), (right, y(tick))) for tick in ticks], "grid"),
        *(svg_text(left - 8, y(tick) + 4, f"{tick:g}", "end") for tick in ticks),
        svg_text(left, height - 6, "seen", "middle"),
        svg_text(right, height - 6, "unseen", "middle"),
        *(svg_line([(left, y(first)), (right, y(second))], "slope") for first, second in means.values()),
        svg_dots(_ends(means.values(), y, left, right), "dot"),
        svg_line([(left, y(mean[0])), (right, y(mean[1]))], "slope mean"),
        svg_text(right + 8, y(mean[1]) + 4, f"mean {mean[1]:.3f}"),
    ]
    return svg_picture(330, height, parts, sentence)


def _ends(pairs: Iterable[Sequence[float]], y: AxisScale, left: float, right: float) -> Iterator[tuple[float, float]]:
    for first, second in pairs:
        yield left, y(first)
        yield right, y(second)
