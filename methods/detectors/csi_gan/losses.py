"""Adversarial losses on logits, as means over the batch, and what else CSI-GAN's networks minimise (CSI spec 7.2)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

Term = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Adversarial:
    """Losses of both sides on logits (n,) of one batch: `real` and `fake` the discriminator's, `fooling` the other's.

    Eqs. 7 and 9 are log-likelihoods of the discriminators' right answers: they ascend them, so each minimises
    -log D(x) - log(1 - D(made)); Algorithm 1 prints minimum and maximum the other way round.
    """

    real: Term
    fake: Term
    fooling: Term


def _softplus(logits: Tensor) -> Tensor:
    return F.softplus(logits).mean()


def _softplus_of_minus(logits: Tensor) -> Tensor:
    return F.softplus(-logits).mean()


ADVERSARIAL = {
    "non_saturating": Adversarial(_softplus_of_minus, _softplus, _softplus_of_minus),
    "minimax": Adversarial(_softplus_of_minus, _softplus, lambda logits: -_softplus(logits)),
    "hinge": Adversarial(
        lambda logits: F.relu(1 - logits).mean(),
        lambda logits: F.relu(1 + logits).mean(),
        lambda logits: -logits.mean(),
    ),
}
"""C12: the generator's side is -log D(made), log(1 - D(made)), or minus the logit with the discriminator's margins."""


def squared_error(outputs: Tensor, target: Tensor, reduction: str) -> Tensor:
    """Squared error, "mean" over all entries or "sum" over those of an image, then the batch mean (C13, C14)."""
    squares = (outputs - target).square().flatten(1)
    return squares.mean() if reduction == "mean" else squares.sum(1).mean()
