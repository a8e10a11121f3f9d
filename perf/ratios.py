"""Ratios of the seconds of two ways that take turns, and the clocks by which they are taken."""

import functools
import os
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from benchmark.execution.provenance import commit

Clock = Callable[[Callable[[], object]], float]
"""Seconds that a piece of work takes."""

GOOD = frozenset({0})
BASE_VARIABLES = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True)
class MeasurePlan:
    """Rounds of each ratio after one that warms up; `is_quick`, for tests of perf itself: tiny sizes, no warming up."""

    rounds: int = 3
    is_quick: bool = False


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """A named ratio, one value a round: the seconds of `name` over those of `over`, or what `over` says in full.

    `load` is the load average of the machine over one minute when the rounds were over, at the time `measured`;
    `commit` is that of the code, with a plus sign where it had changes.
    """

    name: str
    over: str
    rounds: tuple[float, ...]
    load: float
    measured: str
    commit: str

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    @property
    def low(self) -> float:
        return min(self.rounds)

    @property
    def high(self) -> float:
        return max(self.rounds)


def make_ratio(name: str, over: str, rounds: Sequence[float]) -> Ratio:
    """The ratio with four significant digits a round, as it is measured now by this code."""
    return Ratio(
        name=name,
        over=over,
        rounds=tuple(float(f"{value:.4g}") for value in rounds),
        load=round(os.getloadavg()[0], 2),
        measured=datetime.now(UTC).isoformat(timespec="minutes"),
        commit=code_commit(),
    )


@functools.cache
def code_commit() -> str:
    """The first ten digits of the commit of this code, with a plus sign where it has changes; `unknown` without git."""
    head, has_changes = commit()
    return "unknown" if head is None else f"{head[:10]}{'+' if has_changes else ''}"


def timed_ratio(name: str, over: str, upper: Sequence[float], lower: Sequence[float]) -> Ratio:
    """The seconds of one way over those of another in each round."""
    return make_ratio(name, over, [one / other for one, other in zip(upper, lower, strict=True)])


def seconds_in_turns(
    ways: Mapping[str, Callable[[], object]], plan: MeasurePlan, clock: Clock, *, warm_up: bool = True
) -> dict[str, list[float]]:
    """Seconds of each way in each round; in a round every way has its turn. A first round may count for nothing."""
    skipped = 1 if warm_up and not plan.is_quick else 0
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(skipped + plan.rounds):
        for name, work in ways.items():
            taken = clock(work)
            if number >= skipped:
                seconds[name].append(taken)
    return seconds


def processor_seconds(work: Callable[[], object]) -> float:
    """Processor time, user and system, of all threads of this process: work of others is not in it."""
    start = time.process_time()
    work()
    return time.process_time() - start


def family_seconds(work: Callable[[], object]) -> float:
    """Processor time of this process and of those that it started and that ended during the work."""
    start = _used(resource.RUSAGE_SELF) + _used(resource.RUSAGE_CHILDREN)
    work()
    return _used(resource.RUSAGE_SELF) + _used(resource.RUSAGE_CHILDREN) - start


def children_seconds(work: Callable[[], object]) -> float:
    """Processor time of the processes that the work starts and waits for, and of theirs."""
    start = _used(resource.RUSAGE_CHILDREN)
    work()
    return _used(resource.RUSAGE_CHILDREN) - start


def elapsed_seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _used(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def run_command(
    command: Sequence[str], variables: Mapping[str, str] | None = None, *, accepted: frozenset[int] = GOOD
) -> str:
    """Standard output of a command in a process of its own, with one thread; SystemExit where it fails."""
    environment = os.environ | BASE_VARIABLES | dict(variables or {})
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in accepted:
        raise SystemExit(f"{' '.join(command)} ended with exit status {done.returncode}:\n{done.stderr}")
    return done.stdout


Ratios = Iterator[Ratio]
