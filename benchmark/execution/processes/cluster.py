"""Base of the executors of clusters, and errors of clusters in sentences."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from benchmark.errors import BenchError
from benchmark.execution.processes import far_fits, far_worker

CLUSTER_CONNECT_SECONDS = 10


AskAll = Callable[..., list[Any]]
"""Lets every worker make a call; gives the answers."""


class SchedulerLostError(Exception):
    """A cluster does not answer any more."""


class ClusterExecutor:
    """Executor that can neither end nor stop the fits of a cluster: these save checkpoints only now and then."""

    queues = False

    def __init__(self, name: str, address: str | None) -> None:
        at = f" at {address}" if address else ""
        self._proof: far_worker.Proof | None = None
        self._is_shared = True
        self.lost = f"the {name}{at} is lost: start one, then run the same command again"

    def send(self, call: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        """Hand a call to a worker."""
        raise NotImplementedError

    def submit(self, call: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        """Hand over a call of `worker.execute`; workers that do not share folders with this call send files back."""
        if self._proof is None:
            return self.send(call, *args, **named)
        if self._is_shared:
            return self.send(far_worker.execute_sharing, call, self._proof, *args, **named)
        return far_fits.bring_home(self.send, call, *args, **named)

    @contextlib.contextmanager
    def acquainted(self, ask_all: AskAll, store: Path, data: Path, needs: far_worker.Needs) -> Iterator[None]:
        """In the block it is known whether all workers share the folders of this call.

        Raises:
            BenchError: a worker lacks a data set or weights, or cannot be asked.
        """
        with far_fits.proof_in(store) as proof:
            try:
                is_shared = all(ask_all(far_worker.shares_folders, proof, data))
                lacking = [text for text in ask_all(far_worker.lacks, needs, data if is_shared else None) if text]
            except Exception as error:
                reason = str(error).partition("\n")[0]
                text = f"a worker cannot be asked what it has ({type(error).__name__}: {reason})"
                raise BenchError(f"{text}: install the same swanbench there") from error
            if lacking:
                raise BenchError(lacking[0])
            self._proof, self._is_shared = proof, is_shared
            yield

    def end(self, future: Future[Any]) -> None:
        """Stop waiting: a fit that is over its time ends by itself."""
        future.cancel()

    def ask_to_stop(self) -> bool:
        return False


@contextlib.contextmanager
def needed(extra: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise BenchError(f"the engine {extra} is not installed: pip install 'swanbench[{extra}]'") from error


def no_cluster(name: str, address: str | None, command: str, error: Exception) -> BenchError:
    if address is not None:
        return BenchError(f"no {name} answers at {address}: start one by {command}")
    reason = str(error).partition("\n")[0]
    return BenchError(f"no {name} could be started on this machine ({reason}): use --engine local")


def knock(address: str | None) -> None:
    """Raise OSError where nothing listens at HOST:PORT, for which Ray itself would wait minutes."""
    import socket

    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=CLUSTER_CONNECT_SECONDS).close()
