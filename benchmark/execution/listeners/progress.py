"""Progress of a run on stderr: images decoded, fits done, the phase and loss of those at work, time elapsed and left.

On a terminal a live bar; elsewhere a line for each finished run, and one every half minute.
"""

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from benchmark.execution.listeners.trackers import load_trackers
from benchmark.execution.processes.handover import PROCESS, Outcome
from benchmark.planning.types import Task
from benchmark.terminal.options import note
from benchmark.terminal.progress import LINE_SECONDS, is_live, live_bar
from benchmark.terminal.time_left import TimeLeft, time_in_words
from protocols.text import first_few, plural, printable_line
from results.errors import ResultsError
from results.record import Record
from results.store import Store

STILL_SECONDS = 300.0
LISTING_SECONDS = 0.2
"""Least time between two listings of which fits have left their progress."""
WITH_RECORDS = {"done", "failed", "taken"}
"""Outcomes of tasks whose runs have records."""
NAMED_FITS = 3
"""Most fits at work that one line names."""
NAMED_RUNS = 3
"""Most runs blocked by one cause that a line names."""


class RunProgress:
    """Reads the progress files of the fits at work; `tick` redraws, `finished` counts. Both tell trackers."""

    def __init__(self, store: Store, tasks: Sequence[Task], bar: Any, trackers: Sequence[str] = ()) -> None:
        self._store = store
        self._tasks = {task.key: task for task in tasks}
        self._bar = bar
        self._started = time.monotonic()
        self._spoken = self._started
        self._all = bar.add_task("all fits", total=len(tasks), state="") if bar else None
        self._time_left = TimeLeft(len(tasks))
        self._lines: dict[str, Any] = {}
        self._awaited: dict[str, str | None] = {}
        self._moved: dict[str, tuple[tuple[int | None, int] | None, float]] = {}
        """Process and step of each fit when it was first seen there, and when that was."""
        self.done = 0
        self.troubles = 0
        self._trackers = load_trackers(trackers, store.root, self.say) if trackers else None
        self._looked = -math.inf
        self._at_work: set[str] = set()
        for key in store.fits_at_work() & self._tasks.keys():
            with contextlib.suppress(ResultsError), store.claim(key):
                pass  # takes away what a call that was killed left

    def finished(self, task: Task, outcome: Outcome) -> None:
        self._count(task, outcome)
        for text in outcome.notes:
            self.say(text)
        if not task.runs and outcome.state != "taken":
            self.say(f"{outcome.state}: {task.name}" + (f"  {outcome.reason}" if outcome.reason else ""))
        has_records = outcome.state in WITH_RECORDS
        records = [self._stored(run.spec.key) if has_records else None for run in task.runs]
        for run, record in zip(task.runs, records, strict=True):
            text = f"{outcome.state}: {run.spec.name}"
            if record and record.metrics:
                doubt = ", one score for all images" if record.has_one_score else ""
                text += f"  AUC {record.metrics.auroc:.4f}{doubt}  {record.timings.get('fit_s', 0):.0f} s"
            self.say(text + (f"  {outcome.reason}" if outcome.reason else ""))
        if self._trackers:
            self._trackers.finish(task.fit, outcome.state, filter(None, records))
        self.tick()

    def blocked(self, tasks: Sequence[Task], reason: str) -> None:
        """Tasks that one cause keeps from starting: one line, with the number of their runs and the first few names."""
        outcome = Outcome("blocked", reason)
        names = [name for task in tasks for name in ([run.spec.name for run in task.runs] or [task.name])]
        if len(names) == 1:
            self.finished(tasks[0], outcome)
            return
        for task in tasks:
            self._count(task, outcome)
        self.say(f"blocked: {plural(len(names), 'run')} ({first_few(names, NAMED_RUNS)}): {reason}")
        self.tick()

    def _count(self, task: Task, outcome: Outcome) -> None:
        """A task is over, whatever became of it."""
        self.done += 1
        self.troubles += outcome.state not in {"done", "taken", "paused"}
        self._tasks.pop(task.key, None)
        self._time_left.finish(task.key, time.monotonic(), was_worked=outcome.state == "done")
        if self._bar:
            line = self._lines.pop(task.key, None)
            if line is not None:
                self._bar.remove_task(line)

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
                line = self._bar.add_task(printable_line(what), total=total, state="") if line is None else line
                self._bar.update(line, completed=done, state=f"{done} of {total}")
                if done == total:
                    self._bar.remove_task(line)
            elif done == 1 or now - spoken > LINE_SECONDS:
                spoken = now
                self.say(f"{what}: {done} of {total}")

        return progress

    def tick(self) -> None:
        """Look at the fits at work and redraw, or say a line where none was said for long."""
        now = time.monotonic()
        if now - self._looked > LISTING_SECONDS:
            self._looked, self._at_work = now, self._store.fits_at_work()
        at_work = {
            key: (task, state)
            for key, task in self._tasks.items()
            if key in self._at_work and (state := self._state(key))
        }
        for key, (_, state) in at_work.items():
            place = (state.get(PROCESS), state["done"])
            last, moved = self._moved.get(key, (None, now))
            self._moved[key] = (place, moved if last == place else now)
            self._time_left.see(key, _share(state), now)
        if self._trackers:
            for task, state in at_work.values():
                self._trackers.see(task.fit, state)
        part = self.done + sum(_share(state) for _, state in at_work.values())
        if self._bar:
            total = self.done + len(self._tasks)
            self._bar.update(
                self._all, completed=part, state=f"{self.done} of {total}, {self._time_left.words(self._started, now)}"
            )
            for key, (task, state) in at_work.items():
                if key not in self._lines:
                    self._lines[key] = self._bar.add_task(printable_line(task.name), total=1, state="")
                self._bar.update(self._lines[key], completed=_share(state), state=printable_line(_doing(state)))
        elif now - self._spoken > LINE_SECONDS:
            self._spoken = now
            share = part / max(self.done + len(self._tasks), 1)
            doing = "; ".join(f"{task.name}: {_doing(state)}" for task, state in list(at_work.values())[:NAMED_FITS])
            self.say(
                f"{share:.0%} of all fits done, {self._time_left.words(self._started, now)}"
                + (f"; {doing}" if doing else "")
            )
            self._name_still(task for task, _ in at_work.values())

    def _state(self, key: str) -> dict[str, Any] | None:
        """The progress that a fit left last; None where it is not at work."""
        try:
            state: dict[str, Any] = json.loads(self._store.progress_path(key).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        return state

    def _name_still(self, tasks: Iterable[Task]) -> None:
        """Name the fits that have not moved for long."""
        for task in tasks:
            still = time.monotonic() - self._moved[task.key][1]
            if still > STILL_SECONDS:
                self.say(f"no progress for {time_in_words(still)}: {task.name}; --fit-timeout would bound it")

    def say(self, text: str) -> None:
        """A line on stderr, above the bar where there is one."""
        if self._bar:
            self._bar.console.print(printable_line(text), highlight=False, markup=False, soft_wrap=True)
        else:
            note(text)


def _share(state: Mapping[str, Any]) -> float:
    share: float = state["done"] / max(state["total"], 1)
    return share


def _doing(state: Mapping[str, Any]) -> str:
    """`fitting 120 of 600, loss 3.21`: the phase of a fit, its step and its last loss, as far as it tells them."""
    step = f" {state['done']} of {state['total']}" if state["total"] > 1 else ""
    loss = f", loss {state['loss']:.3g}" if isinstance(state.get("loss"), int | float) else ""
    return f"{state.get('phase', 'fitting')}{step}{loss}"


@contextlib.contextmanager
def show_progress(store: Store, tasks: Sequence[Task], trackers: Sequence[str] = ()) -> Iterator[RunProgress]:
    """A live bar on a terminal; elsewhere a line for each finished run and one every half minute.

    `trackers` are names of those that hear of the fits too.
    """
    if not is_live():
        yield RunProgress(store, tasks, None, trackers)
        return
    with live_bar() as bar:
        yield RunProgress(store, tasks, bar, trackers)
