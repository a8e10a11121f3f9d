"""Words of verdicts as pages print them: a mark for each word of a cell, the rule behind it, and advice."""

from collections.abc import Callable, Mapping
from math import sqrt

from reports.stats.kept import kept
from reports.stats.sample import Sample, t_quantile
from reports.stats.table_verdict import TableVerdict, TableVerdictName
from reports.stats.thresholds import EPSILON, MOST_TOLD, TOLD_QUANTILE, VERDICT_QUANTILE, rounding_tolerance
from reports.stats.verdict import MeanComparison, VerdictName, verdict_masks

MARKS: Mapping[VerdictName, str] = {
    "reproduced": "=",
    "close": "≈",
    "higher": "↑",
    "lower": "↓",
    "consistent": "∼",
    "inconclusive": "?",
}
MEANINGS: Mapping[VerdictName, str] = {
    "reproduced": "reproduced: the 90 % interval of the difference lies within the margin",
    "close": "close: there is a difference, and our best estimate of it lies within the margin",
    "higher": "higher: above the published mean by more than the margin, and by more than the scatter of runs explains",
    "lower": "lower: below the published mean by more than the margin, and by more than the scatter of runs explains",
    "consistent": (
        "consistent ±r: as many runs of ours as the paper had would print such a mean; a difference up to ±r cannot be "
        f"told (r is at most {MOST_TOLD} margins). At ten seeds a true drop of 0.05 still reads consistent in about 27 "
        "of 100 cells of DRA's Table 2"
    ),
    "inconclusive": "inconclusive: these runs cannot tell",
}
GROUP_MEANINGS: Mapping[TableVerdictName, str] = {
    "reproduced": (
        "reproduced: the 90 % interval of D lies within the margin, and tau is at most the margin or not told from 0"
    ),
    "reproduced on average": (
        "reproduced on average: the interval of D lies within the margin, but single cells differ by about ±tau more "
        "than chance"
    ),
    "close": "close: the interval leaves out 0, and D lies within the margin",
    "higher": "higher: the interval leaves out 0, and D is above 0 by more than the margin",
    "lower": "lower: the interval leaves out 0, and D is below 0 by more than the margin",
    "inconclusive": "inconclusive: none of these",
}
GROUP_TERMS = (
    "D: mean of ours minus published over the cells of a group, with its 90 % interval; tau: how much true differences "
    "scatter between cells beyond chance, with its 90 % interval"
)
NUMBERS_OF_RUNS = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 40, 50, 70, 100, 150, 200, 300, 500, 1000)
SETTLED_SHARE = 0.8
_MIDPOINTS = tuple((step + 0.5) / 10 for step in range(10))


def verdict_mark(comparison: MeanComparison, decimals: int) -> str:
    """The mark of a verdict, of a consistent one with r."""
    mark = MARKS[comparison.verdict]
    return f"{mark}±{comparison.told:.{decimals}f}" if comparison.verdict == "consistent" else mark


def verdict_words(comparison: MeanComparison, decimals: int) -> str:
    """The word of a verdict, of a consistent one with r."""
    word = comparison.verdict
    return f"{word} ±{comparison.told:.{decimals}f}" if word == "consistent" else word


def group_words(judged: TableVerdict, decimals: int) -> str:
    """A verdict on cells together in one clause: word, mean difference with its interval, scatter beyond chance."""
    pooled = judged.pooled
    numbers = f"D {pooled.difference:+.{decimals}f} ({judged.low:+.{decimals}f} to {judged.high:+.{decimals}f})"
    if judged.tau is None or judged.tau_low is None or judged.tau_high is None:
        return f"one cell, no verdict on the table: {numbers}"
    tau = f"tau {judged.tau:.{decimals}f} ({judged.tau_low:.{decimals}f} to {judged.tau_high:.{decimals}f})"
    if judged.is_small:
        tau = f"[{tau}]"
    scatter = f" (single cells differ by about ±{judged.tau:.{decimals}f} more than chance)"
    return f"{judged.verdict}{scatter if judged.verdict == 'reproduced on average' else ''}: {numbers}, {tau}"


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
