"""Many fits: workers that die with their parent, claims shared with other calls, a failure that costs itself only."""

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import Any

from benchmark.execute import TIME_IS_OVER, Again, Machine, Outcome, execute
from benchmark.plan import Task

POLL_SECONDS = 0.3
BUSY_SECONDS = 1.0
KILLED = "its process was killed (out of memory?): use fewer --jobs, then run again"


@dataclass(frozen=True)
class Engine:
    """Executes tasks in `jobs` worker processes; `finished` hears of each, `tick` is called while waiting."""

    where: Machine
    jobs: int
    again: Again
    finished: Callable[[Task, Outcome], None]
    tick: Callable[[], None]

    def run(self, tasks: Sequence[Task]) -> None:
        """Execute every task.

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
        """One attempt at each task; returns those that others hold."""
        waiting = deque(tasks)
        busy: list[Task] = []
        while waiting:
            lost = self._pool(waiting, self.jobs, busy)
            for task in lost:
                if self._pool(deque([task]), 1, busy):
                    self.finished(task, Outcome("stopped", KILLED))
        return busy

    def _pool(self, waiting: deque[Task], jobs: int, busy: list[Task]) -> list[Task]:
        """Feed a fresh pool until no task waits or a worker dies; returns the tasks that were in its hands then."""
        running: dict[Future[Outcome], Task] = {}
        started = False
        with _workers(jobs, self.where.threads) as executor:
            try:
                while waiting or running:
                    if started and self._is_late():
                        while waiting:
                            self.finished(waiting.popleft(), Outcome("paused", TIME_IS_OVER))
                    while waiting and len(running) < jobs:
                        future = executor.submit(execute, waiting[0], self.where, again=self.again)
                        running[future] = waiting.popleft()
                        started = True
                    done, _ = wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                    self.tick()
                    for future in done:
                        outcome = _outcome(future)
                        task = running.pop(future)
                        if outcome.state == "busy":
                            busy.append(task)
                        else:
                            self.finished(task, outcome)
            except BrokenProcessPool:
                return list(running.values())
        return []

    def _is_late(self) -> bool:
        return self.where.deadline is not None and time.time() >= self.where.deadline


def _outcome(future: Future[Outcome]) -> Outcome:
    """What a worker said; an error that it did not foresee stops its own task only."""
    try:
        return future.result()
    except BrokenProcessPool:
        raise
    except Exception as error:  # noqa: BLE001 - the other tasks go on
        return Outcome("stopped", f"{type(error).__name__}: {error}")


@contextlib.contextmanager
def _workers(jobs: int, threads: int) -> Iterator[Any]:
    from joblib.externals.loky import ProcessPoolExecutor

    executor = ProcessPoolExecutor(
        max_workers=jobs,
        initializer=_prepare_worker,
        initargs=(os.getpid(),),
        env={
            "OMP_NUM_THREADS": str(threads),
            "MKL_NUM_THREADS": str(threads),
            "OPENBLAS_NUM_THREADS": str(threads),
        },
    )
    try:
        yield executor
    except BaseException:
        executor.shutdown(kill_workers=True)
        raise
    executor.shutdown(wait=True)


def _prepare_worker(parent: int) -> None:
    """Die with the parent, even if it is killed; leave Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)
    else:
        _watch(parent)
    if os.getppid() != parent:
        os._exit(1)


def _watch(parent: int) -> None:
    import threading

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(POLL_SECONDS)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()
