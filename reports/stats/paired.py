"""Paired tests of two methods: on the images of one test list, over the seeds of a setting, over datasets.

On one test list both methods score the same images, so their AUCs are correlated, and the test must count that.
DeLong's test does, with an interval for the difference and without drawing anything; a stratified bootstrap needs
thousands of draws for the same normal approximation, and a permutation test gives no interval and has to assume that
the scores of two methods, brought to one scale, could be swapped image by image. What it costs: with few images of a
kind, or near an AUC of 1, the approximation is coarse.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import copysign, erfc, sqrt
from statistics import NormalDist, fmean, stdev
from typing import TYPE_CHECKING, Literal

from protocols.text import plural
from reports.stats.sample import t_quantile, t_share
from reports.stats.thresholds import EPSILON, PAIRED_ALPHA, PAIRED_QUANTILE

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LEAST_DATASETS = 6
"""Of the 2**n signs that n differences may have, two are as one-sided as can be; 2 / 2**n is below 0.05 from 6 on."""
_DECIMALS = 9


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Difference of a first minus a second AUC, or the mean of such differences, with its paired test.

    `low` and `high` bound the 95 % interval, `p_value` is two-sided, `p_holm` the same after Holm's correction; all are
    None where the test gives none, and `reason` says why there is no p value.
    """

    test: Literal["DeLong", "t", "signed rank"]
    difference: float
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    p_holm: float | None = None
    reason: str = ""

    @property
    def holds(self) -> bool:
        """True where the difference is off zero at 0.05 after Holm's correction."""
        return self.p_holm is not None and self.p_holm <= PAIRED_ALPHA


def delong_test(
    first: "npt.NDArray[np.float64]", second: "npt.NDArray[np.float64]", labels: "npt.NDArray[np.int8]"
) -> PairedTest:
    """DeLong's test of two AUCs on the same images (DeLong, DeLong and Clarke-Pearson 1988, eqs. 5-7).

    The placement of an anomaly is the share of normal images that score lower (ties one half), that of a normal image
    the share of anomalies that score higher. The variance of the difference of two AUCs is that of the differences of
    their placements: over the m anomalies divided by m, plus over the n normal images divided by n. Placements by
    sorting, as Sun and Xu (2014) do with midranks.

    Args:
        first: scores (k,), higher = more anomalous.
        second: the other method's scores (k,) of the same images in the same order; any scale.
        labels: 1 for an anomaly, 0 for a normal image (k,); at least one of each.
    """
    import numpy as np

    anomalous = labels == 1
    over_anomalies = placements(first[anomalous], first[~anomalous]) - placements(second[anomalous], second[~anomalous])
    over_normals = placements(second[~anomalous], second[anomalous]) - placements(first[~anomalous], first[anomalous])
    difference = float(np.mean(over_anomalies))
    if min(len(over_anomalies), len(over_normals)) < 2:
        return PairedTest("DeLong", difference, reason="a single image of a kind has no spread")
    variance = np.var(over_anomalies, ddof=1) / len(over_anomalies) + np.var(over_normals, ddof=1) / len(over_normals)
    error = sqrt(float(variance))
    if error < EPSILON:
        return _without_spread("DeLong", difference, "the difference has no spread over images")
    reach = NormalDist().inv_cdf(PAIRED_QUANTILE) * error
    p_value = erfc(abs(difference) / error / sqrt(2))
    return PairedTest("DeLong", difference, difference - reach, difference + reach, p_value)


def seeds_test(differences: Sequence[float]) -> PairedTest:
    """Paired t test of the differences at n seeds, n at least 2, with n - 1 degrees of freedom.

    Its population are trainings and draws of labelled anomalies. Test lists of different seeds may overlap or be one
    and the same, so it does not count the choice of test images.
    """
    mean, n = fmean(differences), len(differences)
    error = stdev(differences) / sqrt(n)
    if error < EPSILON:
        return _without_spread("t", mean, "the difference has no spread over seeds")
    reach = t_quantile(n - 1, PAIRED_QUANTILE) * error
    return PairedTest("t", mean, mean - reach, mean + reach, 2 * t_share(n - 1, -abs(mean) / error))


def datasets_test(differences: Sequence[float]) -> PairedTest:
    """Wilcoxon's signed-rank test of one difference a dataset, as Demsar (2006, section 3.1.3) recommends it.

    Ranks of differences of zero are shared between both signs; of an odd number of them one is left out. Exact, with
    ties: the chance that random signs of these ranks give as one-sided a sum. With fewer than six differences off zero
    no outcome could be significant at 0.05, so nothing is tested.
    """
    mean = fmean(differences)
    signed = [round(difference, _DECIMALS) for difference in differences]
    moved = [difference for difference in signed if difference]
    if len(moved) < LEAST_DATASETS:
        return PairedTest("signed rank", mean, reason=_too_few(len(moved)))
    sizes = sorted(map(abs, signed))[(len(signed) - len(moved)) % 2 :]
    sizes_of_moved = map(abs, moved)
    ranks = [bisect_left(sizes, size) + bisect_right(sizes, size) + 1 for size in sizes_of_moved]  # twice the midranks
    observed = abs(sum(copysign(rank, difference) for rank, difference in zip(ranks, moved, strict=True)))
    extreme = sum(count for total, count in _signed_sums(ranks).items() if abs(total) >= observed)
    return PairedTest("signed rank", mean, p_value=extreme / 2 ** len(ranks))


def holm_adjusted(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down (1979): what is at most alpha afterwards is rejected at the family-wise level alpha."""
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda at: p_values[at])):
        least = max(least, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = least
    return adjusted


def holm_corrected(tests: Sequence[PairedTest]) -> list[PairedTest]:
    """The tests with p values adjusted by Holm (1979) over those that have one."""
    tested = [(index, test.p_value) for index, test in enumerate(tests) if test.p_value is not None]
    adjusted = list(tests)
    for (index, _), p_holm in zip(tested, holm_adjusted([p_value for _, p_value in tested]), strict=True):
        adjusted[index] = replace(adjusted[index], p_holm=p_holm)
    return adjusted


def placements(of: "npt.NDArray[np.float64]", among: "npt.NDArray[np.float64]") -> "npt.NDArray[np.float64]":
    """The share of `among` that lies below each value of `of`, ties one half."""
    import numpy as np

    ordered = np.sort(among)
    below, not_above = (np.searchsorted(ordered, of, side) for side in ("left", "right"))
    return np.asarray((below + not_above) / (2 * len(among)), dtype=np.float64)


def _without_spread(test: Literal["DeLong", "t"], difference: float, reason: str) -> PairedTest:
    """Equal on all images or seeds: certainly no difference; or one that no test can judge."""
    if abs(difference) < EPSILON:
        return PairedTest(test, 0.0, 0.0, 0.0, 1.0)
    return PairedTest(test, difference, reason=reason)


def _signed_sums(ranks: Iterable[int]) -> Counter[int]:
    """Counts of the choices of signs that give each sum of the ranks."""
    ways: Counter[int] = Counter({0: 1})
    for rank in ranks:
        longer: Counter[int] = Counter()
        for total, count in ways.items():
            longer[total + rank] += count
            longer[total - rank] += count
        ways = longer
    return ways


def _too_few(count: int) -> str:
    differing = plural(count, "dataset differs", "datasets differ")
    return f"cannot tell: {differing}, {LEAST_DATASETS} needed"
