"""Two results side by side: which ratios moved beyond their own spread."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from perf.ratios import Ratio
from perf.result import MachineResult

Movement = Literal["higher", "lower", "within its spread", "one round only"]


class ComparedRatio(NamedTuple):
    """A ratio in two results, the change of its median as a factor, and the word for it."""

    name: str
    before: Ratio
    after: Ratio
    change: float
    movement: Movement


def compare_ratios(before: Ratio, after: Ratio) -> Movement:
    """`higher` or `lower` where no round of one lies among those of the other, and there are two of each at least.

    If nothing changed, that befalls 2 in 6 comparisons of two rounds with two, 1 in 10 of three with three and 1 in
    126 of five with five: 2 over the number of ways to share out the rounds.
    """
    if min(len(before.rounds), len(after.rounds)) < 2:
        return "one round only"
    if after.low > before.high:
        return "higher"
    return "lower" if after.high < before.low else "within its spread"


def compared_ratios(before: MachineResult, after: MachineResult) -> Iterator[ComparedRatio]:
    """The ratios that both have, in the order of the first."""
    later = after.ratio_rows()
    for name, ratio in before.ratio_rows().items():
        if name in later:
            other = later[name]
            yield ComparedRatio(name, ratio, other, other.median / ratio.median, compare_ratios(ratio, other))


def comparison_text(before: MachineResult, after: MachineResult) -> str:
    """Both medians with their ranges, the change and the word, as a table in Markdown; then what only one has."""
    rows = list(compared_ratios(before, after))
    lines = ["| ratio | before | after | change | |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.name} | {ratio_text(row.before)} | {ratio_text(row.after)} | x {row.change:.3g} | {row.movement} |"
        for row in rows
    ]
    moved = sum(row.movement in {"higher", "lower"} for row in rows)
    lines += ["", f"{moved} of {len(rows)} ratios moved beyond their own spread."]
    if (before.processor, before.numerics) != (after.processor, after.numerics):
        machines = (f"{result.processor} ({result.numerics})" for result in (before, after))
        lines.append(f"The machines differ: {', '.join(machines)}.")
    names = {row.name for row in rows}
    for word, result in (("before", before), ("after", after)):
        if alone := [name for name in result.ratio_rows() if name not in names]:
            lines.append(f"Only {word}: {', '.join(alone)}.")
    return "\n".join(lines)


def table_text(results: Sequence[MachineResult]) -> str:
    """All ratios as a table in Markdown, a column a result."""
    rows = dict.fromkeys(name for result in results for name in result.ratio_rows())
    heads = [result.name for result in results]
    lines = [f"| ratio | {' | '.join(heads)} |", "|---|" + "---|" * len(results)]
    for name in rows:
        cells = [ratio_text(result.ratio_rows()[name]) if name in result.ratio_rows() else "" for result in results]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def ratio_text(ratio: Ratio) -> str:
    """Median and range with three digits: `1.07 (1.05-1.10)`."""
    if len(ratio.rounds) == 1:
        return number_text(ratio.median)
    return f"{number_text(ratio.median)} ({number_text(ratio.low)}-{number_text(ratio.high)})"


def number_text(value: float) -> str:
    """Three significant digits, no exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:#.3g}".rstrip(".")
