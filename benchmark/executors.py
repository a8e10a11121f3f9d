"""Where fits are handed to: processes of this machine (loky), or the workers of a Dask or Ray cluster.

Workers on other machines must see the folders of data, cache, weights and results under the same paths.
"""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from benchmark import offspring
from benchmark.errors import BenchError
from benchmark.workers import Workers

_T = TypeVar("_T")

CONNECT_SECONDS = 10
LOST = ("KilledWorker", "WorkerCrashedError", "NodeDiedError", "WorkerLostError")
"""Names of the errors by which Dask, Ray and our own workers say that a worker died."""
SCHEDULER_LOST = ("CancelledError", "FutureCancelledError", "CommClosedError", "RaySystemError")
"""Names of the errors that a call to a cluster ends with where its scheduler is gone."""
KEPT_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}
"""For glibc: what a step frees stays with the process for the next one. To take large blocks anew from the system, page
by page, cost a tenth of a training step. No number depends on it."""
WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}
"""For OpenMP: threads that wait for others sleep. By default they spin, and take the processor from those that they
wait for: on a busy machine two threads were then four times slower than one. No number depends on it."""
_RAY_START = "ray start --head, or set RAY_AUTH_MODE=token if it asks for a token"


class Executor(Protocol):
    """Runs calls elsewhere, `concurrent.futures` style. `lost` is what to say where no call can be run any more."""

    lost: str

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
class Local:
    """Worker processes of this machine, `threads` of each."""

    threads: int

    @contextlib.contextmanager
    def __call__(self, jobs: int) -> Iterator[Executor]:
        """Workers that end with this process, and all that they started; killed where the block is left by an error."""
        workers = Workers(jobs, _environment(self.threads))
        with offspring.watched(workers.mark):
            try:
                yield workers
            except BaseException:
                workers.close(kill=True)
                raise
            workers.close()


@dataclass(frozen=True)
class Dask:
    """The workers of the Dask scheduler at `address`, or of a cluster of its own on this machine.

    Dask itself lets the latter die with this process.
    """

    threads: int
    address: str | None

    @contextlib.contextmanager
    def __call__(self, jobs: int) -> Iterator[Executor]:
        """Raises BenchError where no scheduler answers, or its workers run several fits in one process."""
        with _needed("dask"):
            import dask
            from distributed import Client, LocalCluster

        with contextlib.ExitStack() as stack:
            stack.enter_context(dask.config.set({"distributed.scheduler.allowed-failures": 0}))
            stack.enter_context(_silent("distributed", "distributed.client", "distributed.utils"))
            try:
                cluster = self.address or stack.enter_context(
                    LocalCluster(
                        n_workers=jobs,
                        threads_per_worker=1,
                        memory_limit=None,
                        dashboard_address=None,
                        silence_logs=logging.CRITICAL,
                        env=_environment(self.threads),
                    )
                )
                client = stack.enter_context(Client(cluster, timeout=CONNECT_SECONDS))
            except (OSError, RuntimeError, ValueError) as error:
                raise _no_cluster("Dask scheduler", self.address, "dask scheduler", error) from error
            _check_workers(client.nthreads(), self.address)
            yield _DaskExecutor(client, self.address)


@dataclass(frozen=True)
class Ray:
    """The Ray cluster at `address`, or one of its own on this machine."""

    threads: int
    address: str | None
    on_gpu: bool

    @contextlib.contextmanager
    def __call__(self, jobs: int) -> Iterator[Executor]:
        """Each fit is given as many processors as it has threads. Raises BenchError where no cluster answers."""
        with _needed("ray"):
            import ray

        own: dict[str, Any] = (
            {"num_cpus": jobs * self.threads, "include_dashboard": False} if self.address is None else {}
        )
        try:
            _knock(self.address)
            ray.init(
                address=self.address or "local",
                logging_level=logging.CRITICAL,
                log_to_driver=False,
                runtime_env={"env_vars": _environment(self.threads)},
                **own,
            )
        except (OSError, RuntimeError, ValueError) as error:
            raise _no_cluster("Ray cluster", self.address, _RAY_START, error) from error
        remote = ray.remote(num_cpus=self.threads, num_gpus=int(self.on_gpu), max_retries=0)(_called)
        try:
            yield _RayExecutor(remote, self.address, ray.get_runtime_context().gcs_address)
        finally:
            ray.shutdown()


class _Cluster:
    """What an executor of a cluster cannot do: its fits save checkpoints only now and then."""

    def __init__(self, name: str, address: str | None) -> None:
        at = f" at {address}" if address else ""
        self.lost = f"the {name}{at} is lost: start one, then run the same command again"

    def end(self, future: Future[Any]) -> None:
        """Stop waiting: a fit that is over its time ends by itself."""
        future.cancel()

    def ask_to_stop(self) -> bool:
        return False


class _DaskExecutor(_Cluster):
    def __init__(self, client: Any, address: str | None) -> None:
        super().__init__("Dask scheduler", address)
        self._executor = client.get_executor(pure=False, retries=0)

    def submit(self, call: Callable[..., _T], /, *args: Any, **named: Any) -> Future[_T]:
        future: Future[_T] = self._executor.submit(call, *args, **named)
        return future


class _RayExecutor(_Cluster):
    def __init__(self, remote: Any, address: str | None, head: str) -> None:
        super().__init__("Ray cluster", address)
        self._remote = remote
        self._head = head

    def submit(self, call: Callable[..., _T], /, *args: Any, **named: Any) -> Future[_T]:
        """Raises OSError where the head of the cluster is gone."""
        _knock(self._head)
        future: Future[_T] = self._remote.remote(call, args, named).future()
        return future


def opener(engine: str, *, threads: int, address: str | None, device: str) -> Opener:
    """The executors of `engine`: local, dask or ray."""
    if engine == "local":
        return Local(threads)
    return Dask(threads, address) if engine == "dask" else Ray(threads, address, on_gpu=device != "cpu")


def _called(call: Callable[..., _T], args: tuple[Any, ...], named: dict[str, Any]) -> _T:
    return call(*args, **named)


def _environment(threads: int) -> dict[str, str]:
    """What workers start with; an own choice of habits stands."""
    counts = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    return {name: os.environ.get(name, value) for name, value in (KEPT_MEMORY | WAITING).items()} | counts


@contextlib.contextmanager
def _needed(extra: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise BenchError(f"the engine {extra} is not installed: pip install 'swanbench[{extra}]'") from error


@contextlib.contextmanager
def _silent(*names: str) -> Iterator[None]:
    """Keep loggers from writing tracebacks of what is told in a sentence."""
    levels = {logging.getLogger(name): logging.getLogger(name).level for name in names}
    for logger in levels:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


def _no_cluster(name: str, address: str | None, command: str, error: Exception) -> BenchError:
    if address is not None:
        return BenchError(f"no {name} answers at {address}: start one by {command}")
    said = str(error).partition("\n")[0]
    return BenchError(f"no {name} could be started on this machine ({said}): use --engine local")


def _knock(address: str | None) -> None:
    """Raise OSError where nothing listens at HOST:PORT, for which Ray itself would wait minutes."""
    import socket

    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()


def _check_workers(threads: dict[str, int], address: str | None) -> None:
    if not threads:
        raise BenchError(f"the Dask scheduler at {address} has no workers: start some by dask worker --nthreads 1")
    crowded = [worker for worker, count in threads.items() if count > 1]
    if crowded:
        text = f"the Dask worker {crowded[0]} runs several fits in one process, where they share random generators"
        raise BenchError(f"{text}: start it with --nthreads 1")
