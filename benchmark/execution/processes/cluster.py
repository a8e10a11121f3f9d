"""Base of the executors of clusters, and errors of clusters in sentences."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

from benchmark.errors import BenchError

CLUSTER_CONNECT_SECONDS = 10


class ClusterExecutor:
    """Executor that can neither end nor stop the fits of a cluster: these save checkpoints only now and then."""

    queues = False

    def __init__(self, name: str, address: str | None) -> None:
        at = f" at {address}" if address else ""
        self.lost = f"the {name}{at} is lost: start one, then run the same command again"

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
