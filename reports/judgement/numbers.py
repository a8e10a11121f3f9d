"""Numbers of a judged table as text, with as many digits as the table and its margin have."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from math import ceil, floor, log10

from reports.stats.thresholds import rounding_tolerance

MOST_SIGNIFICANT = 6
"""Digits of the table's largest number that are printed at most."""

FIXED = (-12, 9)
"""Powers of ten between which numbers are printed without an exponent."""


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """decimals: digits after the point; None: numbers are so large or small that they need an exponent."""

    decimals: int | None

    def __call__(self, value: float, *, signed: bool = False) -> str:
        sign = "+" if signed else ""
        return f"{value:{sign}.{MOST_SIGNIFICANT}g}" if self.decimals is None else f"{value:{sign}z.{self.decimals}f}"

    def rounded_up(self, value: float) -> str:
        """A size that was seen is no smaller than what is printed."""
        if self.decimals is None:
            return self(value)
        unit = 10.0**-self.decimals
        return self(ceil(value / unit - rounding_tolerance(value / unit, value / unit)) * unit)

    def interval(self, low: float, high: float, *, signed: bool = True) -> str:
        return f"{self(low, signed=signed)} to {self(high, signed=signed)}"


def number_format(digits: int, margin: float, numbers: Iterable[float]) -> NumberFormat:
    """A format for a table that prints `digits` decimals: with those, and one more than the margin has."""
    largest = max(map(abs, numbers), default=0.0)
    power = floor(log10(largest)) if largest else 0
    if not FIXED[0] <= power <= FIXED[1]:
        return NumberFormat(None)
    exponent = Decimal(repr(margin)).normalize().as_tuple().exponent
    of_margin = 1 - exponent if margin and isinstance(exponent, int) else 0
    return NumberFormat(max(0, min(max(digits, of_margin), MOST_SIGNIFICANT - 1 - power)))


def two_digits(value: float) -> str:
    """A width with two digits that count: `0.05`, `120`."""
    return f"{float(f'{value:.2g}'):g}"
