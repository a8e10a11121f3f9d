"""Checkpoints in memory, for fits that are stopped and go on."""

import copy
from dataclasses import dataclass, field


@dataclass
class MemoryCheckpoint:
    """Keeps a deep copy of every state, `saved` the last; `due_at` are the calls of `due`, from 1, that answer yes."""

    saved: dict | None = None
    due_at: frozenset[int] = frozenset()
    calls: int = 0
    states: list[dict] = field(default_factory=list)

    @property
    def steps(self):
        return [state["step"] for state in self.states]

    def load(self):
        return copy.deepcopy(self.saved)

    def save(self, state):
        self.saved = copy.deepcopy(dict(state))
        self.states.append(self.saved)

    def due(self):
        self.calls += 1
        return self.calls in self.due_at


class KilledFitError(Exception):
    """A kill in the middle of a fit."""


class KilledCheckpoint(MemoryCheckpoint):
    """Dies after its save, as a killed process does."""

    def save(self, state):
        super().save(state)
        raise KilledFitError


def stopped(fit, step):
    """The checkpoint from which a fit goes on that was killed before step `step`; `fit` is given a checkpoint."""
    killed = KilledCheckpoint(due_at=frozenset({step}))
    try:
        fit(killed)
    except KilledFitError:
        return MemoryCheckpoint(saved=killed.saved)
    raise AssertionError(f"the fit had no step {step}")
