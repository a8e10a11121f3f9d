"""What the gate says: lines for a terminal, JUnit XML for a CI, a summary in Markdown."""

from reports.gate import Check, Gate
from reports.junit import Case, document
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
    cases = [
        Case(check.table, check.name, "failure" if check.regressed else None, *_failure(check)) for check in gate.checks
    ]
    cases += [Case("not tested", reason, "skipped", f"{count} cells") for reason, count in gate.skipped.items()]
    if not gate.checks:
        cases.insert(0, Case("check", "something to compare", "error", headline(gate)))
    return document("bench check --against published", cases, lines(gate))


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


def _failure(check: Check) -> tuple[str, str]:
    return (_numbers(check), _line(check)) if check.regressed else ("", "")


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
