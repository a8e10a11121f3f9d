"""Text of the gate against published values."""

from math import ceil, isinf

from protocols.text import plural
from reports.gates.faults import fault_cases, faults_headline, faults_table
from reports.gates.gate_report import GateReport
from reports.gates.junit import JUnitCase
from reports.gates.published import TEST_KINDS, GateTest, PublishedGate
from reports.stats.thresholds import EPSILON
from reports.text import escape_markdown, pipe_table

NOT_COMPARABLE_RULE = (
    "cells that are not comparable with the papers are tested too: a regression may be the recipe's or the weights'"
)
ONE_RUN_RULE = "a cell with one run of ours takes the published std for its own"
RULE = (
    "tested: whether ours lies below published - margin, of a method in a table, of a method in a data set, of a cell; "
    "p is adjusted (Holm) within each of the three, which share alpha. A true drop of the size that a test sees is "
    "found four times in five; a smaller one may pass"
)
_NAMED_CELLS = 3
_UNNAMED = ("missing",)
"""Reasons of which no cell is named: they hold most of each table."""


def published_report(gate: PublishedGate) -> GateReport:
    """The gate as text: regressions and faults, other tests, what could be seen, what was not tested, headline.

    A test case is a test, a fault (failed), or a reason why cells were not tested (skipped); a test in which no drop
    could have been found is skipped too.
    """
    headline = _headline(gate)
    return GateReport(
        side="published",
        title="Check against the published values",
        headline=headline,
        lines=[*gate.sentences, *_lines(gate), *_rules(gate), *_power(gate), headline],
        cases=_cases(gate, headline),
        paragraphs=[*map(escape_markdown, gate.sentences), *_paragraphs(gate), *_rules(gate), *_power(gate)],
    )


def _lines(gate: PublishedGate) -> list[str]:
    lines = [NOT_COMPARABLE_RULE] if gate.includes_not_comparable else []
    lines += [_line(test) for test in _ordered(gate) if test.regressed]
    lines += [fault.line for fault in gate.faults]
    lines += [_line(test) for test in _ordered(gate) if not test.regressed]
    lines += [*_unseeing(gate), *_required(gate), *gate.contradictions]
    return [*lines, f"not tested: {_untested(gate)}"] if gate.untested else lines


def _headline(gate: PublishedGate) -> str:
    rest = [faults_headline(gate.faults)] if gate.faults else []
    if gate.unpublished:
        hint = f"no paper prints {gate.unpublished}: leave out --metric, or name runs with --against"
        return "; ".join([f"nothing to compare, {hint}", *rest])
    if not gate.tests:
        hint = "" if gate.includes_not_comparable or "not_comparable" not in gate.untested else _HINT
        return "; ".join([f"nothing to compare with the published values{hint}", *rest])
    methods, datasets, cells = (len(gate.of_kind(kind)) for kind in TEST_KINDS)
    counts = [plural(methods, "method"), plural(cells, "cell")]
    if datasets:
        counts.insert(1, plural(datasets, "method in a data set", "methods in a data set"))
    count = f"{', '.join(counts)} tested (alpha {gate.alpha:g}, Holm)"
    regressions = f"{len(gate.regressions) or 'none'} found below published - margin"
    blind = sum(test.blind for test in gate.of_kind("cell"))
    rest = [f"in {plural(blind, 'cell')} no drop could have been found", *rest] if blind else rest
    if gate.unseeing:
        rest = [f"{plural(len(gate.unseeing), 'method')} without the power that --see demands", *rest]
    return f"{count}: {'; '.join([regressions, *rest])}"


def _cases(gate: PublishedGate, headline: str) -> list[JUnitCase]:
    cases = [] if gate.tests else [JUnitCase("check", "something to compare", "error", headline)]
    cases += [_case(test) for test in gate.tests]
    cases += [
        JUnitCase(f"power {test.table}", test.name, "failure", text, text)
        for test, text in zip(gate.unseeing, _unseeing(gate), strict=True)
    ]
    cases += fault_cases(gate.faults)
    return cases + [
        JUnitCase("not tested", reason, "skipped", f"{count} cells") for reason, count in gate.skipped.items()
    ]


