"""What the gate says: lines for a terminal, JUnit XML for a CI, a summary in Markdown."""

import re
from xml.etree import ElementTree as ET

from reports.gate import Check, Gate
from reports.render import escape_markdown, pipe_table

NOT_COMPARABLE = (
    "cells that are not comparable with the papers are tested too: a regression may be the recipe's or the weights'"
)
ONE_SEED_RULE = "with one seed of ours, the published std stands for both sides"


def lines(gate: Gate) -> list[str]:
    """The result for stdout: what is tested, regressions first, what was not tested, the smallest drop to be seen."""
    said = [NOT_COMPARABLE] if gate.includes_not_comparable else []
    said += [_line(check) for check in sorted(gate.checks, key=lambda check: (not check.regressed, check.p_value))]
    if any(check.n == 1 for check in gate.checks):
        said.append(ONE_SEED_RULE)
    if gate.skipped:
        said.append(f"not tested: {_skipped(gate)}")
    return [*said, *_power(gate), headline(gate)]


def headline(gate: Gate) -> str:
    """The result in one line."""
    if not gate.checks:
        hint = "" if gate.includes_not_comparable or "not_comparable" not in gate.skipped else _HINT
        return f"nothing to compare with the published values{hint}"
    count = f"{len(gate.checks)} cell{'s' if len(gate.checks) > 1 else ''} tested (alpha {gate.alpha:g}, Holm)"
    if gate.regressions:
        return f"{count}: {len(gate.regressions)} below published - margin"
    return f"{count}: none below published - margin"


def junit(gate: Gate) -> str:
    """JUnit XML: one test case a tested cell, a skipped one for each reason why cells were not tested.

    Nothing to compare is an error case, so that a CI which reads only this file is not green.
    """
    empty = not gate.checks
    counts = {
        "tests": len(gate.checks) + len(gate.skipped) + empty,
        "failures": len(gate.regressions),
        "errors": int(empty),
        "skipped": len(gate.skipped),
    }
    attributes = {name: str(count) for name, count in counts.items()}
    root = ET.Element("testsuites", attributes)
    suite = ET.SubElement(root, "testsuite", {"name": "bench check --against published", **attributes})
    if empty:
        case = ET.SubElement(suite, "testcase", {"classname": "check", "name": "something to compare"})
        ET.SubElement(case, "error", {"message": headline(gate)})
    for check in gate.checks:
        case = ET.SubElement(suite, "testcase", {"classname": check.table, "name": check.name})
        if check.regressed:
            ET.SubElement(case, "failure", {"message": _clean(_numbers(check))}).text = _clean(_line(check))
    for reason, count in gate.skipped.items():
        case = ET.SubElement(suite, "testcase", {"classname": "not tested", "name": reason})
        ET.SubElement(case, "skipped", {"message": f"{count} cells"})
    ET.SubElement(suite, "system-out").text = _clean("\n".join(lines(gate)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def summary(gate: Gate) -> str:
    """A page in Markdown for the summary of a CI run."""
    rows = [
        [
            escape_markdown(f"{check.table} {check.name}"),
            f"{check.published:.{check.decimals}f}",
            f"{check.measured:.{check.decimals}f}",
            str(check.n),
            f"{check.p_value:.3f}",
            _smallest_drop(check),
            "regression" if check.regressed else "good",
        ]
        for check in sorted(gate.checks, key=lambda check: (not check.regressed, check.p_value))
    ]
    heading = ["Cell", "Published", "Measured", "Seeds", "p", "Smallest drop to be seen", "Result"]
    text = [f"# Check against the published values: {headline(gate)}"]
    text += [NOT_COMPARABLE] if gate.includes_not_comparable else []
    text += [pipe_table(heading, rows)] if rows else []
    text += [f"Not tested: {_skipped(gate)}."] if gate.skipped else []
    return "\n\n".join([*text, *_power(gate)]) + "\n"


_HINT = ": cells are measured, but not comparable; --include-not-comparable tests them all the same"


def _line(check: Check) -> str:
    word = "REGRESSION" if check.regressed else "good"
    reasons = f" (not comparable: {'; '.join(check.reasons)})" if check.reasons else ""
    return f"{word}: {check.table} {check.name}: {_numbers(check)}{reasons}"


def _numbers(check: Check) -> str:
    digits = f".{check.decimals}f"
    return (
        f"measured {check.measured:{digits}} (n = {check.n}), published {check.published:{digits}}, margin "
        f"{check.margin:{digits}}, p = {check.p_value:.3f}, smallest drop to be seen {_smallest_drop(check)}"
    )


def _power(gate: Gate) -> list[str]:
    if not gate.checks:
        return []
    by_drop = sorted(gate.checks, key=lambda check: check.smallest_drop)
    sharpest, bluntest = (f"{_smallest_drop(one)} ({one.table} {one.name})" for one in (by_drop[0], by_drop[-1]))
    return [f"smallest drop that could have been seen: {sharpest} to {bluntest}"]


def _smallest_drop(check: Check) -> str:
    return "none" if check.smallest_drop > check.published else f"{check.smallest_drop:.{check.decimals}f}"


def _skipped(gate: Gate) -> str:
    return ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in gate.skipped.items())


def _clean(text: str) -> str:
    """Text without the characters that XML cannot hold."""
    return re.sub("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text)
