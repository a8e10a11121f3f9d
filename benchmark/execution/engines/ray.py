"""The workers of a Ray cluster."""

# Without the extra, pyright takes this file for ray itself.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false

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

NODE_ANSWER_SECONDS = 120
"""For a node to start a process and answer."""

_RAY_START = "ray start --head, or set RAY_AUTH_MODE=token if it asks for a token"


@dataclass(frozen=True)
class Ray:
    """The Ray cluster at the address, or one of its own on this machine."""

    request: EngineRequest

    @contextlib.contextmanager
    def __call__(self, jobs: int) -> Iterator[Executor]:
        """Each fit is given as many processors as it has threads. Raises BenchError where no cluster answers."""
        with needed("ray"):
            import ray

        threads, address = self.request.threads, self.request.address
        on_gpu = parse_device(self.request.device).traits.is_numbered
        cluster_options: dict[str, Any] = (
            {"num_cpus": jobs * threads, "include_dashboard": False} if address is None else {}
        )
        try:
            knock(address)
            ray.init(
                address=address or "local",
                logging_level=logging.CRITICAL,
                log_to_driver=False,
                runtime_env={"env_vars": worker_environment(threads)},
                **cluster_options,
            )
        except Exception as error:  # a start that takes too long raises no narrower one
            raise no_cluster("Ray cluster", address, _RAY_START, error) from error
        remote = ray.remote(num_cpus=threads, num_gpus=int(on_gpu), max_retries=0)(_called)
        executor = _RayExecutor(remote, address, ray.get_runtime_context().gcs_address)
        try:
            with contextlib.ExitStack() as stack:
                if address is not None:
                    request = self.request
                    stack.enter_context(executor.acquainted(_ask_all, request.store, request.data, request.needs))
                yield executor
        finally:
            ray.shutdown()


class _RayExecutor(ClusterExecutor):
    def __init__(self, remote: Any, address: str | None, head: str) -> None:
        super().__init__("Ray cluster", address)
        self._remote = remote
        self._head = head

    def send(self, call: Callable[..., _T], /, *args: Any, **named: Any) -> Future[_T]:
        """Raises OSError where the head of the cluster is gone."""
        knock(self._head)
        future: Future[_T] = self._remote.remote(call, args, named).future()
        return future


def opener(request: EngineRequest) -> Opener:
    """The workers of the cluster at `address`, or of one of its own."""
    return Ray(request)


def _ask_all(call: Callable[..., Any], *args: Any) -> list[Any]:
    """Let each node of the cluster that has processors make a call."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    strategies = [NodeAffinitySchedulingStrategy(node, soft=False) for node in nodes]
    calls = [
        ray.remote(num_cpus=0, max_retries=0)(_called).options(scheduling_strategy=strategy) for strategy in strategies
    ]
    answers: list[Any] = ray.get([remote.remote(call, args, {}) for remote in calls], timeout=NODE_ANSWER_SECONDS)
    return answers


def _called(call: Callable[..., _T], args: tuple[Any, ...], named: dict[str, Any]) -> _T:
    return call(*args, **named)
