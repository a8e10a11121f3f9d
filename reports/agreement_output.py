"""What the comparison with reference runs says: lines for a terminal, JUnit XML for a CI, a summary in Markdown."""

from reports.agreement import Agreement, Pair
from reports.junit import Case, document
from reports.render import escape_markdown, pipe_table


def lines(found: Agreement) -> list[str]:
    """The result for stdout: differences first, what was not compared, the headline."""
    said = [f"{'DIFFERS' if pair.differs else 'good'}: {pair.name}: {_numbers(pair)}" for pair in _ordered(found)]
    if found.skipped:
        said.append(f"not compared: {_skipped(found)}")
    return [*said, headline(found)]


def headline(found: Agreement) -> str:
    """The result in one line."""
    if not found.pairs:
        return "nothing to compare: no run has the key of a reference (bench results why says what makes a key)"
    count = f"{len(found.pairs)} run{'s' if len(found.pairs) > 1 else ''} compared with a reference"
    return f"{count}: {len(found.differing) or 'none'} differ{'s' if len(found.differing) < 2 else ''}"


def junit(found: Agreement) -> str:
    """JUnit XML: one test case a run, a skipped one for each reason; nothing to compare is an error."""
    cases = [
        Case("reference", pair.name, "failure" if pair.differs else None, _numbers(pair) if pair.differs else "")
        for pair in _ordered(found)
    ]
    cases += [Case("not compared", reason, "skipped", f"{count} runs") for reason, count in found.skipped.items()]
    if not found.pairs:
        cases.append(Case("check", "something to compare", "error", headline(found)))
    return document("bench check --against reference", cases, lines(found))


def summary(found: Agreement) -> str:
    """A page in Markdown for the summary of a CI run."""
    rows = [
        [
            escape_markdown(pair.name),
            f"{pair.reference:.4f}",
            "failed" if pair.measured is None else f"{pair.measured:.4f}",
            _allowed(pair),
            "differs" if pair.differs else "good",
        ]
        for pair in _ordered(found)
    ]
    text = [f"# Check against reference runs: {headline(found)}"]
    text += [pipe_table(["Run", "Reference", "Measured", "Allowed", "Result"], rows)] if rows else []
    text += [f"Not compared: {_skipped(found)}."] if found.skipped else []
    return "\n\n".join(text) + "\n"


def _ordered(found: Agreement) -> list[Pair]:
    return sorted(found.pairs, key=lambda pair: not pair.differs)


def _numbers(pair: Pair) -> str:
    """AUCs in full: on the same machine the last bit counts."""
    if pair.measured is None:
        return f"failed ({pair.error.strip().partition(chr(10))[0]}), reference {pair.reference!r}"
    drift = pair.measured - pair.reference
    return (
        f"measured {pair.measured!r}, reference {pair.reference!r}, difference {drift:+.2g}, allowed {_allowed(pair)}"
    )


def _allowed(pair: Pair) -> str:
    return "none (same machine class)" if pair.same_machine else f"{pair.allowed:g} (another machine)"


def _skipped(found: Agreement) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in found.skipped.items())
