"""Means of runs, the squared errors of their differences, and Student's t, which all verdicts share."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import fsum, inf, sqrt
from typing import NamedTuple

from reports.stats.kept import kept
from reports.stats.thresholds import VERDICT_QUANTILE


@dataclass(frozen=True, slots=True)
class Sample:
    """A mean of `n` runs with their sample standard deviation; `std` None: no spread over runs is known.

    exact: the mean of a method without chance on a split that leaves nothing to draw: it has no error, whatever `n`.
    """

    mean: float
    std: float | None
    n: int
    exact: bool = False

    @property
    def has_spread(self) -> bool:
        return self.exact or (self.std is not None and self.n > 1)

    @property
    def spread(self) -> float:
        """The standard deviation of a sample that has one."""
        return 0.0 if self.exact or self.std is None else self.std

    @property
    def mean_variance(self) -> float:
        return self.spread**2 / self.n

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the spread, infinite where there is no error."""
        return inf if self.exact else self.n - 1.0

    def with_least_spread(self, least: float) -> "Sample":
        """A spread of `least` at least: a printed std may be half a unit of its last digit too low."""
        return self if self.exact or self.std is None else replace(self, std=max(self.std, least))

    @property
    def as_constant(self) -> "Sample":
        """The same mean as one value without a spread."""
        return Sample(self.mean, None, 1)


def sample_std(values: Sequence[float]) -> float:
    """Sample standard deviation of at least two values, exactly 0 where they are equal.

    That of the standard library works in fractions: much slower, for a last digit that nobody prints.
    """
    shifts = [value - values[0] for value in values]
    center = fsum(shifts) / len(shifts)
    return sqrt(fsum((shift - center) ** 2 for shift in shifts) / (len(shifts) - 1))


def mean_interval(sample: Sample) -> tuple[float | None, float | None]:
    """The 90 % interval of a mean; None and None where no spread is known."""
    if not sample.has_spread:
        return None, None
    if sample.spread == 0:
        return sample.mean, sample.mean
    half = t_quantile(sample.freedom, VERDICT_QUANTILE) * sqrt(sample.mean_variance)
    return sample.mean - half, sample.mean + half


def std_interval(std: float, freedom: int) -> tuple[float, float]:
    """The 90 % interval of a standard deviation of normal values, by the chi-squared distribution of its square."""
    from scipy.special import chdtri

    low, high = (std * sqrt(freedom / float(chdtri(freedom, share))) for share in (0.05, 0.95))
    return low, high


class Errors(NamedTuple):
    """Squared standard errors of our mean and of the published one, each with its degrees of freedom."""

    ours: float
    ours_freedom: float
    theirs: float
    theirs_freedom: float

    @property
    def total(self) -> float:
        return self.ours + self.theirs

    @property
    def freedom(self) -> float:
        return welch_freedom(*self)


def welch_freedom(ours: float, ours_freedom: float, theirs: float, theirs_freedom: float) -> float:
    """Degrees of freedom of the sum of two squared errors (Welch, Satterthwaite); infinite where neither varies."""
    total = ours + theirs
    if total == 0:
        return inf
    # Shares, not squares of variances, so that tiny spreads do not underflow.
    share = ours / total
    inverse = share**2 / ours_freedom + (1 - share) ** 2 / theirs_freedom
    return 1 / inverse if inverse else inf


def standard_error(published: Sample, measured: Sample) -> tuple[float, float]:
    """Standard error and degrees of freedom of measured minus published mean: Welch, or one-sample for a constant.

    `measured` needs a spread; degrees of freedom are infinite where neither side varies.
    """
    theirs = published.mean_variance if published.has_spread else 0.0
    errors = Errors(measured.mean_variance, measured.freedom, theirs, published.freedom if theirs else inf)
    return sqrt(errors.total), errors.freedom


def pooling_errors(published: Sample, measured: Sample) -> Errors | None:
    """Errors of a difference that is pooled with others, as table verdicts and the gate take them; None: unknown.

    One run of ours takes the published spread for its own. A published constant is one draw with our spread.
    """
    if not measured.has_spread:
        if not published.has_spread:
            return None
        return Errors(published.spread**2 * (1 + 1 / published.n), published.freedom, 0.0, inf)
    if not published.has_spread:
        return Errors(measured.spread**2 * (1 + 1 / measured.n), measured.freedom, 0.0, inf)
    return Errors(measured.mean_variance, measured.freedom, published.mean_variance, published.freedom)


@kept
def t_quantile(freedom: float, share: float) -> float:
    """The value below which this share of a t distribution lies; its degrees of freedom may be infinite."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, share))


@kept
def t_share(freedom: float, value: float) -> float:
    """The share of a t distribution below a value."""
    from scipy.special import stdtr

    return float(stdtr(freedom, value))
