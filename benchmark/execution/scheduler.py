"""Many fits: workers that die with their parent, claims shared with other calls, a failure that costs itself only."""

import json
import math
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from typing import Protocol

from benchmark.execution import faults
from benchmark.execution.executor import LOST, SCHEDULER_LOST, Executor, Opener
from benchmark.execution.processes.handover import (
    GRACE_SECONDS,
    PATIENCE,
    START_SECONDS,
    TIME_IS_OVER,
    Again,
    Machine,
    Outcome,
    outcome_elsewhere,
)
from benchmark.execution.task_queue import Queue
from benchmark.execution.worker import execute
from benchmark.planning.types import Task
from benchmark.terminal.signals import Terminated
from results.errors import ResultsError
from results.store import Store

POLL_SECONDS = 0.3
BUSY_SECONDS = 1.0
KILL_SECONDS = 5.0
"""A fit that is over its time ends its process; one that cannot even do that is killed this much later."""
NOT_SAVED = "it was ended before it could save a checkpoint; the same command starts from the last one"


class Listener(Protocol):
    """Hears of the outcomes of tasks, `waiting` of those that another call holds; `tick` is called while waiting."""

    def finished(self, task: Task, outcome: Outcome) -> None: ...

    def waiting(self, task: Task, outcome: Outcome) -> None: ...

    def given_up(self, tasks: list[Task], reason: str) -> None: ...

    def say(self, text: str) -> None: ...

    def tick(self) -> None: ...


@dataclass(frozen=True)
class Handed:
    """A task at a worker, and the end of its time on the clock of `time.monotonic`."""

    task: Task
    until: float


@dataclass(frozen=True)
class Death:
    """End of the worker of a task; `is_own`: the task itself caused it."""

    task: Task
    reason: str
    is_own: bool


class CallOverError(Exception):
    """No task can come to anything any more: the disk is full, or the workers are gone."""


