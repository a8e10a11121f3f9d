"""The gate of a judged table: one-sided tests "ours is not worse than published by the margin", in families."""

from collections.abc import Iterator
from typing import NamedTuple

from protocols.text import plural
from reports.judgement.entries import place_label
from reports.judgement.judge import JudgedGroup, LossTest, TableJudgement
from reports.judgement.numbers import NumberFormat
from reports.judgement.page import judgement_format, mean_difference
from reports.stats.thresholds import GATE_POWER, rounding_tolerance

REGRESSION, NOTHING = 3, 4
"""Exit statuses, as those of `bench check`."""


class GateOutcome(NamedTuple):
    """Lines for a person, the last of which is the headline, and the exit status."""

    lines: tuple[str, ...]
    status: int


def judgement_gate(judgement: TableJudgement, see: float | None = None) -> GateOutcome:
    """The gate's lines and status: 3 for a regression; else 4 where nothing was compared or `see` is not met; else 0.

    see: loss that each group of the first family must see, in the unit of the table.
    """
    show = judgement_format(judgement)
    tests = [*_tests(judgement, show)]
    regressions = sum(test.regressed for test, _ in tests)
    blind = [] if see is None else _blind(judgement, see)
    lines = [_line(judgement, test, text, show) for test, text in tests]
    lines += [f"not seen: {_blind_text(judgement, group, show)}" for group in blind]
    lines.append(_headline(judgement, tests=len(tests), regressions=regressions, blind=len(blind), see=see))
    if regressions:
        return GateOutcome(tuple(lines), REGRESSION)
    return GateOutcome(tuple(lines), NOTHING if blind or not tests else 0)


def _tests(judgement: TableJudgement, show: NumberFormat) -> Iterator[tuple[LossTest, str]]:
    """Every test with what it tested, family by family, each from the smallest p on."""
    for family in judgement.families:
        groups = [
            (group.test, f"{place_label(group.by, group.coordinates)}: {mean_difference(group.verdict, show)}")
            for group in judgement.groups
            if group.by == family and group.test and group.verdict
        ]
        yield from sorted(groups, key=lambda tested: tested[0].p)
    cells = [
        (cell.test, f"cell {place_label(judgement.columns, cell.entry.coordinates)}: d {difference}")
        for cell in judgement.cells
        if cell.test and cell.comparison and (difference := show(cell.comparison.difference, signed=True))
    ]
    yield from sorted(cells, key=lambda tested: tested[0].p)


def _line(judgement: TableJudgement, test: LossTest, text: str, show: NumberFormat) -> str:
    result = "REGRESSION" if test.regressed else f"no {_loss(judgement)} found"
    sees = f"sees a {_loss(judgement)} of {show.rounded_up(test.sees)} with probability {GATE_POWER}"
    return f"{result}: {text}, adjusted p {_p_text(test.p)}, {sees}"


def _p_text(p: float) -> str:
    return f"{p:.1g}" if 0 < p < 0.001 else f"{p:.3f}"


def _loss(judgement: TableJudgement) -> str:
    return "drop" if judgement.better == "higher" else "rise"


def _blind(judgement: TableJudgement, see: float) -> list[JudgedGroup]:
    first = [group for group in judgement.groups if group.by == judgement.families[0]]
    return [group for group in first if group.test is None or group.test.sees > see + rounding_tolerance(see)]


def _blind_text(judgement: TableJudgement, group: JudgedGroup, show: NumberFormat) -> str:
    label = place_label(group.by, group.coordinates)
    if group.test is None:
        return f"{label} has nothing to compare"
    return f"{label} sees a {_loss(judgement)} of {show.rounded_up(group.test.sees)} at best"


def _headline(judgement: TableJudgement, *, tests: int, regressions: int, blind: int, see: float | None) -> str:
    parts = [f"{plural(tests, 'test')} (alpha {judgement.alpha:g} over {len(judgement.families) + 1} families, Holm)"]
    if not tests:
        parts = ["nothing to compare: measure cells of the published table"]
    elif regressions:
        parts.append(f"{plural(regressions, 'regression')} beyond the margin of {judgement.margin:g}")
    else:
        parts.append(f"no {_loss(judgement)} beyond the margin of {judgement.margin:g} found")
    if see is not None:
        met = f"not met by {plural(blind, 'group')}: add runs" if blind else "met"
        parts.append(f"--see {see:g} {met}")
    if judgement.missing:
        parts.append(f"{plural(judgement.missing, 'cell')} missing")
    return "; ".join(parts)
