"""The one training loop: one optimiser or several that take turns, one history, one checkpoint."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from methods.detector import DeadlineReached, FitContext
from methods.errors import MethodError

REPORT_SECONDS = 1.0
Optimisers = Mapping[str, torch.optim.Optimizer]
TrainStep = Callable[[int], Mapping[str, Tensor]]


class TrainingLoop:
    """A fit of `total` steps in epochs of `steps`, each of which updates the networks by itself.

    `train_step(step)`, step from 0 over all epochs, runs one and returns its losses, detached, by name, `loss` among
    them; what it does must follow from the step, `network` and `optimisers` alone, which are what a checkpoint holds.
    Learning rates are not part of it: `train_step` sets them. The fit goes on from the context's checkpoint where there
    is one and ends in the same bits as an uninterrupted one.
    """

    def __init__(
        self,
        network: nn.Module,
        optimisers: Optimisers,
        train_step: TrainStep,
        *,
        steps: int,
        total: int,
        context: FitContext,
    ) -> None:
        self._network = network
        self._optimisers = optimisers
        self._train_step = train_step
        self._steps = steps
        self._total = total
        self._context = context
        self._step = 0
        self._history: dict[str, list[float]] = {}
        self._rows: list[dict[str, float]] = []
        self._pending: list[Mapping[str, Tensor]] = []
        self._reported = time.monotonic()

    def run(self) -> dict[str, list[float]]:
        """The history: of each loss its mean over every epoch in which it fell.

        Raises DeadlineReached after saving a checkpoint, and MethodError where a loss is not finite.
        """
        state = self._context.checkpoint.load()
        if state is not None:
            self._restore(state)
        self._network.train()
        while self._step < self._total:
            self._pending.append(self._train_step(self._step))
            self._step += 1
            if self._step % self._steps == 0 or self._step == self._total:
                self._close_epoch()
            elif time.monotonic() - self._reported >= REPORT_SECONDS:
                self._report()
            if self._step < self._total:
                self._pause()
        return self._history

    def _settle(self) -> None:
        """Read the losses of the steps since the last reading; the only place that waits for the device."""
        if not self._pending:
            return
        flat = iter(torch.stack([value for row in self._pending for value in row.values()]).tolist())
        rows = [{name: next(flat) for name in row} for row in self._pending]
        self._pending.clear()
        for offset, row in enumerate(rows):
            wrong = [name for name, value in row.items() if not math.isfinite(value)]
            if wrong:
                step = self._step - len(rows) + offset + 1
                raise MethodError(
                    f"the loss is not finite at training step {step} ({', '.join(wrong)}): "
                    "lower the learning rate, or try --precision fp32"
                )
        self._rows += rows

    def _close_epoch(self) -> None:
        self._settle()
        for name in dict.fromkeys(name for row in self._rows for name in row):
            values = [row[name] for row in self._rows if name in row]
            self._history.setdefault(name, []).append(math.fsum(values) / len(values))
        self._rows.clear()
        self._report(loss=self._history["loss"][-1])
        if self._context.epoch_done is not None:
            self._context.epoch_done()
            self._network.train()

    def _report(self, **numbers: float) -> None:
        self._context.progress(self._step, self._total, **numbers)
        self._reported = time.monotonic()

    def _pause(self) -> None:
        deadline = self._context.deadline
        late = deadline is not None and time.monotonic() >= deadline
        if late or self._context.checkpoint.due():
            self._save()
        if late:
            raise DeadlineReached(f"the time was up after {self._step} training steps")

    def _save(self) -> None:
        self._settle()
        self._context.checkpoint.save(
            {
                "model": self._network.state_dict(),
                "optimisers": {name: _moments(optimiser) for name, optimiser in self._optimisers.items()},
                "step": self._step,
                "history": {name: list(values) for name, values in self._history.items()},
                "rows": [dict(row) for row in self._rows],
            }
        )

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._network.load_state_dict(state["model"])
        for name, optimiser in self._optimisers.items():
            _set_moments(optimiser, state["optimisers"][name])
        self._step = int(state["step"])
        self._history = {name: list(values) for name, values in state["history"].items()}
        self._rows = [dict(row) for row in state["rows"]]


def _moments(optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    return {str(number): dict(values) for number, values in optimiser.state_dict()["state"].items()}


def _set_moments(optimiser: torch.optim.Optimizer, saved: Mapping[str, Any]) -> None:
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": {int(p): values for p, values in saved.items()}, "param_groups": groups})
    for parameter, values in optimiser.state.items():
        for name, value in values.items():
            # Fused kernels walk memory: moments must lie as their parameter does.
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                values[name] = torch.empty_like(parameter).copy_(value)
