"""Progress of a run on stderr: images decoded, fits done, the state of those at work, time left.

On a terminal a live bar; elsewhere a line for each finished run, and one every half minute.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from benchmark.execute import Outcome
from benchmark.options import note
from benchmark.planned import Task
from protocols.text import printable_line
from results.store import Store

LINE_SECONDS = 30.0


class Progress:
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
            record = self._store.get(spec.key) if outcome.state in {"done", "taken"} else None
            if record and record.metrics:
                text += f"  AUC {record.metrics.auroc:.4f}  {record.timings.get('fit_s', 0):.0f} s"
            self.say(text + (f"  {outcome.reason}" if outcome.reason else ""))
        self.tick()

    def waiting(self, task: Task, outcome: Outcome) -> None:
        """Say once whose claim a task waits for."""
        if self._awaited.get(task.key) != outcome.reason:
            self._awaited[task.key] = outcome.reason
            self.say(f"waiting: {task.name}  held by {outcome.reason}")

    def counting(self, what: str) -> Callable[[int, int], None]:
        """What work on many images is to call with (done, total); it says nothing before the first."""
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
        for key, task in self._tasks.items():
            try:
                at_work[key] = (task, json.loads(self._store.progress_path(key).read_text(encoding="utf-8")))
            except (OSError, ValueError, RecursionError):
                continue
        shares = {key: state["done"] / max(state["total"], 1) for key, (_, state) in at_work.items()}
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
            left = (self._spoken - self._started) * (1 - share) / gained if gained > 0 else None
            self.say(f"{share:.0%} of all fits done" + (f", about {_time(left)} left" if left is not None else ""))

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
def shown(store: Store, tasks: Sequence[Task]) -> Iterator[Progress]:
    """A live bar on a terminal; elsewhere a line for each finished run and one every half minute."""
    if not sys.stderr.isatty():
        yield Progress(store, tasks, None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:
        yield Progress(store, tasks, bar)
