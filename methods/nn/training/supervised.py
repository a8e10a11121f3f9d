"""The training of one network by one optimiser (spec 1.7)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from methods.detector import FitContext
from methods.errors import MethodError
from methods.nn.training.loop import Optimisers, TrainingLoop, TrainStep
from methods.nn.training.optimisers import new_adam

LossTerms = Callable[[int], Mapping[str, Tensor]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainParams:
    """Budget and optimiser of a detector with one network, and the images that it scores at a time.

    `budget.steps` are those of an epoch: a detector may go without, and take them from its data. A fit is not given
    `evaluation.batch`: the run then says how many images there are at a time.
    """

    budget_epochs: int
    budget_steps: int | None = None
    optim_lr: float
    optim_weight_decay: float
    optim_schedule: str
    optim_clip_norm: float | None
    evaluation_batch: int = 64


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
    def from_params(cls, params: TrainParams, steps: int | None = None) -> Self:
        """The settings with `steps` in an epoch where these follow from the data, else with `budget.steps`."""
        steps = params.budget_steps if steps is None else steps
        if steps is None:
            raise MethodError("budget.steps is none, and no data say how many steps an epoch has: give a number")
        return cls(
            epochs=params.budget_epochs,
            steps=steps,
            lr=params.optim_lr,
            weight_decay=params.optim_weight_decay,
            schedule=params.optim_schedule,
            clip_norm=params.optim_clip_norm,
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


def minimiser(module: nn.Module, loss_terms: LossTerms, settings: TrainSettings) -> tuple[Optimisers, TrainStep]:
    """Adam with betas 0.9 and 0.999 (spec 1.7), and the step under it: forward, backward, clip, update.

    The step returns the `loss` and, where there are several terms, each of them.
    """
    optimiser = new_adam(module, lr=settings.lr, weight_decay=settings.weight_decay)

    def train_step(step: int) -> Mapping[str, Tensor]:
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate(step // settings.steps)
        terms = loss_terms(step)
        loss = torch.stack([value for name, value in terms.items() if name not in settings.watched]).sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if settings.clip_norm is not None:
            nn.utils.clip_grad_norm_(module.parameters(), settings.clip_norm)
        optimiser.step()
        return {name: value.detach() for name, value in {"loss": loss, **(terms if len(terms) > 1 else {})}.items()}

    return {"adam": optimiser}, train_step


def train(
    module: nn.Module, loss_terms: LossTerms, settings: TrainSettings, context: FitContext
) -> dict[str, list[float]]:
    """Train `module` in place and return its history: per epoch the mean `loss`, and of each term where it has many.

    `loss_terms(step)` runs the forward pass of one step, counted from 0 over all epochs, and returns the named terms
    whose sum is minimised; it must depend on the step and the module alone. Raises what `TrainingLoop.run` raises.
    """
    optimisers, train_step = minimiser(module, loss_terms, settings)
    training = TrainingLoop(module, optimisers, train_step, steps=settings.steps, total=settings.total, context=context)
    return training.run()
