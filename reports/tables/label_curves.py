"""AUC against the number of labelled anomalies: the measured cells of a suite, by what is tested and by method."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from reports.tables.groups import ranking_conditions
from reports.tables.measured import Measured
from reports.tables.table import Cell, Table
from results.record import Record


@dataclass(frozen=True, slots=True)
class LabelPoint:
    """The value of a method with so many labelled anomalies; 0 where it is given none."""

    labels: int
    measured: Measured


@dataclass(frozen=True, slots=True)
class LabelCurve:
    """The values of a method on one set of test images by number of labels, least first."""

    method: str
    points: tuple[LabelPoint, ...]

    def at(self, labels: int) -> Measured | None:
        """The value with so many labels."""
        return next((point.measured for point in self.points if point.labels == labels), None)


@dataclass(frozen=True, slots=True)
class LabelPanel:
    """The curves of all methods on the test images of one dataset, and in the hard setting of one known class."""

    rule: str
    dataset: str
    known_class: str
    curves: tuple[LabelCurve, ...]

    @property
    def title(self) -> str:
        return f"{self.dataset}, {self.known_class} known" if self.known_class else self.dataset


@dataclass(frozen=True, slots=True)
class RunCosts:
    """Mean seconds of the fits and of the scorings of some runs, over those whose records hold them."""

    runs: int
    fit_s: float
    score_s: float


def label_panels(table: Table) -> tuple[LabelPanel, ...]:
    """The measured cells of a suite of the rules general and hard, without its mean rows and without stale ones."""
    leaves = table.layout.leaves
    cells = [
        cell
        for cell in table.cells
        if cell.measured and tuple(cell.coordinates.items()) in leaves and cell.verdict.name != "stale"
    ]
    places = dict.fromkeys(_place(table, cell) for cell in cells)
    return tuple(
        LabelPanel(*place, tuple(_curves(table, [cell for cell in cells if _place(table, cell) == place])))
        for place in places
    )


def label_counts(panels: Iterable[LabelPanel]) -> list[int]:
    """All numbers of labels, least first."""
    return sorted({point.labels for panel in panels for curve in panel.curves for point in curve.points})


def run_costs(records: Iterable[Record]) -> RunCosts | None:
    """Mean seconds of runs; None where no record says them."""
    timings = [record.timings for record in records if {"fit_s", "score_s"} <= record.timings.keys()]
    if not timings:
        return None
    fit_s, score_s = (fmean(times[name] for times in timings) for name in ("fit_s", "score_s"))
    return RunCosts(len(timings), fit_s, score_s)


def rank_rows(panels: Sequence[LabelPanel], labels: int) -> dict[str, dict[str, float]]:
    """Values to rank methods by, with so many labels or none: dataset -> method -> mean over known classes.

    Only test images on which all of these methods have a value, of one recipe and limit; a dataset counts once,
    whatever the number of its known classes.
    """
    values: list[tuple[str, dict[str, Measured]]] = []
    for panel in panels:
        candidates = {curve.method: curve.at(labels) or curve.at(0) for curve in panel.curves}
        values.append((panel.dataset, {method: measured for method, measured in candidates.items() if measured}))
    if not any(curve.at(labels) for panel in panels for curve in panel.curves):
        return {}
    methods = list(dict.fromkeys(method for _, by_method in values for method in by_method))
    by_dataset: dict[str, list[dict[str, Measured]]] = {}
    for dataset, by_method in values:
        conditions = {ranking_conditions(measured) for measured in by_method.values()}
        if len(by_method) == len(methods) and len(conditions) == 1:
            by_dataset.setdefault(dataset, []).append(by_method)
    return {
        dataset: {method: fmean(by_method[method].mean for by_method in classes) for method in methods}
        for dataset, classes in by_dataset.items()
    }


def _place(table: Table, cell: Cell) -> tuple[str, str, str]:
    at = cell.coordinates
    return table.layout.rule(at), at["dataset"], at.get("known_class", "")


def _curves(table: Table, cells: Iterable[Cell]) -> Iterable[LabelCurve]:
    points: dict[str, list[LabelPoint]] = {}
    for cell in cells:
        if cell.measured:
            labels = int(cell.coordinates.get("shots") or 0)
            title = table.label("method", cell.coordinates["method"])
            points.setdefault(title, []).append(LabelPoint(labels, cell.measured))
    for method, of_method in points.items():
        yield LabelCurve(method, tuple(sorted(of_method, key=lambda point: point.labels)))
