"""Verdicts of cells that would be counted if every true difference were zero."""

import hashlib
from collections.abc import Iterable, Sequence

from reports.stats.kept import kept
from reports.stats.sample import Sample
from reports.stats.thresholds import TOLD_QUANTILE, VERDICT_QUANTILE, rounding_tolerance
from reports.stats.verdict import VERDICT_NAMES, VerdictName, verdict_masks

EXPECTED_DRAWS = 1000


def expected_by_digits(cells: Iterable[tuple[float, tuple[Sample, Sample]]], margin: float) -> dict[VerdictName, float]:
    """As `expected_counts`, of cells that each print digits of their own: half a unit of the last, and both samples."""
    by_least: dict[float, list[tuple[Sample, Sample]]] = {}
    for least, samples in cells:
        by_least.setdefault(least, []).append(samples)
    totals = dict.fromkeys(VERDICT_NAMES, 0.0)
    for least, pairs in by_least.items():
        for name, count in expected_counts(pairs, margin, least).items():
            totals[name] += count
    return totals


@kept
def expected_counts(
    cells: Sequence[tuple[Sample, Sample]], margin: float, least_spread: float = 0.0, draws: int = EXPECTED_DRAWS
) -> dict[VerdictName, float]:
    """Mean counts of verdicts over seeded tables of these cells, each a published and a measured sample.

    True spreads are drawn from what both printed spreads say: sigma^2 = ((n-1) s^2 + (n_p-1) s_p^2) / chi^2(n+n_p-2).
    `least_spread` is half a unit of the last printed digit.
    """
    import numpy as np
    from scipy.special import stdtrit

    counts = dict.fromkeys(VERDICT_NAMES, 0.0)
    single = [(theirs, ours) for theirs, ours in cells if not ours.has_spread]
    counts["inconclusive"] += len(single)
    judged = [(theirs, ours) for theirs, ours in cells if ours.has_spread]
    known = [
        (theirs, ours) for theirs, ours in judged if _freedom(ours) + (_freedom(theirs) if theirs.has_spread else 0) > 0
    ]
    # Without any spread on either side nothing is left to chance.
    counts["reproduced"] += len(judged) - len(known)
    if not known:
        return counts
    columns = np.array(
        [
            (
                _freedom(ours),
                ours.spread,
                ours.n,
                _freedom(theirs) if theirs.has_spread else 0.0,
                theirs.spread if theirs.has_spread else 0.0,
                theirs.n if theirs.has_spread else 1,
            )
            for theirs, ours in known
        ]
    ).T[:, :, None]
    freedom, spread, n, their_freedom, their_spread, their_n = columns
    generator = np.random.default_rng(
        int.from_bytes(hashlib.sha256(columns.tobytes() + repr((margin, least_spread, draws)).encode()).digest()[:8])
    )
    size = (len(known), draws)
    squares = freedom * spread**2 + their_freedom * their_spread**2
    sigma = np.sqrt(squares / generator.chisquare(freedom + their_freedom, size))

    def made(of: "np.ndarray", exact: "np.ndarray") -> "np.ndarray":
        drawn = generator.chisquare(np.maximum(of, 1), size) / np.maximum(of, 1)
        return np.where(exact, 0.0, np.maximum(sigma**2 * drawn, least_spread**2))

    ours_exact, constant = freedom == 0, their_freedom == 0
    difference = generator.normal(size=size) * np.where(ours_exact, 0.0, sigma / np.sqrt(n))
    difference -= generator.normal(size=size) * sigma / np.sqrt(their_n)
    variance = made(freedom, ours_exact)
    ours, theirs = variance / n, made(their_freedom, constant) / their_n
    parts = ours**2 / np.maximum(freedom, 1) + theirs**2 / np.maximum(their_freedom, 1)
    half = stdtrit((ours + theirs) ** 2 / parts, VERDICT_QUANTILE) * np.sqrt(ours + theirs)
    told = np.where(
        ours_exact,
        0.0,
        stdtrit(np.maximum(freedom, 1), TOLD_QUANTILE) * np.sqrt(variance * (1 / their_n + 1 / n)),
    )
    for name, mask in verdict_masks(difference, half, told, margin, rounding_tolerance(margin)).items():
        counts[name] += float(mask.sum()) / draws
    return counts


def _freedom(sample: Sample) -> float:
    return 0.0 if sample.exact else sample.n - 1.0
