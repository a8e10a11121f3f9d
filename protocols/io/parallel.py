"""Work on many files in threads, with bounded memory."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")

_WAITING = 16

Count = Callable[[int, int], None]
"""Callback: items done, items in all."""

Progress = Callable[[str, int, int], None]
"""Callback: name of the work, items done, items in all."""

Notify = Callable[[str], None]
"""Callback: one line for the person who waits."""


def default_jobs() -> int:
    """Threads for reading files: the cores that this process may use, at most eight."""
    return min(8, len(os.sched_getaffinity(0)))


def parallel(work: Callable[[_T], _R], items: Iterable[_T], jobs: int) -> Iterator[_R]:
    """`work` on each item in `jobs` threads, results in the items' order.

    Only a few items per thread are under way at once. At the first error, or when stopped, the rest is dropped.
    """
    pool = ThreadPoolExecutor(max_workers=jobs)
    pending: deque[Future[_R]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(work, item))
            if len(pending) > _WAITING * jobs:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
