"""Verdicts on a measured mean beside a published one (design section 8)."""

from dataclasses import dataclass
from math import isfinite, sqrt
from typing import TYPE_CHECKING, Any, Literal

from reports.stats.sample import Sample, standard_error, t_quantile
from reports.stats.thresholds import EPSILON, MOST_TOLD, TOLD_QUANTILE, VERDICT_QUANTILE, rounding_tolerance

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64] | np.float64
    Bools = npt.NDArray[np.bool_] | np.bool_

VERDICT_VERSION = 2
"""Raised when a word of a verdict changes its meaning; stands in JSON and JUnit."""

VerdictName = Literal["reproduced", "higher", "lower", "close", "consistent", "inconclusive"]
VERDICT_NAMES: tuple[VerdictName, ...] = ("reproduced", "higher", "lower", "close", "consistent", "inconclusive")
CellState = Literal["missing", "failed", "stale", "not_comparable"] | VerdictName


@dataclass(frozen=True, slots=True)
class MeanComparison:
    """Measured minus published in the table's unit, and what follows.

    low, high: the 90 % interval of the difference; None for one run of ours. told: half-width r of the interval around
    our mean in which the mean of as many runs of ours as the paper had falls in 95 of 100 cases; None for one run.
    """

    verdict: VerdictName
    difference: float
    low: float | None
    high: float | None
    told: float | None
    margin: float

    @property
    def half_width(self) -> float | None:
        return None if self.high is None else self.high - self.difference


@dataclass(frozen=True, slots=True)
class Verdict:
    """Verdict of a cell. `reasons`: why it is failed, stale or not comparable, or what a mean row lacks.

    advice: what would settle an inconclusive comparison. one_draw: the verdict if the paper's runs shared one draw of
    anomalies, where that reading of its std changes it.
    """

    name: CellState
    comparison: MeanComparison | None = None
    reasons: tuple[str, ...] = ()
    advice: str = ""
    one_draw: VerdictName | None = None

    @property
    def would_be(self) -> VerdictName | None:
        """The verdict that a cell which is not comparable would have."""
        return self.comparison.verdict if self.name == "not_comparable" and self.comparison else None


def check_margin(margin: float) -> None:
    """Raises ValueError for a margin that is no finite number of at least 0."""
    if not (isfinite(margin) and margin >= 0):
        raise ValueError(f"margin must be a finite number of at least 0, not {margin}")


def judge(published: Sample, measured: Sample, margin: float) -> MeanComparison:
    """Judge a measured mean against a published one; `margin` and both samples in the same unit.

    A published value without spread over runs is a constant: the interval is that of our mean alone, and the paper's
    number counts as one run. One run of ours has no interval and is always inconclusive.
    """
    check_margin(margin)
    difference = measured.mean - published.mean
    if not measured.has_spread:
        return MeanComparison("inconclusive", difference, None, None, None, margin)
    error, freedom = standard_error(published, measured)
    half = t_quantile(freedom, VERDICT_QUANTILE) * error if error else 0.0
    told = told_width(measured, published.n if published.has_spread else 1)
    tolerance = rounding_tolerance(margin, published.mean, measured.mean)
    name = verdict_name(difference, half, told, margin, tolerance)
    return MeanComparison(name, difference, difference - half, difference + half, told, margin)


def told_width(measured: Sample, runs: int) -> float:
    """Half-width r of the 95 % prediction interval, around our mean, of the mean of `runs` further runs."""
    if not measured.spread:
        return 0.0
    return t_quantile(measured.freedom, TOLD_QUANTILE) * measured.spread * sqrt(1 / runs + 1 / measured.n)


def verdict_name(difference: float, half: float, told: float, margin: float, tolerance: float = EPSILON) -> VerdictName:
    """The first row of the table of verdicts that applies; `half` and `told` are the widths w and r."""
    numbers: tuple[Any, Any, Any] = difference, half, told
    masks = verdict_masks(*numbers, margin, tolerance)
    return next(name for name, applies in masks.items() if applies)


def verdict_masks(
    difference: "Floats", half: "Floats", told: "Floats", margin: float, tolerance: float = EPSILON
) -> "dict[VerdictName, Bools]":
    """The table of verdicts for arrays, or plain numbers: a mask each, of which just one is true at any place.

    Numbers that differ by no more than `tolerance` are equal.
    """
    size: Any = abs(difference)
    far, beyond_half, beyond_told = (size > bound + tolerance for bound in (margin, half, told))
    reproduced = size + half < margin - tolerance
    # `^ True` negates arrays and plain truth values alike, `~` does not.
    off = beyond_half & beyond_told & (reproduced ^ True)
    told_enough = told <= MOST_TOLD * margin + tolerance
    explained = told_enough & ((beyond_told | (far & beyond_half) | reproduced | off) ^ True)
    return {
        "reproduced": reproduced,
        "higher": off & far & (difference > 0),
        "lower": off & far & (difference < 0),
        "close": off & (far ^ True),
        "consistent": explained,
        "inconclusive": (reproduced | off | explained) ^ True,
    }


def auc_standard_error(auc: float, anomalies: int, normals: int) -> float:
    """Standard error that a finite test set alone gives one AUC (Hanley and McNeil 1982, eq. 1); AUC as a fraction."""
    both_anomalies = auc / (2 - auc)
    both_normals = 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc)
    variance += (anomalies - 1) * (both_anomalies - auc**2)
    variance += (normals - 1) * (both_normals - auc**2)
    return sqrt(max(variance, 0.0) / (anomalies * normals))
