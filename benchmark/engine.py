"""Many fits: workers that die with their parent, claims shared with other calls, a failure that costs itself only."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import partial

from benchmark.execute import TIME_IS_OVER, Again, Machine, Outcome, execute
from benchmark.executors import LOST, Executor, Opener
from benchmark.planned import Task

POLL_SECONDS = 0.3
BUSY_SECONDS = 1.0
KILLED = "its process was killed (out of memory?): use fewer --jobs, then run again"


class Queue:
    """Tasks that wait, each behind the source that it starts from, and how those went that are over."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._waiting = list(tasks)
        self._open = {task.key for task in tasks}
        self._ended: dict[str, Outcome] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def next(self) -> Task | None:
        """Take the first task whose source is not still to be made; None where each waits for one at work."""
        ready = next((task for task in self._waiting if task.source_key not in self._open), None)
        if ready is not None:
            self._waiting.remove(ready)
        return ready

    def put_back(self, task: Task) -> None:
        self._waiting.insert(0, task)

    def drain(self) -> list[Task]:
        """Take all that wait, whatever they wait for."""
        left, self._waiting = self._waiting, []
        return left

    def take_behind(self, source: Task) -> list[Task]:
        """Take the tasks that wait for this one."""
        behind = [task for task in self._waiting if task.source_key == source.key]
        self._waiting = [task for task in self._waiting if task.source_key != source.key]
        return behind

    def end(self, task: Task, outcome: Outcome) -> None:
        self._open.discard(task.key)
        self._ended[task.key] = outcome

    def trouble(self, task: Task) -> tuple[str | None, Outcome | None]:
        """What the end of a task's source means for it: the reason why it fails, or why it cannot start at all."""
        ended = self._ended.get(task.source_key or "")
        if ended is None or ended.state in {"done", "taken"}:
            return None, None
        reason = f"the fit that it starts from: {ended.reason or ended.state}"
        if ended.state == "failed":
            return reason, None
        return None, Outcome(ended.state, TIME_IS_OVER if ended.state == "paused" else reason)


@dataclass(frozen=True)
class Engine:
    """Executes `jobs` tasks at the same time.

    `finished` hears of each, `waiting` of those that another call holds; `tick` is called while waiting.
    """

    where: Machine
    workers: Opener
    jobs: int
    again: Again
    finished: Callable[[Task, Outcome], None]
    waiting: Callable[[Task, Outcome], None]
    tick: Callable[[], None]

    def run(self, tasks: Sequence[Task]) -> None:
        """Execute every task, a source before what starts from it.

        One that another living call holds is tried again at the end, when its records may be there. A worker that is
        killed takes down the tasks then at work; these are repeated one at a time, so that only the culprit is lost.
        """
        busy = self.attempt(tasks)
        others = replace(self, again="never")
        while busy:
            until = time.monotonic() + BUSY_SECONDS
            while time.monotonic() < until:
                self.tick()
                time.sleep(POLL_SECONDS)
            busy = others.attempt(busy)

    def attempt(self, tasks: Sequence[Task]) -> list[Task]:
        """One attempt at each task; returns those that others hold, and those that wait for one of these."""
        queue = Queue(tasks)
        busy: list[Task] = []
        while queue:
            for task in self._pool(queue.next, self.jobs, queue, busy):
                if self._pool(partial(next, iter([task]), None), 1, queue, busy):
                    self._end(queue, task, Outcome("stopped", KILLED))
        return busy

    def _pool(self, take: Callable[[], Task | None], jobs: int, queue: Queue, busy: list[Task]) -> list[Task]:
        """Feed a fresh pool until `take` gives no task or a worker dies; returns the tasks in its hands then."""
        running: dict[Future[Outcome], Task] = {}
        started = False
        with self.workers(jobs) as executor:
            try:
                while True:
                    if started and self._is_late():
                        for task in queue.drain():
                            self._end(queue, task, Outcome("paused", TIME_IS_OVER))
                    while len(running) < jobs and (taken := take()) is not None:
                        started = self._start(executor, taken, queue, running) or started
                    if not running:
                        return []
                    done, _ = wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                    self.tick()
                    for future in done:
                        outcome = _outcome(future)
                        task = running.pop(future)
                        if outcome.state == "busy":
                            self.waiting(task, outcome)
                            busy += [task, *queue.take_behind(task)]
                        else:
                            self._end(queue, task, outcome)
            except BrokenProcessPool:
                return list(running.values())

    def _start(self, executor: Executor, task: Task, queue: Queue, running: dict[Future[Outcome], Task]) -> bool:
        """Hand a task to a worker; one that cannot start, for what became of its source, ends here."""
        lost_source, ended = queue.trouble(task)
        if ended is not None:
            self._end(queue, task, ended)
            return False
        try:
            future = executor.submit(execute, task, self.where, again=self.again, lost_source=lost_source)
        except BrokenProcessPool:
            queue.put_back(task)
            raise
        running[future] = task
        return True

    def _end(self, queue: Queue, task: Task, outcome: Outcome) -> None:
        queue.end(task, outcome)
        self.finished(task, outcome)

    def _is_late(self) -> bool:
        return self.where.deadline is not None and time.time() >= self.where.deadline


def _outcome(future: Future[Outcome]) -> Outcome:
    """What a worker said; an error that it did not foresee stops its own task only."""
    try:
        return future.result()
    except BrokenProcessPool:
        raise
    except Exception as error:  # noqa: BLE001 - the other tasks go on
        if type(error).__name__ in LOST:
            return Outcome("stopped", KILLED)
        return Outcome("stopped", f"{type(error).__name__}: {error}")
