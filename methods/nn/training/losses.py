"""Losses on one score an image: targets are 1 for anomalous (for g_n: normal), else 0."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.detector import FitContext
from methods.uploads import upload

DRAWS = 5000
Moments = tuple[Tensor, Tensor]


def deviation(scores: Tensor, targets: Tensor, moments: Moments, margin: float) -> Tensor:
    """Mean of (1 - y) |d| + y max(0, margin - d) with d = (score - mean) / std (paper eq. 10-11; spec 2.3)."""
    mean, std = moments
    distance = (scores - mean) / std
    return torch.where(targets > 0, (margin - distance).clamp_min(0), distance.abs()).mean()


def bce(scores: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy with the scores (B,) as logits, mean (spec 2.10)."""
    return F.binary_cross_entropy_with_logits(scores, targets)


def focal(scores: Tensor, targets: Tensor, alpha: float, gamma: float) -> Tensor:
    """Mean of alpha (1 - exp(-BCE))^gamma BCE with the scores (B,) as logits (spec 2.10)."""
    cross_entropy = F.binary_cross_entropy_with_logits(scores, targets, reduction="none")
    return (alpha * (1 - torch.exp(-cross_entropy)) ** gamma * cross_entropy).mean()


def uniform_cross_entropy(logits: Tensor) -> Tensor:
    """Mean over images of logsumexp(z) - mean(z), z (B, classes): the outlier exposure term (spec 5, D49)."""
    return (logits.logsumexp(1) - logits.mean(1)).mean()


def reference_moments(generator: torch.Generator) -> Moments:
    """Mean and standard deviation (divisor 4999) of 5000 draws of N(0, 1) (spec 2.3)."""
    draws = torch.randn(DRAWS, generator=generator, dtype=torch.float64)
    return draws.mean(), draws.std()


@dataclass(frozen=True, slots=True)
class ScoreLossParams:
    """The loss on scores, and its normal reference: drawn anew for each call, drawn once, or N(0, 1) exactly."""

    kind: str
    reference: Literal["redraw", "fixed_once", "exact"]
    margin: float


@dataclass(frozen=True, slots=True)
class FocalParams:
    """Weight and exponent of the focal loss."""

    alpha: float
    gamma: float


class Criterion:
    """The loss that the parameters name, called once for each head and step."""

    def __init__(self, loss: ScoreLossParams, focal_loss: FocalParams, context: FitContext) -> None:
        self._loss = _losses(loss.margin, focal_loss)[loss.kind]
        self._policy = loss.reference
        self._context = context

    def __call__(self, scores: Tensor, targets: Tensor, step: int, head: str) -> Tensor:
        """Mean loss of `scores` (B,) against `targets` (B,); without scores a zero that has a gradient."""
        if not scores.numel():
            return scores.sum()
        return self._loss(scores, upload(targets.to(scores.dtype), scores.device), self.moments(step, head))

    def moments(self, step: int, head: str) -> Moments:
        """Mean and std of the normal reference for one call (spec D3), CPU scalars in float64."""
        if self._policy == "exact":
            return torch.tensor(0.0, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64)
        stream, steps = (f"loss.reference.{head}", (step,)) if self._policy == "redraw" else ("loss.reference", ())
        return reference_moments(self._context.generator(stream, *steps))


def _losses(margin: float, params: FocalParams) -> dict[str, Callable[[Tensor, Tensor, Moments], Tensor]]:
    return {
        "deviation": lambda s, y, m: deviation(s, y, m, margin),
        "bce": lambda s, y, _: bce(s, y),
        "focal": lambda s, y, _: focal(s, y, params.alpha, params.gamma),
    }
