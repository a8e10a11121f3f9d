"""Text from elsewhere (records, file names, plug-ins) made safe for a terminal, a page or a spreadsheet."""

import unicodedata
from collections.abc import Callable

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def printable(text: str) -> str:
    r"""Text in which what a terminal acts on, or what hides other characters, stands as an escape, such as `\x1b`.

    These are control characters and those that turn the direction of text, are not assigned or are broken UTF-8. Line
    ends and tabs stay.
    """
    return _escaped(text, lambda character: character.encode("unicode_escape").decode())


def printable_line(text: str) -> str:
    """Printable text on one line, so that no field of a record can pass for a line of ours."""
    return printable(text).replace("\n", " ").replace("\t", " ")


def printable_json(text: str) -> str:
    """JSON with the same content in which no such character stands as it is."""
    import json

    return _escaped(text, lambda character: json.dumps(character)[1:-1])


def csv_cell(text: str) -> str:
    """Printable text that no spreadsheet takes for a formula: an apostrophe is put before it, unless it is a number."""
    safe = printable(text)
    return f"'{safe}" if safe.startswith(_FORMULA) and not _is_number(safe) else safe


def _escaped(text: str, escape: Callable[[str], str]) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if _is_plain(character) else escape(character) for character in text)


def _is_plain(character: str) -> bool:
    return character.isprintable() or character in "\n\t" or unicodedata.category(character) == "Zs"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
