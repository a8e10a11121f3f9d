"""Forest plot of a cell's history: a line a published value, mean or run, with the 90 % interval of its mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from protocols.text import printable_line
from reports.figures.history import CellHistory, HistoryRun, JudgedSource
from reports.pages.html.svg import round_axis
from reports.stats.sample import Sample, mean_interval

RowKind = Literal["published", "quoted", "pooled", "measured", "run"]
MARKS_OF_ROWS: dict[RowKind, str] = {"published": "o", "quoted": ".", "pooled": "=", "measured": "x", "run": "+"}
MEANINGS_OF_ROWS: dict[RowKind, str] = {
    "published": "published",
    "quoted": "quoted",
    "pooled": "mean over sources",
    "measured": "ours",
    "run": "one run of ours",
}
APART = "!"
"""Mark of our mean where it is not comparable with the paper."""
WIDTH = 80
_LABEL, _NUMBERS = 26, 20
_PLOT = WIDTH - _LABEL - _NUMBERS - 2


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One line of the plot; low and high bound the 90 % interval of its mean, None where no spread is known.

    `is_apart`: it is ours, and not comparable with the paper.
    """

    label: str
    kind: RowKind
    mean: float
    low: float | None
    high: float | None
    numbers: str
    is_apart: bool = False

    @property
    def mark(self) -> str:
        return APART if self.is_apart and self.kind == "measured" else MARKS_OF_ROWS[self.kind]

    @property
    def meaning(self) -> str:
        """Words for the mark."""
        apart = ", not comparable with the paper" if self.mark == APART else ""
        return f"{MEANINGS_OF_ROWS[self.kind]}{apart}"


def forest_rows(history: CellHistory) -> list[ForestRow]:
    """Published values, the mean over them, our mean and its runs: the lines of the plot from top to bottom."""
    decimals, scale = history.layout.paper.decimals, history.layout.scale
    rows = [_source_row(judged, scale, decimals) for judged in history.sources]
    if history.pooled:
        pooled = history.pooled
        numbers = f"{pooled.mean:.{decimals}f}, tau {pooled.tau:.{decimals}f}"
        label = f"mean of {pooled.sources} sources"
        rows.append(ForestRow(label, "pooled", pooled.mean, pooled.low, pooled.high, numbers))
    if history.measured:
        measured = history.measured
        sample = Sample(measured.mean, measured.seed_std, measured.n, measured.exact)
        std = "" if measured.seed_std is None else f"±{measured.seed_std:.{decimals}f}"
        numbers = f"{measured.mean:.{decimals}f}{std} n={measured.n}"
        label, is_apart = f"ours, {measured.recipe}", bool(measured.reasons)
        rows.append(ForestRow(label, "measured", measured.mean, *mean_interval(sample), numbers, is_apart))
    rows += [
        ForestRow(_run_label(run), "run", run.value, None, None, f"{run.value:.{decimals}f}", bool(run.reasons))
        for run in history.runs
        if run.value is not None and not run.subset
    ]
    return rows


def forest_text(rows: Sequence[ForestRow], limit: float) -> str:
    """The plot in characters, no line wider than a terminal of 80 columns; no bar leaves 0 to `limit`."""
    ends = [value for row in rows for value in (row.mean, row.low, row.high) if value is not None]
    low, high, ticks = round_axis(ends, limit)

    def column(value: float) -> int:
        share = (min(max(value, low), high) - low) / (high - low)
        return round(share * (_PLOT - 1))

    lines = []
    for row in rows:
        plot = [" "] * _PLOT
        if row.low is not None and row.high is not None:
            start, end = column(row.low), column(row.high)
            plot[start : end + 1] = "-" * (end - start + 1)
            plot[start] = "|" if row.low >= low else "<"
            plot[end] = "|" if row.high <= high else ">"
        plot[column(row.mean)] = row.mark
        label = printable_line(row.label).replace("`", "'")
        label = label if len(label) <= _LABEL else label[: _LABEL - 3] + "..."
        lines.append(f"{label:<{_LABEL}} {''.join(plot)} {row.numbers}".rstrip())
    axis, numbers = ["-"] * _PLOT, [" "] * WIDTH
    for tick in ticks:
        text, at = f"{tick:g}", column(tick)
        start = _LABEL + 1 + at - len(text) // 2
        numbers[start : start + len(text)] = text
        axis[at] = "+"
    lines += [" " * (_LABEL + 1) + "".join(axis), "".join(numbers).rstrip()]
    return "\n".join(lines) + "\n"


def forest_legend(rows: Sequence[ForestRow]) -> str:
    """The meanings of the marks that are used."""
    kinds = list(MARKS_OF_ROWS)
    meanings = {row.mark: row.meaning for row in sorted(rows, key=lambda row: kinds.index(row.kind))}
    marks = ", ".join(f"{mark} {meaning}" for mark, meaning in meanings.items())
    unknown = "; n=3?: number of runs not known, counts as three" if any("?" in row.numbers for row in rows) else ""
    return f"{marks}; bars: 90 % interval of the mean{unknown}"


def _run_label(run: HistoryRun) -> str:
    """`seed 0`, with recipe and precision where it is of another series than ours in the line above."""
    return f"  seed {run.seeds}" if run.in_tables else f"  seed {run.seeds}, {run.recipe} {run.precision}"


def _source_row(judged: JudgedSource, scale: float, decimals: int) -> ForestRow:
    source = judged.source
    sample, kind = source.sample(scale), source.kind
    std = "" if source.value.std is None else f"±{source.value.std * scale / source.layout.scale:.{decimals}f}"
    runs = f" n={source.n}{'' if source.n_known else '?'}" if source.n and std else ""
    numbers = f"{sample.mean:.{decimals}f}{std}{runs}"
    row: RowKind = "quoted" if kind == "quoted" else "published"
    return ForestRow(f"{source.name}, {kind}", row, sample.mean, *mean_interval(sample), numbers)
