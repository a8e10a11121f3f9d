"""Worker processes of this machine."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from benchmark.execution.executor import EngineRequest, Executor, Opener, worker_environment
from benchmark.execution.processes import offspring
from benchmark.execution.processes.pool import Workers


@dataclass(frozen=True)
class Local:
    """Worker processes of this machine, `threads` of each."""

    threads: int

    @contextlib.contextmanager
    def __call__(self, jobs: int) -> Iterator[Executor]:
        """Workers that end with this process, and all that they started; killed where the block is left by an error."""
        workers = Workers(jobs, worker_environment(self.threads))
        with offspring.watched(workers.mark):
            try:
                yield workers
            except BaseException:
                workers.close(kill=True)
                raise
            workers.close()


def opener(request: EngineRequest) -> Opener:
    """Worker processes of this machine with `threads` each."""
    return Local(request.threads)
