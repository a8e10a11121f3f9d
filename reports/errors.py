from collections.abc import Iterable


class ReportError(Exception):
    """Something about a table or its options that a person can mend; the text is one sentence with a next step."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` did you mean 'x'?` where `name` nearly is one of `known`, else an empty text."""
    import difflib

    near = difflib.get_close_matches(name.lower(), sorted(known), n=1)
    return f": did you mean {near[0]!r}?" if near else ""
