"""Verdicts to be expected: counts if every true difference were zero, and the chance that further runs bring one."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from reports.stats.kept import kept
from reports.stats.sample import Sample
from reports.stats.thresholds import TOLD_QUANTILE, VERDICT_QUANTILE, rounding_tolerance
from reports.stats.verdict import VERDICT_NAMES, VerdictName, verdict_masks

if TYPE_CHECKING:
    import numpy as np

EXPECTED_DRAWS = 1000
BORROWED_FREEDOM = 2.0
"""Degrees of freedom that a std of other cells is worth; it tells little more (design section 8)."""


@dataclass(frozen=True, slots=True)
class SpreadGuess:
    """What is known of the standard deviation of a cell's runs: about `std`, told by so many degrees of freedom."""

    std: float
    freedom: float


def spread_guess(published: Sample, measured: Sample | None) -> SpreadGuess | None:
    """What both spreads of a cell say together of a run's, as in `expected_counts`; None where neither has one."""
    sides = [side for side in (published, measured) if side is not None and side.has_spread and not side.exact]
    return pooled_guess(sides)


def pooled_guess(samples: Iterable[Sample], most: float = float("inf")) -> SpreadGuess | None:
    """The pooled std of samples that have one; `most` degrees of freedom at most. None where no sample has any."""
    with_spread = [sample for sample in samples if sample.has_spread and not sample.exact]
    freedom = sum(sample.freedom for sample in with_spread)
    if not freedom:
        return None
    squares = sum(sample.freedom * sample.spread**2 for sample in with_spread)
    return SpreadGuess(sqrt(squares / freedom), min(freedom, most))


@kept
def decision_chances(
    published: Sample,
    measured: Sample | None,
    spread: SpreadGuess,
    margin: float,
    least_spread: float,
    added: tuple[int, ...],
    draws: int = EXPECTED_DRAWS,
) -> tuple[float, ...]:
    """Chances that a cell has a verdict other than inconclusive once so many runs were added to those that it has.

    True variances are drawn from `spread` (sigma^2 = freedom std^2 / chi^2), our true mean from N(m, sigma^2/n), then
    the runs to be added; the table of verdicts judges all runs together. Without runs of ours the true mean is
    drawn around the published one, as if it were equal. `added` ascends; equal inputs give equal chances.
    """
    import numpy as np

    inputs = (published, measured, spread, margin, least_spread, draws)
    generator = np.random.default_rng(int.from_bytes(hashlib.sha256(repr(inputs).encode()).digest()[:8]))
    runs = measured.n if measured else 0
    sigma = np.sqrt(spread.freedom * spread.std**2 / generator.chisquare(spread.freedom, draws))
    center = measured.mean if measured else published.mean
    behind = runs or (published.n if published.has_spread else 1)
    true = center + sigma / np.sqrt(behind) * generator.normal(size=draws)
    mean, squares = np.full(draws, center), np.full(draws, _squares(measured))
    chances = []
    for total in (runs + number for number in added):
        block = total - runs
        if block:
            of_block = true + sigma / np.sqrt(block) * generator.normal(size=draws)
            inner = sigma**2 * generator.chisquare(block - 1, draws) if block > 1 else 0.0
            squares = squares + inner + (of_block - mean) ** 2 * runs * block / total
            mean = (runs * mean + block * of_block) / total
            runs = total
        decided = _decided(published, mean, squares, total, margin, least_spread) if total > 1 else np.zeros(draws)
        chances.append(float(decided.mean()))
    return tuple(chances)


def _squares(measured: Sample | None) -> float:
    return measured.freedom * measured.spread**2 if measured and measured.has_spread else 0.0


def _decided(
    published: Sample, mean: "np.ndarray", squares: "np.ndarray", runs: int, margin: float, least_spread: float
) -> "np.ndarray":
    """A mask of the draws whose verdict is not inconclusive; see `judge`."""
    import numpy as np
    from scipy.special import stdtrit

    variance = np.maximum(squares / (runs - 1), least_spread**2)
    constant = not published.has_spread
    ours, theirs = variance / runs, 0.0 if constant else published.mean_variance
    by_theirs = theirs**2 / published.freedom if theirs else 0.0
    freedom = (ours + theirs) ** 2 / (ours**2 / (runs - 1) + by_theirs)
    half = stdtrit(freedom, VERDICT_QUANTILE) * np.sqrt(ours + theirs)
    shares = 1 / (1 if constant else published.n) + 1 / runs
    told = stdtrit(runs - 1, TOLD_QUANTILE) * np.sqrt(variance * shares)
    tolerance = rounding_tolerance(margin, published.mean)
    masks = verdict_masks(mean - published.mean, half, told, margin, tolerance)
    return np.logical_not(masks["inconclusive"])


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
