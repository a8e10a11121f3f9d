"""Families of one-sided tests "ours is not worse than published by the margin": alpha shared equally, Holm within."""

from collections.abc import Sequence
from dataclasses import dataclass

from reports.stats.paired import holm_adjusted
from reports.stats.sample import t_quantile, t_share
from reports.stats.table_verdict import Pooled
from reports.stats.thresholds import GATE_ALPHA, GATE_POWER, rounding_tolerance


@dataclass(frozen=True, slots=True)
class FamilyTest:
    """A test of a pooled difference. p_value is Holm's within the family.

    sees: how much worse than published ours must truly be for the test, at its strictest level, to find it with
    probability 0.8.
    """

    pooled: Pooled
    p_value: float
    sees: float
    regressed: bool


def family_tests(
    families: Sequence[Sequence[Pooled]], margin: float, *, alpha: float = GATE_ALPHA, sign: float = 1.0
) -> list[list[FamilyTest]]:
    """Test each pooled difference of each family; `sign` -1 where a lower value is the better one."""
    level = alpha / max(1, len(families))
    return [_tests(family, margin, level, sign) for family in families]


def _tests(family: Sequence[Pooled], margin: float, level: float, sign: float) -> list[FamilyTest]:
    p_values = holm_adjusted([_p_value(pooled, margin, sign) for pooled in family])
    return [
        FamilyTest(pooled, p_value, margin + _critical(pooled, level / len(family)), p_value <= level)
        for pooled, p_value in zip(family, p_values, strict=True)
    ]


def _p_value(pooled: Pooled, margin: float, sign: float) -> float:
    """Chance of a difference as bad as this one if the true one is a loss of the margin."""
    above = sign * pooled.difference + margin
    if pooled.standard_error == 0:
        return 0.0 if above < -rounding_tolerance(margin, pooled.difference) else 1.0
    return t_share(pooled.freedom, above / pooled.standard_error)


def _critical(pooled: Pooled, level: float) -> float:
    if pooled.standard_error == 0:
        return 0.0
    quantiles = t_quantile(pooled.freedom, 1 - level) + t_quantile(pooled.freedom, GATE_POWER)
    return quantiles * pooled.standard_error
