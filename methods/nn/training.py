"""The one training loop of the neural detectors (spec 1.7)."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from methods.detector import DeadlineReached, FitContext
from methods.errors import MethodError
from methods.nn.values import Params, integer, number, optional_number, text

LossTerms = Callable[[int], Mapping[str, Tensor]]
REPORT_SECONDS = 1.0


@dataclass(frozen=True)
class TrainSettings:
    """Budget and optimiser: Adam with classic L2 weight decay; `clip_norm` is a global gradient norm, or None.

    `max_steps` ends the training early, in the middle of an epoch where it falls there; terms named in `watched` are
    recorded, but not minimised.
    """

    epochs: int
    steps: int
    lr: float
    weight_decay: float
    schedule: str
    clip_norm: float | None
    max_steps: int | None = None
    watched: tuple[str, ...] = ()

    @classmethod
    def from_params(cls, params: Params, steps: int | None = None) -> Self:
        """`steps` are those of an epoch where they follow from the data, and not from `budget.steps`."""
        return cls(
            epochs=integer(params, "budget.epochs"),
            steps=integer(params, "budget.steps") if steps is None else steps,
            lr=number(params, "optim.lr"),
            weight_decay=number(params, "optim.weight_decay"),
            schedule=text(params, "optim.schedule"),
            clip_norm=optional_number(params, "optim.clip_norm"),
        )

    @property
    def total(self) -> int:
        """Steps of the whole training."""
        total = self.epochs * self.steps
        return total if self.max_steps is None else min(total, self.max_steps)

    def learning_rate(self, epoch: int) -> float:
        """The rate of an epoch, counted from 0.

        "step10_start" drops at 9, 19 and "step10_end" at 10, 20 (D6, D46); "once50_start" drops at 49 alone (spec 8).
        """
        drops = {
            "step10_start": (epoch + 1) // 10,
            "step10_end": epoch // 10,
            "once50_start": int(epoch + 1 >= 50),
            "constant": 0,
        }[self.schedule]
        return self.lr * 0.1**drops


def adam(module: nn.Module, settings: TrainSettings) -> torch.optim.Adam:
    """Adam over all parameters of `module`, betas 0.9 and 0.999, eps 1e-8 (spec 1.7)."""
    return torch.optim.Adam(module.parameters(), lr=settings.lr, weight_decay=settings.weight_decay, fused=True)


def train(
    module: nn.Module, loss_terms: LossTerms, settings: TrainSettings, context: FitContext
) -> dict[str, list[float]]:
    """Train `module` in place and return its history: per epoch the mean `loss`, and of each term where it has many.

    `loss_terms(step)` runs the forward pass of one step, counted from 0 over all epochs, and returns the named terms
    whose sum is minimised; it must depend on the step and the module alone. The fit goes on from the context's
    checkpoint where there is one and ends in the same bits as an uninterrupted one. Raises DeadlineReached after
    saving a checkpoint, and MethodError where the loss is not finite.
    """
    return Training(module, loss_terms, settings, context).run()


class Training:
    """One fit under way; see `train`."""

    def __init__(self, module: nn.Module, loss_terms: LossTerms, settings: TrainSettings, context: FitContext) -> None:
        self._module = module
        self._loss_terms = loss_terms
        self._settings = settings
        self._context = context
        self._optimiser = adam(module, settings)
        self._step = 0
        self._history: dict[str, list[float]] = {}
        self._names: list[str] = []
        self._rows: list[list[float]] = []
        self._pending: list[Tensor] = []
        self._reported = time.monotonic()

    def run(self) -> dict[str, list[float]]:
        state = self._context.checkpoint.load()
        if state is not None:
            self._restore(state)
        total = self._settings.total
        self._module.train()
        while self._step < total:
            self.advance()
            if self._step % self._settings.steps == 0 or self._step == total:
                self._close_epoch(total)
            elif time.monotonic() - self._reported >= REPORT_SECONDS:
                self._report(total)
            if self._step < total:
                self._pause()
        return self._history

    def advance(self) -> None:
        """One step: forward, backward, clip, Adam."""
        for group in self._optimiser.param_groups:
            group["lr"] = self._settings.learning_rate(self._step // self._settings.steps)
        terms = self._loss_terms(self._step)
        loss = torch.stack([value for name, value in terms.items() if name not in self._settings.watched]).sum()
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self._settings.clip_norm is not None:
            nn.utils.clip_grad_norm_(self._module.parameters(), self._settings.clip_norm)
        self._optimiser.step()
        self._names = list(terms)
        self._pending.append(torch.stack([value.detach() for value in terms.values()]))
        self._step += 1

    def _settle(self) -> None:
        """Read the losses of the steps since the last reading; the only place that waits for the device."""
        if not self._pending:
            return
        rows: list[list[float]] = torch.stack(self._pending).tolist()
        self._pending.clear()
        for offset, row in enumerate(rows):
            if not all(map(math.isfinite, row)):
                step = self._step - len(rows) + offset + 1
                raise MethodError(
                    f"the loss is not finite at training step {step}: lower optim.lr, or try --precision fp32"
                )
        self._rows += rows

    def _close_epoch(self, total: int) -> None:
        self._settle()
        means = [math.fsum(column) / len(column) for column in zip(*self._rows, strict=True)]
        self._rows.clear()
        terms = dict(zip(self._names, means, strict=True))
        loss = math.fsum(value for name, value in terms.items() if name not in self._settings.watched)
        for name, value in {"loss": loss, **(terms if len(terms) > 1 else {})}.items():
            self._history.setdefault(name, []).append(value)
        self._report(total, loss=self._history["loss"][-1])

    def _report(self, total: int, **numbers: float) -> None:
        self._context.progress(self._step, total, **numbers)
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
        moments = self._optimiser.state_dict()["state"]
        self._context.checkpoint.save(
            {
                "model": self._module.state_dict(),
                "optimiser": {str(place): dict(values) for place, values in moments.items()},
                "step": self._step,
                "history": {name: list(values) for name, values in self._history.items()},
                "names": list(self._names),
                "rows": [list(row) for row in self._rows],
            }
        )

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._module.load_state_dict(state["model"])
        groups = self._optimiser.state_dict()["param_groups"]
        moments = {int(place): values for place, values in state["optimiser"].items()}
        self._optimiser.load_state_dict({"state": moments, "param_groups": groups})
        for parameter, values in self._optimiser.state.items():
            for name in ("exp_avg", "exp_avg_sq"):
                # The fused kernel walks memory: moments must lie as their parameter does.
                values[name] = torch.empty_like(parameter).copy_(values[name])
        self._step = int(state["step"])
        self._history = {name: list(values) for name, values in state["history"].items()}
        self._names = list(state["names"])
        self._rows = [list(row) for row in state["rows"]]
