"""Near misses: what to say about a name that nobody knows."""

from collections.abc import Iterable


def near(name: str, known: Iterable[str]) -> str:
    """What to add to the message about an unknown name: the nearest known one, or all of them."""
    import difflib

    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f", did you mean '{close[0]}'?"
    return f" (known: {', '.join(known)})" if known else ""
