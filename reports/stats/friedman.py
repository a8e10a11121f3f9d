"""Friedman's test of several methods on the same rows, and Nemenyi's critical difference of their mean ranks."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import sqrt
from statistics import fmean

from reports.stats.thresholds import EPSILON, PAIRED_ALPHA

LEAST_ROWS = 6
"""Rows from which on the F distribution is near enough to Friedman's to give a p value."""
_STEPS = 4001
_REACH = 8.0


@dataclass(frozen=True, slots=True)
class RankComparison:
    """Mean ranks of k methods on n rows, 1 is best, with Friedman's test and the critical difference at 0.05.

    ranks: by method in the order given. p_value: that all are equal, None for fewer than six rows. critical: two
    methods whose mean ranks differ by less are not told apart. wins: rows in which one (first index) is ahead of
    another, ties count one half.
    """

    rows: int
    ranks: tuple[float, ...]
    p_value: float | None
    critical: float
    wins: tuple[tuple[float, ...], ...]


def compare_ranks(rows: Sequence[Sequence[float]]) -> RankComparison:
    """Compare at least two methods on at least two rows of values, higher is better.

    Friedman's chi-square 12 n / (k (k + 1)) (sum of R_j^2 - k (k + 1)^2 / 4) in the form of Iman and Davenport,
    F = (n - 1) chi^2 / (n (k - 1) - chi^2) with k - 1 and (k - 1)(n - 1) degrees of freedom; critical difference
    q sqrt(k (k + 1) / (6 n)). Source: Demsar, Statistical Comparisons of Classifiers over Multiple Data Sets, JMLR 7
    (2006), section 3.2.2. Ties share their mean rank; no correction for them.
    """
    n, k = len(rows), len(rows[0])
    ranks = [fmean(column) for column in zip(*map(row_ranks, rows), strict=True)]
    columns = list(zip(*rows, strict=True))
    wins = tuple(tuple(_wins(first, second) for second in columns) for first in columns)
    p_value = _p_value(ranks, n) if n >= LEAST_ROWS else None
    return RankComparison(n, tuple(ranks), p_value, nemenyi_quantile(k) * sqrt(k * (k + 1) / (6 * n)), wins)


def _p_value(ranks: Sequence[float], n: int) -> float:
    from scipy.special import fdtrc

    k = len(ranks)
    chi_square = 12 * n / (k * (k + 1)) * (sum(rank**2 for rank in ranks) - k * (k + 1) ** 2 / 4)
    rest = n * (k - 1) - chi_square
    return float(fdtrc(k - 1, (k - 1) * (n - 1), (n - 1) * chi_square / rest)) if rest > EPSILON else 0.0


def _wins(first: Sequence[float], second: Sequence[float]) -> float:
    return sum((ours > theirs) + 0.5 * (ours == theirs) for ours, theirs in zip(first, second, strict=True))


def row_ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1 for the highest; ties share their mean rank."""
    return [
        1 + sum(other > value for other in values) + (sum(other == value for other in values) - 1) / 2
        for value in values
    ]


@cache
def nemenyi_quantile(methods: int, alpha: float = PAIRED_ALPHA) -> float:
    """Upper quantile of the range of k standard normal numbers over sqrt(2): 2.343 for three methods at 0.05.

    By bisection of P(range < q) = k times the integral of phi(z) (Phi(z) - Phi(z - q))^(k-1) over z (Demsar 2006, table
    5a).
    """
    import numpy as np
    from scipy.special import ndtr

    grid = np.linspace(-_REACH, _REACH, _STEPS)
    density = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi)

    def probability(reach: float) -> float:
        inner = (ndtr(grid) - ndtr(grid - reach)) ** (methods - 1)
        return float(methods * (density * inner).sum() * (grid[1] - grid[0]))

    low, high = 0.0, 4 * _REACH
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if probability(middle) < 1 - alpha else (low, middle)
    return low / sqrt(2)


def level_groups(ranks: Sequence[float], critical: float) -> list[tuple[float, float]]:
    """Least and greatest rank of the largest sets of methods that are not told apart, of at least two, best first."""
    ordered = sorted(ranks)
    spans: list[tuple[float, float]] = []
    for start in ordered:
        end = max(rank for rank in ordered if rank - start < critical)
        if end > start and not any(low <= start and end <= high for low, high in spans):
            spans.append((start, end))
    return spans
