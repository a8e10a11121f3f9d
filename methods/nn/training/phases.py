"""Trainings that follow one another within one fit, and its one checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from methods.detector import Checkpoint


@dataclass(frozen=True)
class Phase:
    """`methods.detector.Checkpoint` of one training among several: what another one saved is not its own.

    `earlier` is what it saves of those before it, numbers by name.
    """

    inner: Checkpoint
    name: str
    earlier: Mapping[str, list[float]] = field(default_factory=dict)

    def load(self) -> dict[str, Any] | None:
        state = self.inner.load()
        return state if state is not None and state["phase"] == self.name else None

    def save(self, state: Mapping[str, Any]) -> None:
        self.inner.save({**state, "phase": self.name, "earlier": {name: list(v) for name, v in self.earlier.items()}})

    def due(self) -> bool:
        return self.inner.due()
