"""A judged table as a page: sentences on groups, counts of verdicts, a line a cell, a legend. No markup is in it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from protocols.text import plural
from reports.judgement.entries import place_label
from reports.judgement.judge import JudgedCell, JudgedGroup, TableJudgement
from reports.judgement.numbers import NumberFormat, number_format
from reports.stats.sample import Sample
from reports.stats.table_verdict import TableVerdict
from reports.stats.thresholds import FEWEST_CELLS
from reports.stats.words import GROUP_MEANINGS, GROUP_TERMS, MEANINGS

COUNT_HEADINGS = ("Verdict", "Cells", "Expected if equal")
_CELL_HEADINGS = ("Published", "Ours", "Difference", "90 % interval", "Verdict", "Notes")


@dataclass(frozen=True, slots=True)
class JudgementPage:
    """Texts of a page; templates escape them. labels: columns of `rows` that say which cell it is."""

    title: str
    caption: str
    sentences: tuple[str, ...]
    count_headings: tuple[str, ...]
    counts: tuple[tuple[str, ...], ...]
    count_note: str
    labels: int
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    legend: tuple[str, ...]


def judgement_page(judgement: TableJudgement) -> JudgementPage:
    show = judgement_format(judgement)
    return JudgementPage(
        title=f"{judgement.measured} beside {judgement.published}",
        caption=f"Margin {judgement.margin:g}. The better value is the {judgement.better} one.",
        sentences=tuple(judged_sentence(group, show) for group in judgement.groups),
        count_headings=COUNT_HEADINGS,
        counts=tuple(_counts(judgement)),
        count_note="Expected if equal: verdicts of these cells in the mean of 1,000 tables without a true difference.",
        labels=len(judgement.columns),
        headings=(*judgement.columns, *_CELL_HEADINGS),
        rows=tuple((*cell.entry.coordinates, *_cell_texts(cell, show)) for cell in judgement.cells),
        legend=tuple(_legend(judgement)),
    )


def judgement_format(judgement: TableJudgement) -> NumberFormat:
    means = [cell.entry.mean for cell in judgement.cells]
    ours = [cell.sample.mean for cell in judgement.cells if cell.sample]
    return number_format(max(cell.entry.digits for cell in judgement.cells), judgement.margin, [*means, *ours])


def judged_sentence(group: JudgedGroup, show: NumberFormat) -> str:
    """The verdict on a group in one sentence, with everything that it rests on."""
    label, verdict = place_label(group.by, group.coordinates), group.verdict
    left_out = f" ({group.left_out} left out: no std on either side)" if group.left_out else ""
    if verdict is None:
        return f"{label}: nothing to compare, 0 of {plural(group.cells, 'cell')}{left_out}"
    counted = f"{verdict.pooled.cells} of {plural(group.cells, 'cell')}{left_out}"
    parts = ", ".join([mean_difference(verdict, show), *_tau(verdict, show), counted])
    if verdict.verdict is None:
        return f"{label}: {parts}: no verdict on a single cell"
    return f"{label}: {parts}: {verdict.verdict}"


def mean_difference(verdict: TableVerdict, show: NumberFormat) -> str:
    return f"D {show(verdict.pooled.difference, signed=True)} ({show.interval(verdict.low, verdict.high)})"


def _tau(verdict: TableVerdict, show: NumberFormat) -> Iterator[str]:
    if verdict.tau is None or verdict.tau_low is None or verdict.tau_high is None:
        return
    low = show(verdict.tau_low) if verdict.tau_low else "0"
    if verdict.pooled.cells < FEWEST_CELLS:
        yield f"(tau {show(verdict.tau)}, {low} to {show(verdict.tau_high)})"
    else:
        yield f"tau {show(verdict.tau)} ({low} to {show(verdict.tau_high)})"


def _counts(judgement: TableJudgement) -> Iterator[tuple[str, ...]]:
    for name, count in judgement.counts.items():
        if count or judgement.expected[name] >= 0.05:
            yield name, str(count), f"{judgement.expected[name]:.1f}"
    if judgement.missing:
        yield "missing", str(judgement.missing), "–"


def _cell_texts(cell: JudgedCell, show: NumberFormat) -> tuple[str, ...]:
    entry, comparison = cell.entry, cell.comparison
    std = f"±{entry.std_text}" if entry.std_text else ""
    published = f"{entry.mean_text}{std} (n {entry.n}{'' if entry.is_n_known else '?'})"
    if cell.sample is None or comparison is None:
        return published, "–", "–", "–", cell.verdict, "; ".join(cell.notes)
    interval = "–"
    if comparison.low is not None and comparison.high is not None:
        interval = show.interval(comparison.low, comparison.high)
    verdict = str(cell.verdict)
    if cell.verdict == "consistent" and comparison.told is not None:
        verdict = f"consistent ±{show(comparison.told)}"
    return (
        published,
        _ours(cell.sample, show),
        show(comparison.difference, signed=True),
        interval,
        verdict,
        "; ".join(cell.notes),
    )


def _ours(sample: Sample, show: NumberFormat) -> str:
    std = "" if sample.std is None else f"±{show(sample.std)}"
    return f"{show(sample.mean)}{std} (n {sample.n})"


def _legend(judgement: TableJudgement) -> Iterable[str]:
    words = [group.verdict.verdict for group in judgement.groups if group.verdict and group.verdict.verdict]
    if words:
        yield GROUP_TERMS
    if any(group.verdict and 1 < group.verdict.pooled.cells < FEWEST_CELLS for group in judgement.groups):
        yield f"tau in brackets: of fewer than {FEWEST_CELLS} cells, a hint"
    for group_name, meaning in GROUP_MEANINGS.items():
        if group_name in words:
            yield f"Of a group: {meaning}"
    for name, meaning in MEANINGS.items():
        if judgement.counts[name]:
            yield f"Of a cell: {meaning}"
    if judgement.missing:
        yield "Of a cell: missing: nothing is measured"