@dataclass(frozen=True)
class Scheduler:
    """Executes `jobs` tasks at the same time, until `deadline` on the clock of `time.monotonic`."""

    machine: Machine
    workers: Opener
    jobs: int
    again: Again
    listener: Listener
    deadline: float | None = None

    def run(self, tasks: list[Task]) -> None:
        """Execute every task, a source before what starts from it.

        One that another living call holds is tried again at the end, when its records may be there. One whose worker
        dies is tried a second time, alone. Raises Terminated, after those at work were given time to save checkpoints.
        """
        queue = Queue(tasks)
        try:
            with self.workers(self.jobs) as executor:
                while queue.left:
                    for death in self._work(executor, queue, queue.next, self.jobs):
                        self._try_alone(executor, queue, death.task)
                    self._wait_for_others(queue)
        except CallOverError as over:
            self.listener.given_up(list(queue.left.values()), str(over))

    def _try_alone(self, executor: Executor, queue: Queue, task: Task) -> None:
        """The second try of a task whose worker died. If it dies again, a third writes down that the task failed."""
        if self._is_late():
            self._end(queue, task, Outcome("paused", TIME_IS_OVER))
            return
        untried = [task]
        for death in self._work(executor, queue, lambda: untried.pop() if untried else None, 1):
            if death.is_own and not queue.is_lost(task):
                queue.put_back(task, f"{death.reason}, in both of two tries")
            else:
                self._end(queue, task, Outcome("stopped", death.reason))

    def _work(self, executor: Executor, queue: Queue, take: Callable[[], Task | None], jobs: int) -> list[Death]:
        """Hand out tasks until `take` gives none."""
        running: dict[Future[Outcome], Handed] = {}
        deaths: list[Death] = []
        started = False
        try:
            while True:
                if started and self._is_late():
                    self._pause(queue)
                while len(running) < jobs and (task := take()) is not None:
                    started = self._start(executor, task, queue, running) or started
                if not running:
                    return deaths
                done, _ = wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                self.listener.tick()
                for future in done:
                    deaths += self._take_in(executor, queue, future, running.pop(future))
                for future, handed in running.items():
                    if time.monotonic() > handed.until and time.monotonic() > handed.until + self._patience(
                        handed.task
                    ):
                        executor.end(future)
        except (Terminated, CallOverError) as ended:
            self._let_them_save(executor, queue, running, str(ended))
            raise

    def _start(self, executor: Executor, task: Task, queue: Queue, running: dict[Future[Outcome], Handed]) -> bool:
        """Hand a task to a worker; one that cannot start, or that another call has or had in hand, stays here."""
        trouble = queue.trouble(task)
        if trouble is not None and trouble.state != "failed":
            self._end(queue, task, trouble)
            return False
        if elsewhere := self._elsewhere(task, queue):
            self._put_by(queue, task, elsewhere)
            return False
        now = time.monotonic()
        machine = (
            self.machine if self.deadline is None else replace(self.machine, seconds=max(0.0, self.deadline - now))
        )
        again: Again = "never" if queue.was_busy(task) else self.again
        try:
            future = executor.submit(execute, task, machine, again=again, failure=trouble and trouble.reason)
        except (OSError, RuntimeError) as error:
            queue.put_back(task)
            raise CallOverError(executor.lost) from error
        call_seconds = math.inf if machine.seconds is None else machine.seconds
        own_seconds = math.inf
        if machine.fit_seconds is not None and not executor.queues:
            own_seconds = machine.fit_seconds + START_SECONDS
        running[future] = Handed(task, now + min(call_seconds + START_SECONDS, own_seconds) + KILL_SECONDS)
        return True

    def _elsewhere(self, task: Task, queue: Queue) -> Outcome | None:
        """Outcome of a task that needs no worker now: another call made its records, or is at work on it.

        What cannot be looked at here is for a worker to say.
        """
        store = Store(self.machine.store)
        try:
            with store.claim(task.key) as is_free:
                holder = None if is_free else str(store.holder(task.key))
            if self.again == "never" or (queue.was_busy(task) and is_free):
                stored = [store.get(run.spec.key) for run in task.runs]
                if stored and all(stored) and not task.is_for_others:
                    return outcome_elsewhere(stored)
        except ResultsError:
            return None
        return Outcome("busy", holder) if holder is not None else None

    def _put_by(self, queue: Queue, task: Task, outcome: Outcome) -> None:
        """Let a task that another call holds wait, and end any other."""
        if outcome.state == "busy":
            self.listener.waiting(task, outcome)
            queue.put_aside(task)
        else:
            self._end(queue, task, outcome)

    def _patience(self, task: Task) -> float:
        """Seconds that a task may take to stop when its time is over, as its worker says."""
        try:
            progress = json.loads(Store(self.machine.store).progress_path(task.key).read_text(encoding="utf-8"))
            return float(progress[PATIENCE])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return GRACE_SECONDS

    def _take_in(self, executor: Executor, queue: Queue, future: Future[Outcome], handed: Handed) -> list[Death]:
        """Take the outcome of a task or the death of its worker; an unforeseen error stops its own task only."""
        task = handed.task
        try:
            outcome = future.result()
        except Exception as error:
            name, dump = type(error).__name__, Store(self.machine.store).crash_dump(task.key)
            if time.monotonic() >= handed.until or faults.is_dumped_late(dump):
                self._end_late(queue, task)
                return []
            if name in SCHEDULER_LOST:
                raise CallOverError(executor.lost) from error
            if name in LOST:
                code = getattr(error, "code", None)
                if code is None:
                    code = faults.dumped_signal(dump)
                return [Death(task, faults.ending_text(code), is_own=not faults.is_from_outside(code))]
            outcome = Outcome("stopped", f"{name}: {error}")
        self._put_by(queue, task, outcome)
        if outcome.is_disk_full:
            raise CallOverError("nothing more can be written")
        return []

    def _end_late(self, queue: Queue, task: Task) -> None:
        """A task that did not stop when its time was over."""
        if not self._is_late() and not queue.is_lost(task):
            queue.put_back(task, f"{self.machine.fit_over} and did not stop by itself")
            return
        dump = Store(self.machine.store).crash_path(task.key)
        hint = f" (where it was: {dump})" if dump.exists() else ""
        reason = f"it did not stop when the time given with --max-time was over{hint}; {NOT_SAVED}"
        self._end(queue, task, Outcome("stopped", reason))

    def _let_them_save(
        self, executor: Executor, queue: Queue, running: dict[Future[Outcome], Handed], why: str
    ) -> None:
        """Give the fits at work the time to save checkpoints, and no more."""
        if not running or not executor.ask_to_stop():
            return
        self.listener.say(f"{why}: fits at work save checkpoints, for at most {GRACE_SECONDS:.0f} s")
        done, _ = wait(running, timeout=GRACE_SECONDS)
        for future, handed in running.items():
            saved = future in done and future.exception() is None
            self._end(queue, handed.task, future.result() if saved else Outcome("paused", NOT_SAVED))

    def _wait_for_others(self, queue: Queue) -> None:
        """Wait a moment for the calls that have tasks in hand, and let these be tried again."""
        if not queue.busy:
            return
        until = time.monotonic() + BUSY_SECONDS
        while time.monotonic() < until and not self._is_late():
            self.listener.tick()
            time.sleep(POLL_SECONDS)
        if self._is_late():
            self._pause(queue)
        queue.put_busy_back()

    def _pause(self, queue: Queue) -> None:
        busy = [task.key for task in queue.busy]
        for task in queue.drain():
            reason = f"another call has it in hand; {TIME_IS_OVER}" if task.key in busy else TIME_IS_OVER
            self._end(queue, task, Outcome("paused", reason))

    def _end(self, queue: Queue, task: Task, outcome: Outcome) -> None:
        queue.end(task, outcome)
        self.listener.finished(task, outcome)

    def _is_late(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline
