"""Sizes of typeset text in points, estimated from above: Computer Modern, the widest of the usual fonts."""

from dataclasses import dataclass
from math import ceil

_NARROW, _WIDE, _CAPITAL, _LETTER = 0.40, 1.22, 0.93, 0.65
"""Widths of bold characters in units of the font size; a digit is a `_LETTER`."""
_NARROW_CHARACTERS = frozenset("iljtf.,:;'|!()[]-–/ ")
_WIDE_CHARACTERS = frozenset("mwMW")
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_UPRIGHT = 0.94
"""Width of upright or slanted text beside bold."""
_RUNNING = 0.51
"""Mean width of a character of running text."""
LEADING = 1.25
"""Distance of two lines in units of the font size."""
NOTE_SIZE = 7.0
TABLE_SIZES = (8.0, NOTE_SIZE)
"""Font sizes of a table, the first that fits; nothing is printed smaller."""
CAPTION_SIZE = 10.0


@dataclass(frozen=True, slots=True)
class Frame:
    """Space of one float: the environment that makes it, with the width and height that it may fill."""

    environment: str
    width: float
    height: float


FRAMES = {
    "column": Frame("table", 229, 525),
    "text": Frame("table*", 345, 525),
    "wide": Frame("table*", 469, 525),
    "landscape": Frame("sidewaystable*", 550, 330),
}
"""By name: a column of a two-column page, the text of the narrowest one-column page, that of a two-column page, a page
on its side. Sizes are those of the class `article`, from which usual classes of papers differ upwards alone."""


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Width of a text on one line."""
    width = size * sum(_character_width(character) for character in text)
    return width if bold else _UPRIGHT * width


def paragraph_height(text: str, width: float, size: float) -> float:
    """Height of running text on lines of this width."""
    return ceil(_RUNNING * size * len(text) / width) * LEADING * size


def _character_width(character: str) -> float:
    if character in _LETTERS:
        return _LETTER
    if character in _NARROW_CHARACTERS:
        return _NARROW
    return _WIDE if character in _WIDE_CHARACTERS else _CAPITAL
