"""Mean over independent sources of one number, with the spread of their true values: random effects.

The variance between sources is Paule and Mandel's (1982, J. Res. Natl. Bur. Stand. 87, 377-385), found by the iteration
of DerSimonian and Kacker (2007, Contemp. Clin. Trials 28, 105-114). The interval is Hartung and Knapp's (2001, Stat.
Med. 20, 3875-3889) with a factor of at least 1 (Roever, Knapp and Friede 2015, BMC Med. Res. Methodol. 15:99). Where
sources differ by more than their errors, Paule and Mandel's equation makes that factor 1: what is left is the plain t
interval with one degree of freedom less than there are sources.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from reports.stats.sample import Sample, t_quantile
from reports.stats.thresholds import EPSILON, VERDICT_QUANTILE

_MOST_STEPS = 200


@dataclass(frozen=True, slots=True)
class RandomEffects:
    """Mean over `sources` sources with its 90 % interval; tau: standard deviation of their true values."""

    sources: int
    mean: float
    standard_error: float
    low: float
    high: float
    tau: float

    @property
    def sample(self) -> Sample:
        """The mean as a sample of as many values as there are sources, so that a verdict can be taken against it."""
        return Sample(self.mean, self.standard_error * sqrt(self.sources), self.sources)


def random_effects(means: Sequence[float], variances: Sequence[float]) -> RandomEffects:
    """Pool sources by their means and the squared standard errors of these.

    Raises:
        ValueError: fewer than two sources, or a squared error that is not above 0.
    """
    if len(means) < 2 or len(means) != len(variances) or not all(variance > 0 for variance in variances):
        raise ValueError("a mean over sources needs at least two, each with an error above 0")
    between = between_variance(means, variances)
    weights = [1 / (variance + between) for variance in variances]
    mean = _weighted_mean(means, weights)
    error = 1 / sqrt(sum(weights))
    half = t_quantile(len(means) - 1, VERDICT_QUANTILE) * error
    return RandomEffects(len(means), mean, error, mean - half, mean + half, sqrt(between))


def between_variance(means: Sequence[float], variances: Sequence[float]) -> float:
    """The variance at which the weighted squared deviations sum to one less than there are sources; 0 if none does.

    The sum falls and is convex in the variance, so Newton's steps from 0 rise to the root and never pass it.
    """
    between, freedom = 0.0, len(means) - 1
    for _ in range(_MOST_STEPS):
        weights = [1 / (variance + between) for variance in variances]
        mean = _weighted_mean(means, weights)
        deviations = [(value - mean) ** 2 for value in means]
        excess = sum(weight * square for weight, square in zip(weights, deviations, strict=True)) - freedom
        if excess <= EPSILON:
            break
        between += excess / sum(weight**2 * square for weight, square in zip(weights, deviations, strict=True))
    return between


def _weighted_mean(values: Sequence[float], weights: Sequence[float]) -> float:
    return sum(weight * value for weight, value in zip(weights, values, strict=True)) / sum(weights)
