"""Progress of a run on stderr: images decoded, fits done, the state of those at work, time left.

On a terminal a live bar; elsewhere a line for each finished run, and one every half minute.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from benchmark.execution.processes.handover import Outcome
from benchmark.planning.types import Task
from benchmark.terminal.options import note
from benchmark.terminal.progress import LINE_SECONDS
from protocols.text import printable_line
from results.errors import ResultsError
from results.record import Record
from results.store import Store

STILL_SECONDS = 300.0


class RunProgress:
    """Reads the progress files of the fits at work; `tick` redraws, `finished` counts.

    The time left is told by what was done since the start, without the part that a checkpoint of an earlier call held.
    """

    def __init__(self, store: Store, tasks: Sequence[Task], bar: Any) -> None:
        self._store = store
        self._tasks = {task.key: task for task in tasks}
        self._bar = bar
        self._started = time.monotonic()
        self._spoken = self._started
        self._all = bar.add_task("all fits", total=len(tasks)) if bar else None
        self._lines: dict[str, Any] = {}
        self._found: dict[str, float] = {}
        self._awaited: dict[str, str | None] = {}
        self._moved: dict[str, tuple[int | None, float]] = {}
        self.done = 0
        self.troubles = 0

    def finished(self, task: Task, outcome: Outcome) -> None:
        self.done += 1
        for text in outcome.notes:
            self.say(text)
        self.troubles += outcome.state not in {"done", "taken", "paused"}
        self._tasks.pop(task.key, None)
        if self._bar:
            line = self._lines.pop(task.key, None)
            if line is not None:
                self._bar.remove_task(line)
        if not task.runs and outcome.state != "taken":
            self.say(f"{outcome.state}: {task.name}" + (f"  {outcome.reason}" if outcome.reason else ""))
        for spec in (run.spec for run in task.runs):
            text = f"{outcome.state}: {spec.name}"
            record = self._stored(spec.key) if outcome.state in {"done", "taken"} else None
            if record and record.metrics:
                doubt = ", one score for all images" if record.has_one_score else ""
                text += f"  AUC {record.metrics.auroc:.4f}{doubt}  {record.timings.get('fit_s', 0):.0f} s"
            self.say(text + (f"  {outcome.reason}" if outcome.reason else ""))
        self.tick()

    def waiting(self, task: Task, outcome: Outcome) -> None:
        """Say once whose claim a task waits for."""
        if self._awaited.get(task.key) != outcome.reason:
            self._awaited[task.key] = outcome.reason
            self.say(f"waiting: {task.name}  held by {outcome.reason}")

    def given_up(self, tasks: Sequence[Task], reason: str) -> None:
        """Tasks that this call cannot do any more."""
        self.troubles += len(tasks)
        self.say(f"stopped: {reason}" + (f"; fits left undone: {len(tasks)}" if tasks else ""))

    def _stored(self, key: str) -> Record | None:
        """A record, where the folder can be read: what became of a run is no reason to end others."""
        try:
            return self._store.get(key)
        except ResultsError:
            return None

    def counting(self, what: str) -> Callable[[int, int], None]:
        """A function for work on many images to call with (done, total); it prints nothing before the first call."""
        line, spoken = None, 0.0

        def progress(done: int, total: int) -> None:
            nonlocal line, spoken
            now = time.monotonic()
            if self._bar:
                line = self._bar.add_task(printable_line(what), total=total) if line is None else line
                self._bar.update(line, completed=done)
                if done == total:
                    self._bar.remove_task(line)
            elif done == 1 or now - spoken > LINE_SECONDS:
                spoken = now
                self.say(f"{what}: {done} of {total}")

        return progress

    def tick(self) -> None:
        at_work = {}
        now = time.monotonic()
        for key, task in self._tasks.items():
            try:
                at_work[key] = (task, json.loads(self._store.progress_path(key).read_text(encoding="utf-8")))
            except (OSError, ValueError, RecursionError):
                continue
            done, moved = self._moved.get(key, (None, now))
            self._moved[key] = (at_work[key][1]["done"], moved if done == at_work[key][1]["done"] else now)
        shares: dict[str, float] = {key: state["done"] / max(state["total"], 1) for key, (_, state) in at_work.items()}
        self._found |= {key: min(share, self._found.get(key, share)) for key, share in shares.items()}
        part = sum(shares.values())
        if self._bar:
            self._bar.update(self._all, completed=self.done + part)
            for key, (task, state) in at_work.items():
                if key not in self._lines:
                    self._lines[key] = self._bar.add_task(printable_line(task.name), total=state["total"])
                self._bar.update(self._lines[key], completed=state["done"], total=state["total"])
        elif time.monotonic() - self._spoken > LINE_SECONDS:
            self._spoken = time.monotonic()
            count = max(self.done + len(self._tasks), 1)
            share, gained = (self.done + part) / count, (self.done + part - sum(self._found.values())) / count
            seconds_left = (self._spoken - self._started) * (1 - share) / gained if gained > 0 else None
            self.say(
                f"{share:.0%} of all fits done"
                + (f", about {_time(seconds_left)} left" if seconds_left is not None else "")
            )
            self._name_still(task for task, _ in at_work.values())

    def _name_still(self, tasks: Iterable[Task]) -> None:
        """Name the fits that have not moved for long."""
        for task in tasks:
            still = time.monotonic() - self._moved[task.key][1]
            if still > STILL_SECONDS:
                self.say(f"no progress for {_time(still)}: {task.name}; --fit-timeout would bound it")

    def say(self, text: str) -> None:
        """A line on stderr, above the bar where there is one."""
        if self._bar:
            self._bar.console.print(printable_line(text), highlight=False, markup=False, soft_wrap=True)
        else:
            note(text)


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


@contextmanager
def show_progress(store: Store, tasks: Sequence[Task]) -> Iterator[RunProgress]:
    """A live bar on a terminal; elsewhere a line for each finished run and one every half minute."""
    if not sys.stderr.isatty():
        yield RunProgress(store, tasks, None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:
        yield RunProgress(store, tasks, bar)
