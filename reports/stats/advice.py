"""Advice on an inconclusive comparison: about how many runs of ours would settle it, or that no number can."""

from collections.abc import Callable
from math import sqrt

from reports.stats.kept import kept
from reports.stats.sample import Sample, t_quantile
from reports.stats.thresholds import EPSILON, TOLD_QUANTILE, VERDICT_QUANTILE, rounding_tolerance
from reports.stats.verdict import MeanComparison, verdict_masks

NUMBERS_OF_RUNS = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 40, 50, 70, 100, 150, 200, 300, 500, 1000)
SETTLED_SHARE = 0.8
_MIDPOINTS = tuple((step + 0.5) / 10 for step in range(10))


def settling_advice(
    comparison: MeanComparison,
    published: Sample,
    measured: Sample,
    unit: str = "runs",
    show: Callable[[float], str] | None = None,
) -> str:
    """Advice in words on an inconclusive comparison, empty for any other; `unit` is what `measured.n` counts.

    show: prints a width; by default with the digits of an AUC as a fraction or in percent, as the margin says.
    """
    if comparison.verdict != "inconclusive":
        return ""
    if not measured.has_spread:
        return f"one of our {unit} tells no spread: at least two"
    if not measured.exact:
        number = settling_number(published, measured, comparison.margin)
        if number:
            return f"about {number} {unit} in all would settle it in 4 of 5 cases"
    if published.has_spread and published.spread:
        width = t_quantile(published.freedom, VERDICT_QUANTILE) * sqrt(published.mean_variance)
        shown = show(width) if show else f"{width:.{3 if comparison.margin < 1 else 1}f}"
        return f"no number of ours can settle it: the paper's {published.n} runs leave ±{shown}"
    return f"{NUMBERS_OF_RUNS[-1]} {unit} of ours would hardly settle it"


@kept
def settling_number(published: Sample, measured: Sample, margin: float) -> int | None:
    """Smallest of `NUMBERS_OF_RUNS` with which the verdict is no longer inconclusive with probability 0.8, about.

    Our mean of n runs, of which we have n_0, is expected at N(m, s^2 (1/n_0 - 1/n)), our spread as it is. None where
    no number is enough.
    """
    import numpy as np
    from scipy.special import ndtri, stdtrit

    runs = np.array([number for number in NUMBERS_OF_RUNS if number > measured.n], dtype=float)[:, None]
    if not runs.size or not measured.spread:
        return None
    constant = not published.has_spread
    ours, theirs = measured.spread**2 / runs, 0.0 if constant else published.mean_variance
    by_theirs = theirs**2 / published.freedom if theirs else 0.0
    half = stdtrit((ours + theirs) ** 2 / (ours**2 / (runs - 1) + by_theirs), VERDICT_QUANTILE) * np.sqrt(ours + theirs)
    shares = 1 / (1 if constant else published.n) + 1 / runs
    told = stdtrit(runs - 1, TOLD_QUANTILE) * measured.spread * np.sqrt(shares)
    shift = measured.spread * np.sqrt(np.maximum(1 / measured.n - 1 / runs, 0)) * ndtri(np.array(_MIDPOINTS))
    difference = measured.mean - published.mean + shift
    tolerance = rounding_tolerance(margin, published.mean, measured.mean)
    settled = ~verdict_masks(difference, half, told, margin, tolerance)["inconclusive"]
    enough = np.flatnonzero(settled.mean(axis=1) >= SETTLED_SHARE - EPSILON)
    return int(runs[enough[0], 0]) if enough.size else None
