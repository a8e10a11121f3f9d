"""SGD with layer-wise adaptive rates, and the warm-up of CSI (CSI spec 5)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

NORM_EPS = 1e-8


def scaled_gradient(weight: Tensor, gradient: Tensor, decay: float, trust: float) -> Tensor:
    """(g + decay w) r with r = trust |w| / (|g| + decay |w| + 1e-8), and r = 1 where w or g is zero."""
    long, steep = weight.norm(), gradient.norm()
    ratio = trust * long / (steep + decay * long + NORM_EPS)
    ratio = torch.where((long > 0) & (steep > 0), ratio, torch.ones_like(ratio))
    return (gradient + decay * weight) * ratio


class LARS(torch.optim.SGD):
    """SGD with momentum on gradients that are scaled tensor by tensor, biases and batch norm included."""

    def __init__(self, params: Any, *, lr: float, momentum: float, decay: float, trust: float) -> None:
        super().__init__(params, lr=lr, momentum=momentum)
        self._decay = decay
        self._trust = trust

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override] # torch overloads it
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    weight.grad = scaled_gradient(weight, weight.grad, self._decay, self._trust)
        loss: float | None = super().step(closure)
        return loss


@dataclass(frozen=True)
class Schedule:
    """The learning rate of each step: "constant", or "warmup_cosine" over `epochs` epochs of `steps` steps."""

    kind: str
    lr: float
    epochs: int
    steps: int
    warmup: int
    factor: float

    def rate(self, step: int) -> float:
        """The rate of step `step`, from 0: the scheduler moves after each step, so it is set by the one before."""
        if self.kind == "constant":
            return self.lr
        return self.at(max(step - 1, 0) / self.steps)

    def at(self, epoch: float) -> float:
        """The rate at a fractional epoch from 0: linear up to `factor` times the first, then half a cosine."""
        if epoch <= self.warmup:
            share = epoch / self.warmup if self.warmup else 1.0
            return self.lr * (1 + (self.factor - 1) * share)
        peak = self.lr * self.factor
        return peak * 0.5 * (1 + math.cos(math.pi * (epoch - self.warmup) / self.epochs))
