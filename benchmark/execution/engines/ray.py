"""The workers of a Ray cluster."""

# Without the extra, pyright takes this file for ray itself.
# pyright: reportAttributeAccessIssue=false

import contextlib
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from benchmark.execution.executor import EngineRequest, Executor, Opener, worker_environment
from benchmark.execution.processes.cluster import ClusterExecutor, knock, needed, no_cluster
from methods.devices import parse_device

_T = TypeVar("_T")

_RAY_START = "ray start --head, or set RAY_AUTH_MODE=token if it asks for a token"


@dataclass(frozen=True)
class Ray:
    """The Ray cluster at `address`, or one of its own on this machine."""

    threads: int
    address: str | None
    on_gpu: bool

    @contextlib.contextmanager
    def __call__(self, jobs: int) -> Iterator[Executor]:
        """Each fit is given as many processors as it has threads. Raises BenchError where no cluster answers."""
        with needed("ray"):
            import ray

        cluster_options: dict[str, Any] = (
            {"num_cpus": jobs * self.threads, "include_dashboard": False} if self.address is None else {}
        )
        try:
            knock(self.address)
            ray.init(
                address=self.address or "local",
                logging_level=logging.CRITICAL,
                log_to_driver=False,
                runtime_env={"env_vars": worker_environment(self.threads)},
                **cluster_options,
            )
        except (OSError, RuntimeError, ValueError) as error:
            raise no_cluster("Ray cluster", self.address, _RAY_START, error) from error
        remote = ray.remote(num_cpus=self.threads, num_gpus=int(self.on_gpu), max_retries=0)(_called)
        try:
            yield _RayExecutor(remote, self.address, ray.get_runtime_context().gcs_address)
        finally:
            ray.shutdown()


class _RayExecutor(ClusterExecutor):
    def __init__(self, remote: Any, address: str | None, head: str) -> None:
        super().__init__("Ray cluster", address)
        self._remote = remote
        self._head = head

    def submit(self, call: Callable[..., _T], /, *args: Any, **named: Any) -> Future[_T]:
        """Raises OSError where the head of the cluster is gone."""
        knock(self._head)
        future: Future[_T] = self._remote.remote(call, args, named).future()
        return future


def opener(request: EngineRequest) -> Opener:
    """The workers of the cluster at `address`, or of one of its own."""
    return Ray(request.threads, request.address, on_gpu=parse_device(request.device).traits.is_numbered)


def _called(call: Callable[..., _T], args: tuple[Any, ...], named: dict[str, Any]) -> _T:
    return call(*args, **named)
