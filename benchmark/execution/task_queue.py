"""Tasks on their way through an engine."""

from collections.abc import Sequence

from benchmark.execution.processes.handover import TIME_IS_OVER, Outcome
from benchmark.planning.types import Task


class Queue:
    """Tasks that wait, each behind the source that it starts from, and the outcomes of those that are over.

    `left` are all that are not over, by key; `busy` those of them that another call has in hand.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._waiting = list(tasks)
        self._ended: dict[str, Outcome] = {}
        self._lost: dict[str, str] = {}
        self._met: set[str] = set()
        self.left = {task.key: task for task in tasks}
        self.busy: list[Task] = []

    def next(self) -> Task | None:
        """Take the first task whose source is not still to be made; None where each waits for one at work."""
        ready = next((task for task in self._waiting if task.source_key not in self.left), None)
        if ready is not None:
            self._waiting.remove(ready)
        return ready

    def put_back(self, task: Task, lost: str | None = None) -> None:
        """Let a task wait again; `lost` is why it can only fail."""
        self._waiting.insert(0, task)
        if lost is not None:
            self._lost[task.key] = lost

    def put_aside(self, task: Task) -> None:
        """Another call has this task in hand."""
        self.busy.append(task)
        self._met.add(task.key)

    def put_busy_back(self) -> None:
        self._waiting[:0] = self.busy
        self.busy = []

    def is_lost(self, task: Task) -> bool:
        return task.key in self._lost

    def was_busy(self, task: Task) -> bool:
        """True where another call had a task in hand, and may have made its records."""
        return task.key in self._met

    def end(self, task: Task, outcome: Outcome) -> None:
        self.left.pop(task.key, None)
        self._ended[task.key] = outcome

    def drain(self) -> list[Task]:
        """Take all that wait, whatever they wait for."""
        drained, self._waiting = self._waiting + self.busy, []
        self.busy = []
        return drained

    def trouble(self, task: Task) -> Outcome | None:
        """The outcome of a task that cannot be fitted, mostly that of its source; None for one that can.

        The state is `failed` where a worker is still to leave failed records.
        """
        if task.key in self._lost:
            return Outcome("failed", self._lost[task.key])
        source = self._ended.get(task.source_key or "")
        if source is None or source.state in {"done", "taken"}:
            return None
        reason = f"the fit that it starts from: {source.reason or source.state}"
        return Outcome(source.state, TIME_IS_OVER if source.state == "paused" else reason)
