"""Images of 16 bits: the rule by which they become 8 is chosen once for a dataset, by the range of all their values.

Where grey images span at least half of the 65,536 values they keep their high bytes (`protocols.images.decode`). Else
they are scaled, all alike: floor((value - least) 256 / (greatest - least + 1)). Of 16-bit colour and grey with alpha
Pillow gives the high bytes only, so that images which leave most of them unused are refused.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class ValueRange(NamedTuple):
    """The least and the greatest value of images, and the bits of such values: 16, or 8 where they are high bytes."""

    least: int
    greatest: int
    bits: int

    @property
    def is_wide(self) -> bool:
        """True where high bytes are enough: the values span half of the range of their bits, or are all equal."""
        span = self.greatest - self.least
        return span == 0 or span >= 1 << (self.bits - 1)

    def scaled(self, values: "npt.NDArray[np.integer]") -> "npt.NDArray[np.uint8]":
        """Values within this range as 8 bits."""
        import numpy as np

        return ((values.astype(np.int64) - self.least) * 256 // (self.greatest - self.least + 1)).astype(np.uint8)


def value_range(values: "npt.NDArray[np.integer]") -> ValueRange:
    """The range of an image's values."""
    return ValueRange(int(values.min()), int(values.max()), 8 * values.dtype.itemsize)


def joined_range(ranges: Iterable[ValueRange]) -> ValueRange:
    """The range of several images whose values have the same bits; there is at least one."""
    least, greatest, bits = zip(*ranges, strict=True)
    return ValueRange(min(least), max(greatest), bits[0])
