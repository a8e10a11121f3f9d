"""Progress of counted work on stderr: a live bar on a terminal, elsewhere a line every half minute."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmark.terminal.options import note
from benchmark.terminal.time_left import TimeLeft
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
    with live_bar() as bar:
        yield _bars(bar)


@contextmanager
def live_bar() -> Iterator[Any]:
    """Bars of rich on stderr, a line a task within eighty columns; each task has a text `state` behind its bar."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar
    from rich.table import Column

    columns = (
        TextColumn("{task.description}", markup=False, table_column=Column(max_width=28, no_wrap=True)),
        BarColumn(bar_width=10),
        TextColumn("{task.fields[state]}", markup=False),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        yield bar


def _bars(bar: Any) -> Progress:
    tasks: dict[str, Any] = {}
    forecasts: dict[str, TimeLeft] = {}
    started: dict[str, float] = {}

    def progress(what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if what not in tasks:
            tasks[what] = bar.add_task(printable_line(what), state="")
            forecasts[what], started[what] = TimeLeft(1), now
        if total:
            forecasts[what].see(what, done / total, now)
        amount = f"{done / total:.0%}" if total else str(done)
        state = f"{amount}, {forecasts[what].words(started[what], now)}"
        bar.update(tasks[what], completed=done, total=total or None, state=state)

    return progress


def _lines() -> Progress:
    spoken = time.monotonic()

    def progress(what: str, done: int, total: int) -> None:
        nonlocal spoken
        if time.monotonic() - spoken > LINE_SECONDS:
            spoken = time.monotonic()
            note(f"{what}: {done / total:.0%}" if total else f"{what}: {done}")

    return progress
