"""What the next step needs, made by a thread while this one is at work."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Ahead(Generic[Made]):
    """A function of the step, which must follow from it alone; that of the step after the last is under way."""

    def __init__(self, make: Callable[[int], Made]) -> None:
        self._make = make
        self._thread = ThreadPoolExecutor(1, "ahead")
        self._coming: tuple[int, Future[Made]] | None = None

    def __call__(self, step: int) -> Made:
        """The value of `step`; raises what the function raises for it."""
        is_under_way = self._coming is not None and self._coming[0] == step
        future = self._coming[1] if self._coming is not None and is_under_way else self._thread.submit(self._make, step)
        value = future.result()
        self._coming = step + 1, self._thread.submit(self._make, step + 1)
        return value