def _paragraphs(gate: PublishedGate) -> list[str]:
    rows = [
        [
            test.kind,
            escape_markdown(test.id),
            str(test.cells),
            _number(test.published, test),
            _number(test.measured, test),
            "" if test.n is None else str(test.n),
            _difference(test),
            _freedom(test),
            f"{test.p_value:.3f}",
            _sees(test),
            _result(test).lower(),
        ]
        for test in _ordered(gate)
    ]
    heading = ["Of", "Test", "Cells", "Published", "Measured", "n", "Difference", "df", "p", "Drop seen", "Result"]
    paragraphs = [NOT_COMPARABLE_RULE] if gate.includes_not_comparable else []
    paragraphs += [faults_table(gate.faults)] if gate.faults else []
    paragraphs += [pipe_table(heading, rows)] if rows else []
    paragraphs += [escape_markdown(text) for text in (*_unseeing(gate), *_required(gate), *gate.contradictions)]
    return [*paragraphs, f"Not tested: {_untested(gate)}."] if gate.untested else paragraphs


_HINT = ": cells are measured, but not comparable; --include-not-comparable tests them all the same"


def _required(gate: PublishedGate) -> list[str]:
    return [f"required and there, but not tested: {text}" for text in gate.required]


def _unseeing(gate: PublishedGate) -> list[str]:
    return [
        f"too little power: {test.id} sees a drop of {_sees(test)}, --see demands "
        f"{(gate.demanded or 0.0) * test.scale:.{test.decimals}f}: more seeds, or fewer tables"
        for test in gate.unseeing
    ]


def _ordered(gate: PublishedGate) -> list[GateTest]:
    return sorted(
        gate.tests, key=lambda test: (not test.regressed, TEST_KINDS.index(test.kind), test.p_value, test.difference)
    )


def _result(test: GateTest) -> str:
    if test.regressed:
        return "REGRESSION"
    return "no drop could be found" if test.blind else "no drop found"


def _line(test: GateTest) -> str:
    reasons = f" (not comparable: {'; '.join(test.reasons)})" if test.reasons else ""
    of = "" if test.kind == "cell" else f" ({test.kind}, {plural(test.cells, 'cell')})"
    return f"{_result(test)}: {test.id}{of}: {_numbers(test)}{reasons}"


def _case(test: GateTest) -> JUnitCase:
    group = test.table if test.kind == "cell" else f"{test.table} {test.kind}"
    if test.regressed:
        return JUnitCase(group, test.name, "failure", _numbers(test), _line(test))
    if test.blind:
        return JUnitCase(group, test.name, "skipped", _numbers(test))
    return JUnitCase(group, test.name)


def _numbers(test: GateTest) -> str:
    digits = f".{test.decimals}f"
    if test.measured is None:
        values = f"D {_difference(test)} (df = {_freedom(test)})"
    else:
        values = (
            f"measured {test.measured:{digits}} (n = {test.n}, df = {_freedom(test)}), published "
            f"{test.published:{digits}}, d {_difference(test)}"
        )
    return f"{values}, margin {test.margin:{digits}}, p = {test.p_value:.3f}, sees a drop of {_sees(test)}"


def _rules(gate: PublishedGate) -> list[str]:
    if not gate.tests:
        return []
    return [RULE, ONE_RUN_RULE] if any(test.n == 1 for test in gate.tests) else [RULE]


def _power(gate: PublishedGate) -> list[str]:
    lines = []
    for kind in TEST_KINDS:
        by_drop = sorted(gate.of_kind(kind), key=lambda test: test.sees / test.scale)
        if by_drop:
            ends = [f"{_sees(test)} ({test.id})" for test in (by_drop[0], by_drop[-1])]
            lines.append(f"drop seen with probability 0.8, by {kind}: {' to '.join(dict.fromkeys(ends))}")
    return lines


def _number(value: float | None, test: GateTest) -> str:
    return "" if value is None else f"{value:.{test.decimals}f}"


def _difference(test: GateTest) -> str:
    return f"{test.difference:+z.{test.decimals}f}"


def _sees(test: GateTest) -> str:
    """Rounded up: what is printed would be found."""
    if test.blind:
        return "none"
    unit = 10**-test.decimals
    return f"{ceil(test.sees / unit - EPSILON) * unit:.{test.decimals}f}"


def _freedom(test: GateTest) -> str:
    return "no scatter" if isinf(test.freedom) else f"{test.freedom:.1f}"


def _untested(gate: PublishedGate) -> str:
    return ", ".join(f"{len(names)} {_reason(reason, names)}" for reason, names in gate.untested.items())


def _reason(reason: str, names: tuple[str, ...]) -> str:
    text = reason.replace("_", " ")
    if reason in _UNNAMED:
        return text
    more = f" and {len(names) - _NAMED_CELLS} more" if len(names) > _NAMED_CELLS else ""
    return f"{text} ({', '.join(names[:_NAMED_CELLS])}{more})"
