"""Confinement of a detector to its own fit: of its output, its processes, its crashes."""

import contextlib
import faulthandler
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from benchmark.execution.processes import offspring

_SOON_SECONDS = 0.1


@contextlib.contextmanager
def confined_fit() -> Iterator[None]:
    """In the block stdout is stderr, for C code and child processes too; processes started in it end with it."""
    older_processes = offspring.below(os.getpid())
    sys.stdout.flush()
    stdout_copy = os.dup(1)
    os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        os.dup2(stdout_copy, 1)
        os.close(stdout_copy)
        offspring.end_below(os.getpid(), but=older_processes)


@dataclass(frozen=True)
class Watchdog:
    """Ends this process when its time is over, after it has written the tracebacks of all threads into a file.

    It is a thread in C, so that it bites where the interpreter's lock is held.
    """

    file: TextIO

    def end_at(self, time_: float) -> None:
        """Set the time, on the clock of `time.monotonic`; infinity: never."""
        faulthandler.cancel_dump_traceback_later()
        if not math.isinf(time_):
            seconds = max(_SOON_SECONDS, time_ - time.monotonic())
            faulthandler.dump_traceback_later(seconds, exit=True, file=self.file)


@contextlib.contextmanager
def crashes_told(path: Path) -> Iterator[Watchdog]:
    """A fatal signal in the block, or the watchdog, leaves tracebacks in `path`.

    The file is there as long as the block, and stays behind where the process ends in it.
    """
    was_enabled = faulthandler.is_enabled()
    with path.open("w", encoding="utf-8") as file:
        faulthandler.enable(file)
        try:
            yield Watchdog(file)
        finally:
            faulthandler.cancel_dump_traceback_later()
            faulthandler.disable()
            if was_enabled:
                faulthandler.enable()
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


@contextlib.contextmanager
def on_sigterm(call: Callable[[], None]) -> Iterator[None]:
    """In the block SIGTERM is a call, where this is the main thread: elsewhere signals are not ours."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: call())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
