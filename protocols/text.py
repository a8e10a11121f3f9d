"""Words of messages, and text from elsewhere (records, file names, plug-ins) made safe for a terminal or a page."""

import unicodedata
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def near_miss(name: str, choices: Iterable[str], otherwise: str | None = None) -> str:
    """The end of an error sentence: the choice that `name` nearly is, else `otherwise`, else every choice.

    Choices are named in their order, those of a set sorted.
    """
    import difflib

    names = sorted(choices) if isinstance(choices, AbstractSet) else list(choices)
    close = difflib.get_close_matches(name.lower(), names, n=1)
    if close:
        return f"did you mean '{close[0]}'?"
    if otherwise is not None:
        return otherwise
    return f"choose one of {', '.join(names)}" if names else "there is none to choose"


def plural(number: int, singular: str, many: str = "") -> str:
    """`1 run`, `2 runs`; `many` where the plural has no simple s."""
    return f"{number} {singular if number == 1 else many or singular + 's'}"


def first_few(names: Iterable[str], most: int) -> str:
    """`a, b, c and 6 more`: the first `most` names, and how many others there are."""
    listed = list(names)
    rest = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + rest


def with_article(name: str) -> str:
    """`an AUC`, `a mean`: a name of which the first two letters are capitals is spelled out."""
    vowels = "AEFHILMNORSX" if name[:2].isupper() else "AEIOUaeiou"
    return f"{'an' if name[0] in vowels else 'a'} {name}"


def size_in_words(size: int) -> str:
    """`size` bytes with a unit that a person reads at a glance, such as `391.2 MiB`."""
    value, units = float(size), ["B", "KiB", "MiB", "GiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{size} B" if units[0] == "B" else f"{value:.1f} {units[0]}"


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
    if text.replace("\n", "").replace("\t", "").isprintable():
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
