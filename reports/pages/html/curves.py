"""Pictures of one run: its curve of found anomalies against false alarms, its scores by kind of image, its losses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

from markupsafe import Markup

from reports.pages.html.svg import (
    AxisScale,
    Point,
    svg_area,
    svg_line,
    svg_picture,
    svg_segments,
    svg_text,
)
from reports.stats.paired import placements
from reports.stats.thresholds import PAIRED_QUANTILE

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from results.scores import Scores

    Floats = npt.NDArray[np.float64]

_GRID = 40
_MOST_POINTS = 120
_MOST_EPOCHS = 50
_SIDE = 250
_MARGIN = 34
_WIDTH = 340
_BINS = 24
_KINDS = {"normal": "normal", "seen class": "seen", "unseen classes": "unseen", "anomalies": "unseen"}
"""Kinds of test images with the class of the style sheet that colours each."""


@dataclass(frozen=True, slots=True)
class RocCurve:
    """Points (false alarms, found anomalies) of the curve as shares, its 95 % band, and the area with its interval.

    low, high: None where an image stands alone on its side, so that there is no spread.
    """

    points: tuple[Point, ...]
    band: tuple[tuple[float, float, float], ...]
    area: float
    low: float | None
    high: float | None


def roc_curve(scores: "Scores") -> RocCurve:
    """The curve of scores of at least one image a side.

    The interval of the area is DeLong's (DeLong, DeLong and Clarke-Pearson 1988, eqs. 4-6): the variance of the
    placements of the anomalies over their number, plus that of the normal images over theirs. The band splits the error
    of a point in the same way: the binomial error of the share of found anomalies, and that of the share of false
    alarms, which the curve itself carries over to the other axis (delta method; Pepe, The Statistical Evaluation of
    Medical Tests, 2003, section 5.2). It holds at one share of false alarms, not for the whole curve at once.
    """
    import numpy as np

    labels = scores.labels.astype(bool)
    anomalies, normals = scores.values[labels], scores.values[~labels]
    thresholds = np.unique(scores.values)[::-1]
    hits, alarms = (
        np.concatenate([[0.0], 1 - np.searchsorted(np.sort(side), thresholds, "left") / len(side)])
        for side in (anomalies, normals)
    )
    reach = NormalDist().inv_cdf(PAIRED_QUANTILE)
    at = np.linspace(0, 1, _GRID + 1)
    share = np.interp(at, alarms, hits)
    sideways = reach * np.sqrt(at * (1 - at) / len(normals))
    carried = (np.interp(at + sideways, alarms, hits) - np.interp(at - sideways, alarms, hits)) / 2
    half = np.sqrt(reach**2 * share * (1 - share) / len(anomalies) + carried**2)
    low, high = np.clip(share - half, 0, 1), np.clip(share + half, 0, 1)
    area, error = _area(anomalies, normals)
    return RocCurve(
        points=tuple(_thinned(list(zip(alarms.tolist(), hits.tolist(), strict=True)))),
        band=tuple(zip(at.tolist(), low.tolist(), high.tolist(), strict=True)),
        area=area,
        low=None if error is None else max(0.0, area - reach * error),
        high=None if error is None else min(1.0, area + reach * error),
    )


def draw_roc(curve: RocCurve) -> Markup:
    """The curve with its band, and the line of chance."""
    x, y = AxisScale(0, 1, _MARGIN, _SIDE - 8), AxisScale(0, 1, _SIDE - _MARGIN, 8)
    band = [(x(at), y(high)) for at, _, high in curve.band]
    band += [(x(at), y(low)) for at, low, _ in reversed(curve.band)]
    interval = "" if curve.low is None else f", 95 % interval {curve.low:.3f} to {curve.high:.3f} (DeLong)"
    return svg_picture(
        _SIDE,
        _SIDE,
        [
            svg_segments([((x(0), y(0)), (x(1), y(0))), ((x(0), y(0)), (x(0), y(1)))], "axis"),
            svg_segments([((x(0), y(0)), (x(1), y(1)))], "chance"),
            svg_area(band, "band"),
            svg_line(((x(alarms), y(found)) for alarms, found in curve.points), "curve"),
            *(svg_text(x(at), _SIDE - _MARGIN + 14, f"{at:g}", "middle") for at in (0, 0.5, 1)),
            *(svg_text(_MARGIN - 5, y(at) + 4, f"{at:g}", "end") for at in (0, 0.5, 1)),
            svg_text(x(0.5), _SIDE - 4, "normal images taken for anomalies", "middle"),
        ],
        f"ROC curve with its 95 % band: AUC {curve.area:.3f}{interval}",
    )


def image_kinds(scores: "Scores", known_class: str | None) -> dict[str, list[float]]:
    """Scores by kind of image: normal, of the seen class, of unseen classes; anomalies where no class is known."""
    kinds: dict[str, list[float]] = {}
    for label, value in zip(scores.classes, scores.values.tolist(), strict=True):
        if label == "normal":
            kind = "normal"
        elif known_class is None:
            kind = "anomalies"
        else:
            kind = "seen class" if label == known_class else "unseen classes"
        kinds.setdefault(kind, []).append(value)
    return {kind: kinds[kind] for kind in _KINDS if kind in kinds}


def draw_histogram(kinds: Mapping[str, Sequence[float]]) -> Markup:
    """Scores by kind of image, each kind as shares of its own images, on one axis.

    The outermost bins hold all that lies beyond them too: a few extreme scores would press the others into one bin.
    """
    low, high, signs = _score_range([value for values in kinds.values() for value in values])
    shares = {kind: _bin_shares(values, low, high) for kind, values in kinds.items()}
    bottom = 175
    x, y = AxisScale(0, _BINS, 8, _WIDTH - 8), AxisScale(0, max(map(max, shares.values())), bottom, 22)
    parts = [svg_segments([((8, bottom), (_WIDTH - 8, bottom))], "axis")]
    for number, (kind, heights) in enumerate(shares.items()):
        outline = [(x(0), float(bottom))]
        for index, height in enumerate(heights):
            outline += [(x(index), y(height)), (x(index + 1), y(height))]
        parts.append(svg_area([*outline, (x(_BINS), float(bottom))], f"kind {_KINDS[kind]}"))
        parts.append(svg_area(_square(8, 198 + 18 * number), f"kind {_KINDS[kind]}"))
        parts.append(svg_text(24, 208 + 18 * number, f"{kind}, {len(kinds[kind])}"))
    parts.append(svg_text(8, bottom + 15, f"{signs[0]}{low:.3g}"))
    parts.append(svg_text(_WIDTH - 8, bottom + 15, f"{signs[1]}{high:.3g}", "end"))
    parts.append(svg_text(_WIDTH / 2, bottom + 15, "anomaly score", "middle"))
    counts = ", ".join(f"{len(values)} {kind}" for kind, values in kinds.items())
    return svg_picture(_WIDTH, 200 + 18 * len(kinds), parts, f"Histogram of the scores of the test images: {counts}")


def _score_range(values: Sequence[float]) -> tuple[float, float, tuple[str, str]]:
    """Bounds of the axis, the middle 96 of 100 scores at least, and signs that say where scores lie beyond them."""
    ordered = sorted(values)
    spare = len(ordered) // 50
    low, high = ordered[spare], ordered[-1 - spare]
    if low == high:
        low, high = ordered[0], max(ordered[-1], ordered[0] + 1.0)
    return low, high, ("≤ " if ordered[0] < low else "", "≥ " if ordered[-1] > high else "")


def draw_losses(history: Mapping[str, Sequence[float | None]]) -> Markup:
    """Numbers of each epoch as lines, each on a scale of its own, which its label says; empty without two epochs."""
    lines = {name: _numbers(values) for name, values in history.items()}
    drawn = {name: points for name, points in lines.items() if len(points) > 1}
    if not drawn:
        return Markup("")
    parts, height = [], 44
    for number, (name, points) in enumerate(drawn.items()):
        values = [value for _, value in points]
        top = number * height + 16
        x = AxisScale(points[0][0], points[-1][0], 8, _WIDTH - 8)
        y = AxisScale(min(values), max(values) if max(values) > min(values) else min(values) + 1, top + 24, top + 3)
        parts.append(svg_text(8, top - 3, f"{name}: {values[0]:.4g} to {values[-1]:.4g}"))
        parts.append(svg_line(((x(at), y(value)) for at, value in points), "curve"))
    label = ", ".join(f"{name} from {points[0][1]:.4g} to {points[-1][1]:.4g}" for name, points in drawn.items())
    return svg_picture(_WIDTH, height * len(drawn), parts, f"Numbers of each epoch: {label}")


def _numbers(values: Sequence[float | None]) -> list[tuple[float, float]]:
    """Finite numbers with their epochs, of a long history so many that the line keeps its form."""
    points = [(float(epoch), value) for epoch, value in enumerate(values) if value is not None]
    step = max(1, -(-len(points) // _MOST_EPOCHS))
    return [*points[:-1:step], *points[-1:]]


def _bin_shares(values: Sequence[float], low: float, high: float) -> list[float]:
    counts = [0] * _BINS
    for value in values:
        counts[min(max(int((value - low) / (high - low) * _BINS), 0), _BINS - 1)] += 1
    return [count / len(values) for count in counts]


def _square(x: float, y: float) -> list[tuple[float, float]]:
    return [(x, y), (x + 11, y), (x + 11, y + 11), (x, y + 11)]


def _area(anomalies: "Floats", normals: "Floats") -> tuple[float, float | None]:
    """The area and its standard error by DeLong."""
    import numpy as np

    above, below = placements(anomalies, normals), placements(normals, anomalies)
    area = float(np.mean(above))
    if min(len(anomalies), len(normals)) < 2:
        return area, None
    return area, sqrt(float(np.var(above, ddof=1)) / len(above) + float(np.var(below, ddof=1)) / len(below))


def _thinned(points: list[Point]) -> list[Point]:
    """Corners of the curve, and of a long one so many that no eye sees the difference."""
    corners = [
        point
        for before, point, after in zip(points, points[1:], points[2:], strict=False)
        if (before[0] == point[0]) != (point[0] == after[0]) or (before[1] == point[1]) != (point[1] == after[1])
    ]
    step = max(1, -(-len(corners) // _MOST_POINTS))
    return [points[0], *corners[::step], points[-1]]
