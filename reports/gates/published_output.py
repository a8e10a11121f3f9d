"""Text of the gate against published values."""

from math import ceil, isinf

from protocols.text import plural
from reports.gates.faults import fault_cases, faults_headline, faults_table
from reports.gates.gate_report import GateReport
from reports.gates.junit import JUnitCase
from reports.gates.published import CellTest, PublishedGate
from reports.stats.thresholds import EPSILON
from reports.text import escape_markdown, pipe_table

NOT_COMPARABLE = (
    "cells that are not comparable with the papers are tested too: a regression may be the recipe's or the weights'"
)
ONE_SEED_RULE = "with one seed of ours, the published std stands for both sides"
RULE = (
    "tested: whether our mean lies below published - margin; with the seeds (n), degrees of freedom (df) and spread at "
    "hand a drop is found from the named size on. A smaller one was not to be found, and a true drop of just that size "
    "is found about one time in two"
)
_NAMED_CELLS = 3
_UNNAMED = ("missing",)
"""Reasons of which no cell is named: they hold most of each table."""


def published_report(gate: PublishedGate) -> GateReport:
    """The gate as text: regressions and faults, other tested cells, what could be seen, what was not tested, headline.

    A test case is a tested cell, a fault (failed), or a reason why cells were not tested (skipped); a cell in which no
    drop could have been found is skipped too.
    """
    headline = _headline(gate)
    return GateReport(
        side="published",
        title="Check against the published values",
        headline=headline,
        lines=[*_lines(gate), *_rules(gate), *_power(gate), headline],
        cases=_cases(gate, headline),
        paragraphs=[*_paragraphs(gate), *_rules(gate), *_power(gate)],
    )


def _lines(gate: PublishedGate) -> list[str]:
    lines = [NOT_COMPARABLE] if gate.includes_not_comparable else []
    lines += [_line(check) for check in _ordered(gate) if check.regressed]
    lines += [fault.line for fault in gate.faults]
    lines += [_line(check) for check in _ordered(gate) if not check.regressed]
    lines += [*_required(gate), *gate.contradictions]
    return [*lines, f"not tested: {_untested(gate)}"] if gate.untested else lines


def _headline(gate: PublishedGate) -> str:
    rest = [faults_headline(gate.faults)] if gate.faults else []
    if gate.unpublished:
        hint = f"no paper prints {gate.unpublished}: leave out --metric, or name runs with --against"
        return "; ".join([f"nothing to compare, {hint}", *rest])
    if not gate.checks:
        hint = "" if gate.includes_not_comparable or "not_comparable" not in gate.untested else _HINT
        return "; ".join([f"nothing to compare with the published values{hint}", *rest])
    count = f"{plural(len(gate.checks), 'cell')} tested (alpha {gate.alpha:g}, Holm)"
    regressions = f"{len(gate.regressions) or 'none'} found below published - margin"
    blind = sum(check.blind for check in gate.checks)
    rest = [f"in {blind} no drop could have been found", *rest] if blind else rest
    return f"{count}: {'; '.join([regressions, *rest])}"


def _cases(gate: PublishedGate, headline: str) -> list[JUnitCase]:
    cases = [] if gate.checks else [JUnitCase("check", "something to compare", "error", headline)]
    cases += [_case(check) for check in gate.checks]
    cases += fault_cases(gate.faults)
    return cases + [
        JUnitCase("not tested", reason, "skipped", f"{count} cells") for reason, count in gate.skipped.items()
    ]


def _paragraphs(gate: PublishedGate) -> list[str]:
    rows = [
        [
            escape_markdown(f"{check.table}/{check.name}"),
            f"{check.published:.{check.decimals}f}",
            f"{check.measured:.{check.decimals}f}",
            str(check.n),
            _freedom(check),
            f"{check.p_value:.3f}",
            _smallest_drop(check),
            _result(check).lower(),
        ]
        for check in _ordered(gate)
    ]
    heading = ["Cell", "Published", "Measured", "Seeds", "df", "p", "Smallest drop to be found", "Result"]
    paragraphs = [NOT_COMPARABLE] if gate.includes_not_comparable else []
    paragraphs += [faults_table(gate.faults)] if gate.faults else []
    paragraphs += [pipe_table(heading, rows)] if rows else []
    paragraphs += [escape_markdown(text) for text in (*_required(gate), *gate.contradictions)]
    return [*paragraphs, f"Not tested: {_untested(gate)}."] if gate.untested else paragraphs


_HINT = ": cells are measured, but not comparable; --include-not-comparable tests them all the same"


def _required(gate: PublishedGate) -> list[str]:
    return [f"required and there, but not tested: {text}" for text in gate.required]


def _ordered(gate: PublishedGate) -> list[CellTest]:
    return sorted(gate.checks, key=lambda check: (not check.regressed, check.p_value))


def _result(check: CellTest) -> str:
    if check.regressed:
        return "REGRESSION"
    return "no drop could be found" if check.blind else "no drop found"


def _line(check: CellTest) -> str:
    reasons = f" (not comparable: {'; '.join(check.reasons)})" if check.reasons else ""
    return f"{_result(check)}: {check.table}/{check.name}: {_numbers(check)}{reasons}"


def _case(check: CellTest) -> JUnitCase:
    if check.regressed:
        return JUnitCase(check.table, check.name, "failure", _numbers(check), _line(check))
    if check.blind:
        return JUnitCase(check.table, check.name, "skipped", _numbers(check))
    return JUnitCase(check.table, check.name)


def _numbers(check: CellTest) -> str:
    digits = f".{check.decimals}f"
    return (
        f"measured {check.measured:{digits}} (n = {check.n}, df = {_freedom(check)}), published "
        f"{check.published:{digits}}, margin {check.margin:{digits}}, p = {check.p_value:.3f}, "
        f"smallest drop to be found {_smallest_drop(check)}"
    )


def _rules(gate: PublishedGate) -> list[str]:
    if not gate.checks:
        return []
    return [RULE, ONE_SEED_RULE] if any(check.n == 1 for check in gate.checks) else [RULE]


def _power(gate: PublishedGate) -> list[str]:
    if not gate.checks:
        return []
    by_drop = sorted(gate.checks, key=lambda check: check.smallest_drop)
    sharpest, bluntest = (
        f"{_smallest_drop(check)} ({check.table}/{check.name})" for check in (by_drop[0], by_drop[-1])
    )
    return [f"smallest drop that could have been found: {sharpest} to {bluntest}"]


def _smallest_drop(check: CellTest) -> str:
    """Rounded up: what is printed would have been found."""
    if check.blind:
        return "none"
    unit = 10**-check.decimals
    return f"{ceil(check.smallest_drop / unit - EPSILON) * unit:.{check.decimals}f}"


def _freedom(check: CellTest) -> str:
    return "no scatter" if isinf(check.freedom) else f"{check.freedom:.1f}"


def _untested(gate: PublishedGate) -> str:
    return ", ".join(f"{len(names)} {_reason(reason, names)}" for reason, names in gate.untested.items())


def _reason(reason: str, names: tuple[str, ...]) -> str:
    text = reason.replace("_", " ")
    if reason in _UNNAMED:
        return text
    more = f" and {len(names) - _NAMED_CELLS} more" if len(names) > _NAMED_CELLS else ""
    return f"{text} ({', '.join(names[:_NAMED_CELLS])}{more})"
