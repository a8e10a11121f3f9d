"""Text of the gate against reference runs."""

from protocols.text import plural
from reports.gates.faults import fault_cases, faults_headline, faults_table
from reports.gates.gate_report import GateReport
from reports.gates.junit import JUnitCase
from reports.gates.reference import ComparedNumber, ReferenceGate, ReferencePair
from reports.text import escape_markdown, pipe_table


def reference_report(gate: ReferenceGate) -> GateReport:
    """The gate as text: what differs or is not there first, what was not compared, the headline; one case a run."""
    headline = _headline(gate)
    return GateReport(
        side="reference",
        title="Check against reference runs",
        headline=headline,
        lines=[*_lines(gate), headline],
        cases=_cases(gate, headline),
        paragraphs=_paragraphs(gate),
    )


def _lines(gate: ReferenceGate) -> list[str]:
    lines = [_line(pair) for pair in gate.differing]
    lines += [fault.line for fault in gate.faults]
    lines += [_line(pair) for pair in gate.pairs if not pair.differs]
    lines += gate.contradictions
    lines += [f"not compared: {_skipped(gate)}"] if gate.skipped else []
    return [*lines, _compared(gate)] if gate.pairs else lines


def _headline(gate: ReferenceGate) -> str:
    rest = [faults_headline(gate.faults)] if gate.faults else []
    if gate.pairs:
        count = f"{plural(len(gate.pairs), 'run')} compared with a reference"
        differ = f"{len(gate.differing) or 'none'} differ{'s' if len(gate.differing) < 2 else ''}"
        return f"{count}: {'; '.join([differ, *rest])}"
    if rest:
        return f"no run compared with a reference: {rest[0]}"
    if gate.lacking:
        return f"nothing to compare: no reference run has {gate.lacking}, which needs its scores: name a results folder"
    return "nothing to compare: no run has the key of a reference (bench results why says what makes a key)"


def _cases(gate: ReferenceGate, headline: str) -> list[JUnitCase]:
    cases = [
        JUnitCase("reference", pair.name, "failure" if pair.differs else None, _numbers(pair) if pair.differs else "")
        for pair in _ordered(gate)
    ]
    cases += fault_cases(gate.faults)
    cases += [
        JUnitCase("not compared", reason, "skipped", plural(count, "run")) for reason, count in gate.skipped.items()
    ]
    return cases + ([JUnitCase("check", "something to compare", "error", headline)] if gate.status == 4 else [])


def _paragraphs(gate: ReferenceGate) -> list[str]:
    rows = [
        [escape_markdown(pair.name), *(_both(number) for number in pair.numbers), _allowed(pair), _result(pair).lower()]
        for pair in _ordered(gate)
    ]
    paragraphs = [faults_table(gate.faults)] if gate.faults else []
    if rows:
        titles = [f"{number.title} (reference)" for number in gate.pairs[0].numbers]
        paragraphs += [pipe_table(["Run", *titles, "Allowed", "Result"], rows), f"C{_compared(gate)[1:]}."]
    paragraphs += [escape_markdown(text) for text in gate.contradictions]
    return paragraphs + ([f"Not compared: {escape_markdown(_skipped(gate))}."] if gate.skipped else [])


def _compared(gate: ReferenceGate) -> str:
    titles = " and ".join(gate.titles)
    return f"compared: {titles} of each run; equal means to the last bit, and nothing else was looked at"


def _line(pair: ReferencePair) -> str:
    return f"{_result(pair)}: {pair.name}: {_numbers(pair)}"


def _ordered(gate: ReferenceGate) -> list[ReferencePair]:
    return sorted(gate.pairs, key=lambda pair: not pair.differs)


def _result(pair: ReferencePair) -> str:
    if pair.differs:
        return "DIFFERS"
    equal = all(number.measured == number.reference for number in pair.numbers)
    return "equal" if equal else f"within {pair.allowed:g}"


def _numbers(pair: ReferencePair) -> str:
    """The metrics that differ, of a run that does not all; in full, since on the same machine the last bit counts."""
    numbers = [number for number in pair.numbers if number.differs or not pair.differs]
    return f"{'; '.join(_in_words(number) for number in numbers)}; allowed {_allowed(pair)}"


def _in_words(number: ComparedNumber) -> str:
    drift = number.measured - number.reference
    return f"{number.title} measured {number.measured!r}, reference {number.reference!r}, difference {drift:+.2g}"


def _both(number: ComparedNumber) -> str:
    return f"{number.measured:.4f} ({number.reference:.4f})"


def _allowed(pair: ReferencePair) -> str:
    return "none (same machine class)" if pair.same_machine else f"{pair.allowed:g} (another machine)"


def _skipped(gate: ReferenceGate) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in gate.skipped.items())
