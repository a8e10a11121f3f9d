"""Doubts of the audit as sentences: about what the paper prints, or about slips of our own first transcription."""

from collections.abc import Mapping

from reports.layouts.paper import Paper
from reports.layouts.published import Erratum

_OURS = "a slip of our first transcription, not of the paper"
_OPENINGS: Mapping[str, str] = {
    "ocr_value": f"{_OURS}: it had {{printed}}, the paper prints {{expected}}",
    "ocr_shift": f"{_OURS}: it had {{printed}}, the paper prints {{expected}}",
    "ocr_label": f"{_OURS}: the label stood one row late",
    "ocr_lost_column": f"{_OURS}: a column was lost",
    "ocr_lost_row": f"{_OURS}: a row was lost",
    "paper_mean": "the paper prints {printed}, its own cells give {expected}",
    "mean_rounding": "the paper prints {printed}, its own cells give {expected}, which rounding allows",
    "look": "the paper prints {printed}, which looks odd",
    "paper_marking": "the paper marks this value as {printed}, but {expected}",
    "paper_scope": "the paper has {printed}, the data set {expected}",
    "misquote": "the paper quotes {printed}, the source prints {expected}",
}
"""First half sentence by kind; kinds of other papers have `_PRINTED`."""
_PRINTED = "the paper prints {printed}"
_EXPECTED = ", where {expected} is expected"


def erratum_sentences(erratum: Erratum, paper: Paper) -> str:
    """A doubt in whole sentences, its cell named as the pages name it."""
    names = [paper.label(*pair) for pair in erratum.coordinates.items() if pair[0] != "protocol"]
    opening = _OPENINGS.get(erratum.kind, _PRINTED + (_EXPECTED if erratum.expected else ""))
    sides = {"printed": _typeset(erratum.printed), "expected": _typeset(erratum.expected)}
    sentences = [f"{opening.format_map(sides)}."] if erratum.printed else []
    return " ".join([f"{', '.join(names) or 'The whole table'}:", *sentences, as_sentence(erratum.explanation)])


def as_sentence(text: str) -> str:
    """A note of a data file with a capital at its start and a full stop."""
    plain = _typeset(text)
    return f"{plain[:1].upper()}{plain[1:]}{'' if plain.endswith(('.', '?', '!')) else '.'}" if plain else ""


def _typeset(text: str) -> str:
    return text.strip().replace("+-", "±")
