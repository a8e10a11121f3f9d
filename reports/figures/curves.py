"""Training curves of a run: what its history holds of each epoch, as text, numbers or a picture."""

import json
from collections.abc import Iterator, Sequence
from statistics import fmean

from protocols.text import plural, printable_json, printable_line
from reports.errors import ReportError
from reports.figures.plots import draw_curves
from reports.text import PICTURE_FORMATS, csv_text
from results.record import Record

CURVE_FORMATS = ("text", "csv", "json", *PICTURE_FORMATS)
BARS = "▁▂▃▄▅▆▇█"
CURVE_WIDTH = 30
"""Most characters of a curve in text, so that its numbers stand beside it in 80 columns."""


def render_curves(record: Record, form: str) -> str | bytes:
    """The history of a run in one of `CURVE_FORMATS`, with a line end at the end of text.

    Raises:
        ReportError: the run has no history, there is no such format, or matplotlib is not installed for a picture.
    """
    name, history = record.spec.name, record.history
    if not any(history.values()):
        raise ReportError(f"run {name} has no curves: its method keeps no history, or it failed; choose another run")
    if form == "csv":
        return csv_text(_lines(record))
    if form == "json":
        content = {"run": name, "key": record.key, "history": history}
        return printable_json(json.dumps(content, indent=2, ensure_ascii=False)) + "\n"
    if form == "text":
        return "".join(f"{printable_line(line)}\n" for line in _text(record))
    return draw_curves(history, name, form)


def sparkline(values: Sequence[float | None], width: int = CURVE_WIDTH) -> str:
    """A curve in at most `width` characters, from its lowest to its highest value; a space where no value is finite.

    Longer ones are averaged over equal stretches.
    """
    count = min(width, len(values))
    stretches = [values[len(values) * at // count : len(values) * (at + 1) // count] for at in range(count)]
    means = [fmean(finite) if (finite := _finite(stretch)) else None for stretch in stretches]
    finite_means = _finite(means)
    if not finite_means:
        return " " * count
    low, span = min(finite_means), max(finite_means) - min(finite_means)
    top = len(BARS) - 1
    return "".join(" " if mean is None else BARS[round(top * (mean - low) / span) if span else 0] for mean in means)


def _text(record: Record) -> Iterator[str]:
    epochs = max(map(len, record.history.values()))
    yield f"{record.spec.name}, {plural(epochs, 'epoch')}"
    margin = max(map(len, record.history))
    for name, values in record.history.items():
        finite = _finite(values)
        if not finite:
            yield f"{name:{margin}}  no finite value"
            continue
        lost = f", {len(values) - len(finite)} not finite" if len(finite) < len(values) else ""
        numbers = f"{finite[0]:.4g} to {finite[-1]:.4g}, lowest in epoch {values.index(min(finite)) + 1}{lost}"
        yield f"{name:{margin}}  {sparkline(values)}  {numbers}"


def _lines(record: Record) -> Iterator[list[str]]:
    yield ["epoch", *record.history]
    for epoch in range(max(map(len, record.history.values()))):
        numbers = (values[epoch] if epoch < len(values) else None for values in record.history.values())
        yield [str(epoch + 1), *("" if number is None else repr(number) for number in numbers)]


def _finite(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]
