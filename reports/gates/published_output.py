"""What the gate says: lines for a terminal, JUnit XML for a CI, a summary in Markdown."""

from math import ceil, isinf

from protocols.text import plural
from reports.gates import faults
from reports.gates.junit import JUnitCase, junit_document
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


def lines(gate: PublishedGate) -> list[str]:
    """The result for stdout: regressions and faults first, what was tested and what could be seen, what was not."""
    said = [NOT_COMPARABLE] if gate.includes_not_comparable else []
    said += [_line(check) for check in _ordered(gate) if check.regressed]
    said += [fault.line for fault in gate.faults]
    said += [_line(check) for check in _ordered(gate) if not check.regressed]
    said += [*_required(gate), *gate.contradictions]
    if gate.untested:
        said.append(f"not tested: {_untested(gate)}")
    return [*said, *_rules(gate), *_power(gate), headline(gate)]


def headline(gate: PublishedGate) -> str:
    """The result in one line."""
    rest = [faults.faults_headline(gate.faults)] if gate.faults else []
    if gate.unpublished:
        hint = f"no paper prints {gate.unpublished}: leave out --metric, or name runs with --against"
        return "; ".join([f"nothing to compare, {hint}", *rest])
    if not gate.checks:
        hint = "" if gate.includes_not_comparable or "not_comparable" not in gate.untested else _HINT
        return "; ".join([f"nothing to compare with the published values{hint}", *rest])
    count = f"{plural(len(gate.checks), 'cell')} tested (alpha {gate.alpha:g}, Holm)"
    found = f"{len(gate.regressions) or 'none'} found below published - margin"
    blind = sum(check.blind for check in gate.checks)
    rest = [f"in {blind} no drop could have been found", *rest] if blind else rest
    return f"{count}: {'; '.join([found, *rest])}"


def junit(gate: PublishedGate) -> str:
    """JUnit XML: one test case a tested cell, a failed one a fault, a skipped one a reason why cells were not tested.

    A cell in which no drop could have been found is skipped too. Nothing to compare is an error case, so that a CI
    which reads only this file is not green.
    """
    cases = [_case(check) for check in gate.checks]
    cases += faults.fault_cases(gate.faults)
    cases += [JUnitCase("not tested", reason, "skipped", f"{count} cells") for reason, count in gate.skipped.items()]
    if not gate.checks:
        cases.insert(0, JUnitCase("check", "something to compare", "error", headline(gate)))
    return junit_document("bench check --against published", cases, lines(gate))


def summary(gate: PublishedGate) -> str:
    """A page in Markdown for the summary of a CI run."""
    rows = [
        [
            escape_markdown(f"{check.table}/{check.name}"),
            f"{check.published:.{check.decimals}f}",
            f"{check.measured:.{check.decimals}f}",
            str(check.n),
            _freedom(check),
            f"{check.p_value:.3f}",
            _smallest_drop(check),
            _word(check).lower(),
        ]
        for check in _ordered(gate)
    ]
    heading = ["Cell", "Published", "Measured", "Seeds", "df", "p", "Smallest drop to be found", "Result"]
    text = [f"# Check against the published values: {headline(gate)}"]
    text += [NOT_COMPARABLE] if gate.includes_not_comparable else []
    text += [faults.faults_table(gate.faults)] if gate.faults else []
    text += [pipe_table(heading, rows)] if rows else []
    text += [escape_markdown(told) for told in (*_required(gate), *gate.contradictions)]
    text += [f"Not tested: {_untested(gate)}."] if gate.untested else []
    return "\n\n".join([*text, *_rules(gate), *_power(gate)]) + "\n"


_HINT = ": cells are measured, but not comparable; --include-not-comparable tests them all the same"


def _required(gate: PublishedGate) -> list[str]:
    return [f"required and there, but not tested: {told}" for told in gate.required]


def _ordered(gate: PublishedGate) -> list[CellTest]:
    return sorted(gate.checks, key=lambda check: (not check.regressed, check.p_value))


def _word(check: CellTest) -> str:
    if check.regressed:
        return "REGRESSION"
    return "no drop could be found" if check.blind else "no drop found"


def _line(check: CellTest) -> str:
    reasons = f" (not comparable: {'; '.join(check.reasons)})" if check.reasons else ""
    return f"{_word(check)}: {check.table}/{check.name}: {_numbers(check)}{reasons}"


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
    sharpest, bluntest = (f"{_smallest_drop(one)} ({one.table}/{one.name})" for one in (by_drop[0], by_drop[-1]))
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
