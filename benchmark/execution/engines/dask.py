"""The workers of a Dask scheduler."""

# Without the extra, pyright takes this file for dask itself.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
# With it, it takes its types for narrower than they are.
# pyright: reportPrivateImportUsage=false, reportArgumentType=false

import contextlib
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from benchmark.errors import BenchError
from benchmark.execution.executor import EngineRequest, Executor, Opener, worker_environment
from benchmark.execution.processes.cluster import CLUSTER_CONNECT_SECONDS, ClusterExecutor, needed, no_cluster

_T = TypeVar("_T")


@dataclass(frozen=True)
class Dask:
    """The workers of the Dask scheduler at the address, or of a cluster of its own on this machine.

    Dask itself lets the latter die with this process.
    """

    request: EngineRequest

    @contextlib.contextmanager
    def __call__(self, jobs: int) -> Iterator[Executor]:
        """Raises BenchError where no scheduler answers, or its workers run several fits in one process."""
        with needed("dask"):
            import dask
            from distributed import Client, LocalCluster

        address, variables = self.request.address, worker_environment(self.request.threads)
        settings = {
            "distributed.scheduler.allowed-failures": 0,
            "distributed.nanny.pre-spawn-environ": variables,  # env comes too late for malloc, Dask's own slows a step
        }
        with contextlib.ExitStack() as stack:
            stack.enter_context(dask.config.set(settings))
            stack.enter_context(_silent("distributed", "distributed.client", "distributed.utils"))
            try:
                cluster = address or stack.enter_context(
                    LocalCluster(
                        n_workers=jobs,
                        threads_per_worker=1,
                        memory_limit=None,
                        dashboard_address=None,
                        silence_logs=logging.CRITICAL,
                        env=variables,
                    )
                )
                client = stack.enter_context(Client(cluster, timeout=CLUSTER_CONNECT_SECONDS))
            except (OSError, RuntimeError, ValueError) as error:
                raise no_cluster("Dask scheduler", address, "dask scheduler", error) from error
            _check_workers(client.nthreads(), address)
            executor = _DaskExecutor(client, address)
            if address is not None:

                def ask_all(call: Callable[..., Any], *args: Any) -> list[Any]:
                    return list(client.run(call, *args).values())

                request = self.request
                stack.enter_context(executor.acquainted(ask_all, request.store, request.data, request.needs))
            yield executor


class _DaskExecutor(ClusterExecutor):
    def __init__(self, client: Any, address: str | None) -> None:
        super().__init__("Dask scheduler", address)
        self._executor = client.get_executor(pure=False, retries=0)

    def send(self, call: Callable[..., _T], /, *args: Any, **named: Any) -> Future[_T]:
        future: Future[_T] = self._executor.submit(call, *args, **named)
        return future


def opener(request: EngineRequest) -> Opener:
    """The workers of the scheduler at `address`, or of a cluster of its own."""
    return Dask(request)


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


def _check_workers(threads: dict[str, int], address: str | None) -> None:
    if not threads:
        raise BenchError(f"the Dask scheduler at {address} has no workers: start some by dask worker --nthreads 1")
    crowded = [worker for worker, count in threads.items() if count > 1]
    if crowded:
        text = f"the Dask worker {crowded[0]} runs several fits in one process, where they share random generators"
        raise BenchError(f"{text}: start it with --nthreads 1")
