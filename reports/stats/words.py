"""Words of verdicts as pages print them: a mark for each word of a cell, and the rule behind each word."""

from collections.abc import Mapping

from reports.stats.table_verdict import TableVerdict, TableVerdictName
from reports.stats.thresholds import MOST_TOLD
from reports.stats.verdict import MeanComparison, VerdictName

MARKS: Mapping[VerdictName, str] = {
    "reproduced": "=",
    "close": "≈",
    "higher": "↑",
    "lower": "↓",
    "consistent": "∼",
    "inconclusive": "?",
}
MEANINGS: Mapping[VerdictName, str] = {
    "reproduced": "reproduced: the 90 % interval of the difference lies within the margin",
    "close": "close: there is a difference, and our best estimate of it lies within the margin",
    "higher": "higher: above the published mean by more than the margin, and by more than the scatter of runs explains",
    "lower": "lower: below the published mean by more than the margin, and by more than the scatter of runs explains",
    "consistent": (
        "consistent ±r: as many runs of ours as the paper had would print such a mean; a difference up to ±r cannot be "
        f"told (r is at most {MOST_TOLD} margins). At ten seeds a true drop of 0.05 still reads consistent in about 27 "
        "of 100 cells of DRA's Table 2"
    ),
    "inconclusive": "inconclusive: these runs cannot tell",
}
GROUP_MEANINGS: Mapping[TableVerdictName, str] = {
    "reproduced": (
        "reproduced: the 90 % interval of D lies within the margin, and tau is at most the margin or not told from 0"
    ),
    "reproduced on average": (
        "reproduced on average: the interval of D lies within the margin, but single cells differ by about ±tau more "
        "than chance"
    ),
    "close": "close: the interval leaves out 0, and D lies within the margin",
    "higher": "higher: the interval leaves out 0, and D is above 0 by more than the margin",
    "lower": "lower: the interval leaves out 0, and D is below 0 by more than the margin",
    "inconclusive": "inconclusive: none of these",
}
GROUP_TERMS = (
    "D: mean of ours minus published over the cells of a group, with its 90 % interval; tau: how much true differences "
    "scatter between cells beyond chance, with its 90 % interval"
)


def verdict_mark(comparison: MeanComparison, decimals: int) -> str:
    """The mark of a verdict, of a consistent one with r."""
    mark = MARKS[comparison.verdict]
    return f"{mark}±{comparison.told:.{decimals}f}" if comparison.verdict == "consistent" else mark


def verdict_words(comparison: MeanComparison, decimals: int) -> str:
    """The word of a verdict, of a consistent one with r."""
    word = comparison.verdict
    return f"{word} ±{comparison.told:.{decimals}f}" if word == "consistent" else word


def group_words(judged: TableVerdict, decimals: int) -> str:
    """A verdict on cells together in one clause: word, mean difference with its interval, scatter beyond chance."""
    pooled = judged.pooled
    numbers = f"D {pooled.difference:+.{decimals}f} ({judged.low:+.{decimals}f} to {judged.high:+.{decimals}f})"
    if judged.tau is None or judged.tau_low is None or judged.tau_high is None:
        return f"one cell, no verdict on the table: {numbers}"
    tau = f"tau {judged.tau:.{decimals}f} ({judged.tau_low:.{decimals}f} to {judged.tau_high:.{decimals}f})"
    if judged.is_small:
        tau = f"[{tau}]"
    scatter = f" (single cells differ by about ±{judged.tau:.{decimals}f} more than chance)"
    return f"{judged.verdict}{scatter if judged.verdict == 'reproduced on average' else ''}: {numbers}, {tau}"
