"""Interface of engines, which run fits for the scheduler, and the environment of their workers.

An engine is a file of `engines` with a function `opener`.
"""

import importlib
import os
import pkgutil
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

if TYPE_CHECKING:
    from benchmark.execution.processes.far_worker import Needs

_T = TypeVar("_T")

ENGINES = "benchmark.execution.engines"

LOST = ("KilledWorker", "WorkerCrashedError", "NodeDiedError", "WorkerLostError")
"""Names of the errors by which Dask, Ray and our own workers say that a worker died."""
SCHEDULER_LOST = ("CancelledError", "FutureCancelledError", "CommClosedError", "RaySystemError", "SchedulerLostError")
"""Names of the errors that a call to a cluster ends with where its scheduler is gone."""
KEPT_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}
"""glibc settings: freed blocks stay in the process, about a tenth off a training step. No number depends on them."""
WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}
"""For OpenMP: threads that wait for others sleep. By default they spin, and take the processor from those that they
wait for: on a busy machine two threads were then four times slower than one. No number depends on it."""


class Executor(Protocol):
    """Runs calls elsewhere, `concurrent.futures` style. `lost` is what to say where no call can be run any more;
    `queues`: a call may wait for long before it starts, so that only its worker knows its own time.
    """

    lost: str
    queues: bool

    def submit(self, call: Callable[..., _T], /, *args: Any, **named: Any) -> Future[_T]: ...

    def end(self, future: Future[Any]) -> None:
        """End by force what is at work on a call."""
        ...

    def ask_to_stop(self) -> bool:
        """Ask all that are at work to save what they have and stop; whether that is possible."""
        ...


Opener = Callable[[int], AbstractContextManager[Executor]]
"""Gives an executor for a number of fits at the same time, to be used in a `with` block."""


@dataclass(frozen=True)
class EngineRequest:
    """Request to an engine: threads of a fit and its device, the address of a cluster (None: one of its own), the
    folders of results and data and what fits need, options of jobs, and a function that says a sentence to the person.
    """

    threads: int
    store: Path
    data: Path
    say: Callable[[str], None]
    needs: "Needs"
    address: str | None = None
    device: str = "cpu"
    options: Mapping[str, str] = field(default_factory=dict)


class Engine(Protocol):
    """Interface of a module of `engines`."""

    def opener(self, request: EngineRequest) -> Opener:
        """Executors for such a call."""
        ...


def engine_names() -> tuple[str, ...]:
    """Names of all engines: local first, since it is the default."""
    names = {module.name for module in pkgutil.iter_modules(importlib.import_module(ENGINES).__path__)}
    return ("local", *sorted(names - {"local"}))


def find_engine(name: str) -> Engine:
    """The engine of that name, one of `engine_names`."""
    return cast("Engine", importlib.import_module(f"{ENGINES}.{name}"))


def worker_environment(threads: int) -> dict[str, str]:
    """Environment of a worker; MALLOC_ and OMP_WAIT_POLICY variables that the user set win."""
    counts = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    return {name: os.environ.get(name, value) for name, value in (KEPT_MEMORY | WAITING).items()} | counts
