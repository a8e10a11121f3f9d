"""Panels of runs: what their scores show, and what made them; lines that many runs share stand once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from protocols.text import plural
from reports.pages.html.cells import Anchors
from reports.pages.html.curves import RocCurve, draw_histogram, draw_losses, draw_roc, image_kinds, roc_curve
from reports.pages.html.evidence import PictureSheet, RunEvidence
from reports.pages.html.model import ClassLine, RunPanel, SettingsPanel
from results.metrics import AUROC, METRICS

if TYPE_CHECKING:
    from results.scores import Scores

SCORES_NOT_AT_HAND = "Its scores are not at hand, so there is no curve: name the folder that has them by --results."
_NO_PICTURES = PictureSheet()


@dataclass(frozen=True, slots=True)
class SharedLines:
    """Panels of lines that several runs share, and the panel of each run by its key."""

    panels: tuple[SettingsPanel, ...]
    by_run: Mapping[str, SettingsPanel]


def shared_lines(runs: Sequence[RunEvidence], anchors: Anchors) -> SharedLines:
    """The lines of `bench results why` that all runs of a method and recipe have, where there are several runs."""
    groups: dict[tuple[str, str, int], list[RunEvidence]] = {}
    for run in runs:
        spec = run.record.spec
        groups.setdefault((spec.method, spec.recipe, spec.fit.version), []).append(run)
    panels: list[SettingsPanel] = []
    by_run: dict[str, SettingsPanel] = {}
    for (method, recipe, version), group in groups.items():
        common = set.intersection(*(set(run.why) for run in group))
        if len(group) < 2 or not common:
            continue
        title = f"{method}, recipe {recipe}, version {version}"
        lines = tuple(line for line in group[0].why if line in common)
        panel = SettingsPanel(anchors.anchor(f"settings/{method}/{recipe}"), title, len(group), lines)
        panels.append(panel)
        by_run |= {run.record.key: panel for run in group}
    return SharedLines(tuple(panels), by_run)


def run_panel(run: RunEvidence, anchor: str, shared: SharedLines) -> RunPanel:
    """The panel of a finished run."""
    record, scores, sheet = run.record, run.scores, run.pictures or _NO_PICTURES
    settings = shared.by_run.get(record.key)
    curve = roc_curve(scores) if scores else None
    known_class = record.spec.split.known_class
    return RunPanel(
        anchor=anchor,
        name=record.spec.name,
        key=record.key,
        value="" if record.metrics is None else f"{record.metrics.auroc:.4f}",
        numbers=tuple(_numbers(run, curve)),
        roc=draw_roc(curve) if curve else Markup(""),
        histogram=draw_histogram(image_kinds(scores, known_class)) if scores else Markup(""),
        losses=draw_losses(record.history),
        classes=tuple(class_lines(scores, known_class)) if scores else (),
        normals=sheet.normals,
        anomalies=sheet.anomalies,
        remarks=tuple(_remarks(scores, sheet)),
        own=tuple(line for line in run.why if settings is None or line not in settings.lines),
        settings=settings.anchor if settings else "",
    )


def class_lines(scores: "Scores", known_class: str | None) -> Iterator[ClassLine]:
    """AUC and average precision of each anomaly class against all normal images, the largest class first."""
    from results.scores import Scores as OfClass

    labels = {label: scores.classes.count(label) for label in dict.fromkeys(scores.classes) if label != "normal"}
    for label, images in sorted(labels.items(), key=lambda pair: (-pair[1], pair[0])):
        rows = [index for index, name in enumerate(scores.classes) if name in {"normal", label}]
        part = OfClass(
            tuple(scores.ids[index] for index in rows),
            tuple(scores.classes[index] for index in rows),
            scores.values[rows],
        )
        kind = "" if known_class is None else ("seen" if label == known_class else "unseen")
        precision = METRICS["average_precision"].of(part, None)
        yield ClassLine(label, kind, images, f"{AUROC.of(part, None):.3f}", f"{precision:.3f}")


def _numbers(run: RunEvidence, curve: RocCurve | None) -> Iterator[tuple[str, str]]:
    record = run.record
    if record.metrics:
        interval = "" if curve is None or curve.low is None else f" (95 % {curve.low:.3f} to {curve.high:.3f}, DeLong)"
        yield "AUC", f"{record.metrics.auroc:.4f}{interval}"
        yield "Average precision", f"{record.metrics.average_precision:.4f}"
    if record.counts:
        counts = record.counts
        yield (
            "Training images",
            f"{counts.train_normal} normal, {plural(counts.train_anomaly, 'labelled anomaly', 'labelled anomalies')}",
        )
        yield "Test images", f"{counts.test_normal} normal, {counts.test_anomaly} anomalous"


def _remarks(scores: "Scores | None", sheet: PictureSheet) -> Iterable[str]:
    if scores is None:
        yield SCORES_NOT_AT_HAND
    if sheet.reason:
        yield sheet.reason
    if sheet.licence:
        yield f"Pictures: {sheet.licence}."
