"""Metrics: numbers computed from the scores of a run. A new one is a row of `METRICS`.

Anomalies are the positive class, ties count one half. numpy is loaded by the first metric that is computed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from protocols.text import near_miss
from results.errors import ResultsError
from results.record import Metrics, Record

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from results.scores import Scores

    ScoreArray = npt.NDArray[np.float64]


class UndefinedMetricError(ResultsError):
    """The scores at hand have no such metric; the text says why not."""


class Metric(NamedTuple):
    """A number of a run.

    `title`: its name within a sentence. `unit`: a `fraction` stands in percent where a table is in percent,
    anything else as it is. `low` and `high` bound it; `chance` is its expectation for scores without information,
    None where that depends on the test images. `of` computes it from the scores and the known class of the run (None:
    it has none); it raises UndefinedMetricError where there is no such number.
    """

    id: str
    title: str
    unit: str
    low: float
    high: float
    better: Literal["higher", "lower"]
    chance: float | None
    of: "Callable[[Scores, str | None], float]"

    @property
    def heading(self) -> str:
        """The title with a capital."""
        return self.title[:1].upper() + self.title[1:]

    @property
    def sign(self) -> int:
        """1 where more is better, else -1."""
        return 1 if self.better == "higher" else -1

    def beyond_chance(self, values: Iterable[float]) -> str:
        """`below 0.5` where one of the values is worse than chance; empty where none is, or chance is unknown."""
        if self.chance is None or all(self.sign * value >= self.sign * self.chance for value in values):
            return ""
        return f"{'below' if self.better == 'higher' else 'above'} {self.chance:g}"


def find_metric(name: str) -> Metric:
    """The metric of this id.

    Raises:
        ResultsError: there is none.
    """
    if name not in METRICS:
        raise ResultsError(f"no metric {name!r}: {near_miss(name, METRICS)}")
    return METRICS[name]


def stored_value(metric: Metric, record: Record) -> float | None:
    """Value of a metric as it stands in a record; None where it has none."""
    value: float | None = getattr(record.metrics, metric.id, None)
    return value


def computed_metrics(scores: "Scores") -> Metrics:
    """The metrics that a record stores, from its scores.

    Raises:
        UndefinedMetricError: the scores are of normal images alone, or of anomalies alone.
    """
    return Metrics(**{metric.id: metric.of(scores, None) for metric in STORED_METRICS})


def _auroc(scores: "Scores", _: str | None) -> float:
    return _area(*_sides(scores))


def _average_precision(scores: "Scores", _: str | None) -> float:
    import numpy as np

    anomalies, normals = map(np.sort, _sides(scores))
    hits = len(anomalies) - np.searchsorted(anomalies, anomalies)
    false_alarms = len(normals) - np.searchsorted(normals, anomalies)
    return float(np.mean(hits / (hits + false_alarms)))


def _fpr_at_95_tpr(scores: "Scores", _: str | None) -> float:
    import numpy as np

    anomalies, normals = _sides(scores)
    least_hits = -(-19 * len(anomalies) // 20)
    return float(np.mean(normals >= np.sort(anomalies)[-least_hits]))


def _auroc_seen(scores: "Scores", known_class: str | None) -> float:
    seen_class = _required(known_class)
    if seen_class not in scores.classes:
        raise UndefinedMetricError(
            f"no test image is of the known class {seen_class}, whose images the hard setting leaves out"
        )
    return _area(*_sides(scores, [name == seen_class for name in scores.classes]))


def _auroc_unseen(scores: "Scores", known_class: str | None) -> float:
    seen_class = _required(known_class)
    if {*scores.classes} <= {"normal", seen_class}:
        raise UndefinedMetricError(f"no test image is an anomaly of another class than the known one, {seen_class}")
    return _area(*_sides(scores, [name != seen_class for name in scores.classes]))


def _required(known_class: str | None) -> str:
    if known_class is None:
        raise UndefinedMetricError("its split has no known class, so no anomaly class is seen or unseen")
    return known_class


def _sides(scores: "Scores", is_counted: Sequence[bool] | None = None) -> "tuple[ScoreArray, ScoreArray]":
    """Scores of the anomalies (of these rows alone, if given) and of the normal images, at least one of each."""
    import numpy as np

    is_anomaly = scores.labels.astype(bool)
    if not is_anomaly.any():
        raise UndefinedMetricError("no test image is an anomaly")
    if is_anomaly.all():
        raise UndefinedMetricError("no test image is normal")
    is_positive = is_anomaly if is_counted is None else is_anomaly & np.array(is_counted)
    return scores.values[is_positive], scores.values[~is_anomaly]


def _area(anomalies: "ScoreArray", normals: "ScoreArray") -> float:
    """Share of pairs of an anomaly and a normal image in which the anomaly has the higher score, ties one half."""
    import numpy as np

    ordered = np.sort(normals)
    halves = np.searchsorted(ordered, anomalies, "left").sum() + np.searchsorted(ordered, anomalies, "right").sum()
    return float(halves / (2 * len(anomalies) * len(normals)))


AUROC = Metric("auroc", "AUC", "fraction", 0, 1, "higher", 0.5, _auroc)
"""Share of pairs of an anomaly and a normal image in which the anomaly has the higher score. The papers print it."""

METRICS: Mapping[str, Metric] = {
    metric.id: metric
    for metric in (
        AUROC,
        Metric("average_precision", "average precision", "fraction", 0, 1, "higher", None, _average_precision),
        Metric("fpr_at_95_tpr", "FPR at 95 % TPR", "fraction", 0, 1, "lower", 0.95, _fpr_at_95_tpr),
        Metric("auroc_seen", "AUC on the seen class", "fraction", 0, 1, "higher", 0.5, _auroc_seen),
        Metric("auroc_unseen", "AUC on unseen classes", "fraction", 0, 1, "higher", 0.5, _auroc_unseen),
    )
}

STORED_METRICS = tuple(METRICS[name] for name in Metrics.__struct_fields__)
"""Those that a record holds; the others are computed from its scores."""
