"""Checks of something that a person wrote, one line each: what it demands, and what was seen where it fails."""

import traceback
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from benchmark.terminal.options import say
from protocols.plugins import PluginError, guest_code
from protocols.text import plural


class ListedCheck(Protocol):
    """A check: `run` raises where the demand is not met. Where one that `is_needed` fails, the rest is not run."""

    @property
    def name(self) -> str: ...

    @property
    def demand(self) -> str: ...

    @property
    def is_needed(self) -> bool: ...

    def run(self) -> None: ...


@dataclass(frozen=True)
class CheckOutcome:
    """Outcome of a check: `holds`, `fails` or `not run`; `fault` says what was seen."""

    name: str
    demand: str
    outcome: str
    fault: str | None = None


def check_outcomes(
    checks: Iterable[ListedCheck], faults: tuple[type[Exception], ...], package: str
) -> Iterator[CheckOutcome]:
    """Run checks one by one, until one that is needed fails.

    `faults` are the errors whose text says what is wrong. The line of `package` at which an error arose is named.
    """
    is_over = False
    for check in checks:
        if is_over:
            yield CheckOutcome(check.name, check.demand, "not run")
            continue
        fault = _fault_of(check, faults, package)
        yield CheckOutcome(check.name, check.demand, "holds" if fault is None else "fails", fault)
        is_over = fault is not None and check.is_needed


def print_outcomes(subject: str, outcomes: Iterable[CheckOutcome], repair: str) -> bool:
    """Print a line for each outcome as it comes, then one that counts them; returns True where all checks hold.

    `repair` is the next step, the end of the last line where a check fails.
    """
    listed: list[CheckOutcome] = []
    for outcome in outcomes:
        listed.append(outcome)
        if outcome.outcome != "not run":
            say(f"{outcome.outcome}  {outcome.name}: {outcome.demand}")
        if outcome.fault is not None:
            say(f"       seen: {outcome.fault}")
    failed, waiting = (sum(outcome.outcome == word for outcome in listed) for word in ("fails", "not run"))
    if waiting:
        say(f"       {plural(waiting, 'further check')} not run, since this one must hold first")
    if failed:
        say(f"{subject}: {failed} of {len(listed)} checks failed{repair}")
    else:
        say(f"{subject}: all {len(listed)} checks hold")
    return not failed


def outcome_rows(outcomes: Iterable[CheckOutcome]) -> list[dict[str, Any]]:
    """Outcomes for programs."""
    return [asdict(outcome) for outcome in outcomes]


def _fault_of(check: ListedCheck, faults: tuple[type[Exception], ...], package: str) -> str | None:
    """The fault that a check finds; None where it holds."""
    expected: tuple[type[Exception], ...] = (*faults, PluginError)
    try:
        with guest_code(*faults):
            check.run()
    except expected as error:
        return f"{' '.join(str(error).split())}{_place_of(error, package)}"
    return None


def _place_of(error: BaseException, package: str) -> str:
    """The innermost line of `package` that an error, or its first cause, passed, as the end of a sentence; empty where
    there is none.
    """
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [
        f"{frame.f_code.co_filename}, line {number}"
        for frame, number in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__")).partition(".")[0] == package
    ]
    return f" ({lines[-1]})" if lines else ""
