"""Progress of counted work on stderr: a live bar on a terminal, elsewhere a line every half minute."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmark.terminal.options import note
from protocols.io.parallel import Progress
from protocols.text import printable_line

LINE_SECONDS = 29.0
"""Between two lines on one work, where no bar is shown; who waits looks twice a second, so that one comes in 30."""


def is_live() -> bool:
    """True where stderr is a terminal that can redraw a line."""
    return sys.stderr.isatty() and os.environ.get("TERM", "").lower() not in {"dumb", "unknown"}


@contextmanager
def show_counts() -> Iterator[Progress]:
    """A function to call with what is being done, how much of it is done and how much there is (0: not known)."""
    if not is_live():
        yield _lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:
        yield _bars(bar)


def _bars(bar: Any) -> Progress:
    tasks: dict[str, Any] = {}

    def progress(what: str, done: int, total: int) -> None:
        if what not in tasks:
            tasks[what] = bar.add_task(printable_line(what))
        bar.update(tasks[what], completed=done, total=total or None)

    return progress


def _lines() -> Progress:
    spoken = time.monotonic()

    def progress(what: str, done: int, total: int) -> None:
        nonlocal spoken
        if time.monotonic() - spoken > LINE_SECONDS:
            spoken = time.monotonic()
            note(f"{what}: {done / total:.0%}" if total else f"{what}: {done}")

    return progress
