"""Tasks on their way through an engine."""

from collections.abc import Sequence

from benchmark.execution.processes.handover import TIME_IS_OVER, Outcome
from benchmark.planning.types import Task


class Queue:
    """Tasks that wait, each behind the source that it starts from, and how those went that are over.

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
        """Whether another call had a task in hand, and may have made its records."""
        return task.key in self._met

    def end(self, task: Task, outcome: Outcome) -> None:
        self.left.pop(task.key, None)
        self._ended[task.key] = outcome

    def drain(self) -> list[Task]:
        """Take all that wait, whatever they wait for."""
        drained, self._waiting = self._waiting + self.busy, []
        self.busy = []
        return drained

    def trouble(self, task: Task) -> tuple[str | None, Outcome | None]:
        """Why a task fails without a fit, or why it cannot start at all; for the most part for what its source met."""
        if task.key in self._lost:
            return self._lost[task.key], None
        ended = self._ended.get(task.source_key or "")
        if ended is None or ended.state in {"done", "taken"}:
            return None, None
        reason = f"the fit that it starts from: {ended.reason or ended.state}"
        if ended.state == "failed":
            return reason, None
        return None, Outcome(ended.state, TIME_IS_OVER if ended.state == "paused" else reason)
