"""What the comparison with reference runs says: lines for a terminal, JUnit XML for a CI, a summary in Markdown."""

from protocols.text import plural
from reports.gates import faults
from reports.gates.junit import JUnitCase, junit_document
from reports.gates.reference import ComparedNumber, ReferenceGate, ReferencePair
from reports.text import escape_markdown, pipe_table


def lines(found: ReferenceGate) -> list[str]:
    """The result for stdout: what differs or is not there first, what was not compared, the headline."""
    said = [f"{_word(pair)}: {pair.name}: {_numbers(pair)}" for pair in found.differing]
    said += [fault.line for fault in found.faults]
    said += [f"{_word(pair)}: {pair.name}: {_numbers(pair)}" for pair in found.pairs if not pair.differs]
    said += found.contradictions
    if found.skipped:
        said.append(f"not compared: {_skipped(found)}")
    return [*said, *([_tested(found)] if found.pairs else []), headline(found)]


def headline(found: ReferenceGate) -> str:
    """The result in one line."""
    rest = [faults.faults_headline(found.faults)] if found.faults else []
    if found.pairs:
        count = f"{plural(len(found.pairs), 'run')} compared with a reference"
        differ = f"{len(found.differing) or 'none'} differ{'s' if len(found.differing) < 2 else ''}"
        return f"{count}: {'; '.join([differ, *rest])}"
    if rest:
        return f"no run compared with a reference: {rest[0]}"
    if found.lacking:
        return (
            f"nothing to compare: no reference run has {found.lacking}, which needs its scores: name a results folder"
        )
    return "nothing to compare: no run has the key of a reference (bench results why says what makes a key)"


def junit(found: ReferenceGate) -> str:
    """JUnit XML: one test case a run, failed where it differs or is not there; nothing to compare is an error."""
    cases = [
        JUnitCase("reference", pair.name, "failure" if pair.differs else None, _numbers(pair) if pair.differs else "")
        for pair in _ordered(found)
    ]
    cases += faults.fault_cases(found.faults)
    cases += [JUnitCase("not compared", reason, "skipped", f"{count} runs") for reason, count in found.skipped.items()]
    if found.status == 4:
        cases.append(JUnitCase("check", "something to compare", "error", headline(found)))
    return junit_document("bench check --against reference", cases, lines(found))


def summary(found: ReferenceGate) -> str:
    """A page in Markdown for the summary of a CI run."""
    rows = [
        [escape_markdown(pair.name), *(_both(number) for number in pair.numbers), _allowed(pair), _word(pair).lower()]
        for pair in _ordered(found)
    ]
    text = [f"# Check against reference runs: {headline(found)}"]
    text += [faults.faults_table(found.faults)] if found.faults else []
    if rows:
        titles = [f"{number.title} (reference)" for number in found.pairs[0].numbers]
        text += [pipe_table(["Run", *titles, "Allowed", "Result"], rows), f"C{_tested(found)[1:]}."]
    text += [escape_markdown(told) for told in found.contradictions]
    text += [f"Not compared: {escape_markdown(_skipped(found))}."] if found.skipped else []
    return "\n\n".join(text) + "\n"


def _tested(found: ReferenceGate) -> str:
    titles = " and ".join(found.titles)
    return f"compared: {titles} of each run; equal means to the last bit, and nothing else was looked at"


def _ordered(found: ReferenceGate) -> list[ReferencePair]:
    return sorted(found.pairs, key=lambda pair: not pair.differs)


def _word(pair: ReferencePair) -> str:
    if pair.differs:
        return "DIFFERS"
    equal = all(number.measured == number.reference for number in pair.numbers)
    return "equal" if equal else f"within {pair.allowed:g}"


def _numbers(pair: ReferencePair) -> str:
    """The metrics that differ, of a run that does not all; in full, since on the same machine the last bit counts."""
    shown = [number for number in pair.numbers if number.differs or not pair.differs]
    return f"{'; '.join(_in_words(number) for number in shown)}; allowed {_allowed(pair)}"


def _in_words(number: ComparedNumber) -> str:
    drift = number.measured - number.reference
    return f"{number.title} measured {number.measured!r}, reference {number.reference!r}, difference {drift:+.2g}"


def _both(number: ComparedNumber) -> str:
    return f"{number.measured:.4f} ({number.reference:.4f})"


def _allowed(pair: ReferencePair) -> str:
    return "none (same machine class)" if pair.same_machine else f"{pair.allowed:g} (another machine)"


def _skipped(found: ReferenceGate) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in found.skipped.items())
