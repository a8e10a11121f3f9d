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
from typing import Any

from benchmark.execute import Machine, Outcome, execute
from benchmark.plan import Task

POLL_SECONDS = 0.3
BUSY_SECONDS = 1.0

Listener = Callable[[Task, Outcome], None]


def run_all(
    tasks: Sequence[Task],
    where: Machine,
    *,
    jobs: int,
    force: bool,
    finished: Listener,
    tick: Callable[[], None],
) -> None:
    """Execute every task in one of `jobs` worker processes; `finished` hears of each, `tick` is called while waiting.

    A task that another living call holds is tried again at the end, when its records may be there. A worker that
    is killed takes down the tasks then at work; these are repeated one at a time, so that only the culprit is lost.
    """
    busy = _pass(tasks, where, jobs, force=force, finished=finished, tick=tick)
    while busy:
        until = time.monotonic() + BUSY_SECONDS
        while time.monotonic() < until:
            tick()
            time.sleep(POLL_SECONDS)
        busy = _pass(busy, where, jobs, force=False, finished=finished, tick=tick)


def _pass(
    tasks: Sequence[Task],
    where: Machine,
    jobs: int,
    *,
    force: bool,
    finished: Listener,
    tick: Callable[[], None],
) -> list[Task]:
    """One attempt at each task; returns those that others hold."""
    waiting = deque(tasks)
    busy: list[Task] = []

    def settle(task: Task, outcome: Outcome) -> None:
        if outcome.state == "busy":
            busy.append(task)
        else:
            finished(task, outcome)

    while waiting:
        lost = _pool(waiting, where, jobs, force=force, settle=settle, tick=tick)
        for task in lost:
            if _pool(deque([task]), where, 1, force=force, settle=settle, tick=tick):
                settle(
                    task,
                    Outcome("stopped", "its process was killed (out of memory?): use fewer --jobs, then run again"),
                )
    return busy


def _pool(
    waiting: deque[Task],
    where: Machine,
    jobs: int,
    *,
    force: bool,
    settle: Listener,
    tick: Callable[[], None],
) -> list[Task]:
    """Feed a fresh pool until no task waits or a worker dies; returns the tasks that were in its hands then."""
    running: dict[Future[Outcome], Task] = {}
    with _workers(jobs, where.threads) as executor:
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    task = waiting.popleft()
                    running[executor.submit(execute, task, where, force=force)] = task
                done, _ = wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                tick()
                for future in done:
                    outcome = _outcome(future)
                    settle(running.pop(future), outcome)
        except BrokenProcessPool:
            return list(running.values())
    return []


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
