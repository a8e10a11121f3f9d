"""Thresholds of verdicts, gates and paired tests: what counts as a difference, and how sure a test must be."""

from typing import Literal

MARGIN = 0.02
"""Smallest difference of a measured from a published AUC that counts, as a fraction."""

TOLERANCE = 0.01
"""Largest difference of a metric from a reference run of another machine, as a fraction."""

VERDICT_QUANTILE = 0.95
"""Of a two-sided 90 % interval; the interval within the margin is TOST at 5 %."""

TOLD_QUANTILE = 0.975
"""Of a two-sided 95 % prediction interval."""

BetterValue = Literal["higher", "lower"]
"""The side on which a value is the better one."""

MOST_TOLD = 5
"""Margins that a prediction interval may reach to either side and still be called consistent."""

SCATTER_ALPHA = 0.05
"""Chance that scatter beyond chance is told where there is none."""

FEWEST_CELLS = 5
"""Cells from which on a scatter between cells is more than a hint."""

UNKNOWN_RUNS = 3
"""Runs behind a published mean whose source does not say."""

FEWEST_SOURCES = 3
"""Independent sources from which on their mean and the spread between them are told."""

GATE_ALPHA = 0.10
"""Chance of any false alarm of the gate, shared equally by its families."""

GATE_POWER = 0.8
"""Probability with which the gate sees the drop that it names."""

PAIRED_ALPHA = 0.05
PAIRED_QUANTILE = 1 - PAIRED_ALPHA / 2
"""Of a two-sided 95 % interval."""

EPSILON = 1e-9
"""Differences of AUCs, or of other numbers of about one, that are of rounding alone."""

_OF_MARGIN = 1e-6
_ROUNDING = 8 * 2.0**-52


def rounding_tolerance(margin: float, *values: float) -> float:
    """Rounding below which two numbers of this size are equal: 1e-9 of them, but far below the margin.

    Never less than what subtracting two such `values` rounds.
    """
    size = max(map(abs, values), default=0.0)
    return max(min(EPSILON * max(1.0, size), _OF_MARGIN * margin), _ROUNDING * size)
