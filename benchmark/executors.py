"""Where fits are handed to: processes of this machine (loky), or the workers of a Dask or Ray cluster.

Workers on other machines must see the folders of data, cache, weights and results under the same paths.
"""

import contextlib
import ctypes
import logging
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from benchmark.errors import BenchError

_T = TypeVar("_T")

WATCH_SECONDS = 0.3
CONNECT_SECONDS = 10
LOST = ("KilledWorker", "WorkerCrashedError")
"""Names of the errors by which Dask and Ray say that a worker died; loky's ends the pool."""
KEPT_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}
"""For glibc: what a step frees stays with the process for the next one. To take large blocks anew from the system, page
by page, cost a tenth of a training step. No number depends on it."""
_RAY_START = "ray start --head, or set RAY_AUTH_MODE=token if it asks for a token"


class Executor(Protocol):
    """Runs calls elsewhere, `concurrent.futures` style."""

    def submit(self, call: Callable[..., _T], /, *args: Any, **named: Any) -> Future[_T]: ...


Opener = Callable[[int], AbstractContextManager[Executor]]
"""Gives an executor for a number of fits at the same time, to be used in a `with` block."""


@dataclass(frozen=True)
class Local:
    """Worker processes of joblib's loky, `threads` of each."""

    threads: int

    @contextlib.contextmanager
    def __call__(self, jobs: int) -> Iterator[Executor]:
        """Workers that die with this process; they are killed where the block is left by an error."""
        from joblib.externals.loky import ProcessPoolExecutor

        executor = ProcessPoolExecutor(
            max_workers=jobs, initializer=_prepare_worker, initargs=(os.getpid(),), env=_environment(self.threads)
        )
        with warnings.catch_warnings():
            # With psutil beside it loky replaces a worker that has grown, and calls it a leak: it is kept memory.
            warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given to the executor")
            try:
                yield executor
            except BaseException:
                executor.shutdown(kill_workers=True)
                raise
            executor.shutdown(wait=True)


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
            yield client.get_executor(pure=False, retries=0)


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
            yield _RayExecutor(remote)
        finally:
            ray.shutdown()


@dataclass(frozen=True)
class _RayExecutor:
    remote: Any

    def submit(self, call: Callable[..., _T], /, *args: Any, **named: Any) -> Future[_T]:
        future: Future[_T] = self.remote.remote(call, args, named).future()
        return future


def opener(engine: str, *, threads: int, address: str | None, device: str) -> Opener:
    """The executors of `engine`: local, dask or ray."""
    if engine == "local":
        return Local(threads)
    return Dask(threads, address) if engine == "dask" else Ray(threads, address, on_gpu=device != "cpu")


def _called(call: Callable[..., _T], args: tuple[Any, ...], named: dict[str, Any]) -> _T:
    return call(*args, **named)


def _environment(threads: int) -> dict[str, str]:
    """What workers start with; an own choice of memory habits stands."""
    counts = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    return {name: os.environ.get(name, value) for name, value in KEPT_MEMORY.items()} | counts


@contextlib.contextmanager
def _needed(extra: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise BenchError(f"the engine {extra} is not installed: pip install 'swanbench[{extra}]'") from error


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
            time.sleep(WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()
