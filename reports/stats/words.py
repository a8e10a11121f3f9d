"""Words and marks of verdicts: what each rule says, and no more."""

from collections.abc import Mapping

from reports.stats.table_verdict import TableVerdict
from reports.stats.verdict import MeanComparison, VerdictName

MARKS: Mapping[VerdictName, str] = {
    "reproduced": "=",
    "higher": "↑",
    "lower": "↓",
    "close": "≈",
    "consistent": "∼",
    "inconclusive": "?",
}
MEANINGS: Mapping[VerdictName, str] = {
    "reproduced": "reproduced: the 90 % interval of the difference lies within the margin",
    "higher": "higher than published by more than the margin, which neither scatter explains",
    "lower": "lower than published by more than the margin, which neither scatter explains",
    "close": "close: there is a difference, and our best estimate of it lies within the margin",
    "consistent": "consistent ±r: of means of as many runs of ours as the paper had, 95 in 100 fall within ±r of our "
    "mean, and the published one does; a difference up to about r cannot be told (at ten seeds a true drop of 0.05 "
    "still reads consistent in 27 of 100 cells of DRA's Table 2)",
    "inconclusive": "inconclusive: these runs cannot tell",
}


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
