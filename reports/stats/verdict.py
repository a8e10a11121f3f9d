"""Verdicts on a measured mean beside a published one: a 90 % Welch interval against a declared margin."""

from dataclasses import dataclass
from math import inf, isfinite, sqrt
from typing import Literal

from reports.stats.thresholds import EPSILON, VERDICT_QUANTILE

VerdictName = Literal["reproduced", "close", "better", "worse", "inconclusive"]
BetterValue = Literal["higher", "lower"]
CellState = Literal["missing", "failed", "stale", "not_comparable"] | VerdictName

MOST_SEEDS = 1000


@dataclass(frozen=True, slots=True)
class Sample:
    """A mean of `n` runs with their sample standard deviation; `std` None: no spread over runs is known."""

    mean: float
    std: float | None
    n: int

    @property
    def has_spread(self) -> bool:
        return self.std is not None and self.n > 1


@dataclass(frozen=True, slots=True)
class MeanComparison:
    """Measured minus published in the table's unit, its 90 % interval (None for one run of ours), and what follows.

    `seeds_to_settle`: the number of our seeds with which, at the same mean and std, the comparison is no longer
    inconclusive; None where it is settled already or where no number up to 1000 does. `capped`: none ever can, since
    the few published runs alone leave the interval too wide.
    """

    agreement: VerdictName
    difference: float
    low: float | None
    high: float | None
    margin: float
    seeds_to_settle: int | None = None
    capped: bool = False

    @property
    def advice(self) -> str:
        """Advice that would settle an inconclusive comparison; empty for the others."""
        if self.agreement != "inconclusive":
            return ""
        if self.seeds_to_settle is not None:
            return f"{self.seeds_to_settle} seeds in all would settle it"
        if self.capped:
            return "no number of seeds can settle it, the few published runs cap it"
        return f"{MOST_SEEDS} seeds would not settle it"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Verdict of a cell. `reasons`: why it is failed, stale or not comparable, or what a mean row lacks."""

    name: CellState
    comparison: MeanComparison | None = None
    reasons: tuple[str, ...] = ()

    @property
    def would_be(self) -> VerdictName | None:
        """The verdict that a cell which is not comparable would have."""
        return self.comparison.agreement if self.name == "not_comparable" and self.comparison else None


def judge(published: Sample, measured: Sample, margin: float, better: BetterValue = "higher") -> MeanComparison:
    """Judge a measured mean against a published one; `margin` and both samples in the same unit.

    `better` says which of two values is the better one.

    A published value without spread over runs is a constant: a one-sample t interval of our runs, and never
    `reproduced`. One run of ours has no interval and is always inconclusive.
    """
    if not (isfinite(margin) and margin >= 0):
        raise ValueError(f"margin must be a finite number of at least 0, not {margin}")
    difference = measured.mean - published.mean
    if not measured.has_spread:
        seeds, capped = _settle(published, measured, difference, margin)
        return MeanComparison("inconclusive", difference, None, None, margin, seeds, capped)
    half = _half_width(published, measured)
    gain = difference if better == "higher" else -difference
    agreement = _agreement(gain, half, margin, constant=not published.has_spread)
    seeds, capped = (None, False)
    if agreement == "inconclusive":
        seeds, capped = _settle(published, measured, difference, margin)
    return MeanComparison(agreement, difference, difference - half, difference + half, margin, seeds, capped)


def standard_error(published: Sample, measured: Sample) -> tuple[float, float]:
    """Standard error and degrees of freedom of measured minus published mean: Welch, or one-sample for a constant.

    `measured` needs a spread; degrees of freedom are infinite where neither side varies.
    """
    ours = _variance_of_mean(measured)
    if not published.has_spread:
        return sqrt(ours), float(measured.n - 1)
    theirs = _variance_of_mean(published)
    total = ours + theirs
    if total == 0:
        return 0.0, inf
    # Shares, not squares of variances, so that tiny spreads do not underflow.
    share = ours / total
    freedom = 1 / (share**2 / (measured.n - 1) + (1 - share) ** 2 / (published.n - 1))
    return sqrt(total), freedom


def auc_standard_error(auc: float, anomalies: int, normals: int) -> float:
    """Standard error that a finite test set alone gives one AUC (Hanley and McNeil 1982, eq. 1); AUC as a fraction."""
    both_anomalies = auc / (2 - auc)
    both_normals = 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc)
    variance += (anomalies - 1) * (both_anomalies - auc**2)
    variance += (normals - 1) * (both_normals - auc**2)
    return sqrt(max(variance, 0.0) / (anomalies * normals))


def _variance_of_mean(sample: Sample) -> float:
    return (sample.std or 0.0) ** 2 / sample.n


def _half_width(published: Sample, measured: Sample) -> float:
    from scipy.special import stdtrit

    error, freedom = standard_error(published, measured)
    return float(stdtrit(freedom, VERDICT_QUANTILE)) * error if error else 0.0


def _agreement(gain: float, half: float, margin: float, *, constant: bool) -> VerdictName:
    if not constant and abs(gain) + half < margin:
        return "reproduced"
    if abs(gain) <= half or gain == 0:
        return "inconclusive"
    if abs(gain) <= margin + EPSILON:
        return "close"
    return "better" if gain > 0 else "worse"


def _settle(published: Sample, measured: Sample, difference: float, margin: float) -> tuple[int | None, bool]:
    """Smallest number of our runs that settles it, at the same mean and std, and whether none ever can.

    With one run of ours the published spread stands in for ours; where there is none either, two runs are the answer,
    since nothing is known of the spread. The half-width does not shrink steadily: with many of our runs the degrees
    of freedom fall to those of the published ones. So each number is tried.
    """
    if not measured.has_spread and not published.has_spread:
        return 2, False
    import numpy as np
    from scipy.special import stdtrit

    constant = not published.has_spread
    spread = (measured.std if measured.has_spread else published.std) or 0.0
    runs = np.arange(max(2, measured.n + 1), MOST_SEEDS + 1)
    ours = spread**2 / runs
    theirs = 0.0 if constant else _variance_of_mean(published)
    total = np.maximum(ours + theirs, np.finfo(float).tiny)
    by_theirs = 0.0 if constant else (theirs / total) ** 2 / (published.n - 1)
    freedom = 1 / np.maximum((ours / total) ** 2 / (runs - 1) + by_theirs, EPSILON)
    half = stdtrit(freedom, VERDICT_QUANTILE) * np.sqrt(total)
    off = abs(difference)
    settled = np.flatnonzero((off > half) if constant else (off > half) | (off + half < margin))
    if settled.size:
        return int(runs[settled[0]]), False
    if constant:
        return None, False
    limit = float(stdtrit(published.n - 1, VERDICT_QUANTILE)) * sqrt(theirs)
    return None, off <= limit and off + limit >= margin
