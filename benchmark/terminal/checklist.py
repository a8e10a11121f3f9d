"""Checks of something that a person wrote, one line each: what it demands, and what was seen where it fails."""

import traceback
from collections.abc import Iterable
from typing import Protocol

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


def print_checks(
    subject: str, checks: Iterable[ListedCheck], faults: tuple[type[Exception], ...], *, package: str, repair: str
) -> bool:
    """Run checks and print a line for each, then one that counts them; returns True where all hold.

    `faults` are the errors whose text says what is wrong. The line of `package` at which an error arose is named.
    `repair` is the next step, the end of the last line where a check fails.
    """
    waiting = list(checks)
    total, failed = len(waiting), 0
    while waiting:
        check = waiting.pop(0)
        fault = _fault_of(check, faults, package)
        say(f"{'holds' if fault is None else 'FAILS'}  {check.name}: {check.demand}")
        if fault is None:
            continue
        failed += 1
        say(f"       seen: {fault}")
        if check.is_needed and waiting:
            say(f"       {plural(len(waiting), 'further check')} not run, since this one must hold first")
            break
    if failed:
        say(f"{subject}: {failed} of {total} checks failed{repair}")
    else:
        say(f"{subject}: all {total} checks hold")
    return not failed


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
