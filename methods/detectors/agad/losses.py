"""AGAD's losses: what generator and discriminator minimise on normal images and on labelled anomalies (AGAD spec 4)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.detectors.agad.discriminator import DiscriminatorOutput
from methods.detectors.agad.params import AGADParams

REAL, FAKE = 1, 0
Terms = dict[str, Tensor]

GUARDS: dict[str, Callable[[Tensor], Tensor]] = {
    "plus_1e-6": lambda value: value + 1e-6,
    "plus_1e-8": lambda value: value + 1e-8,
    "max_1e-4": lambda value: value.clamp_min(1e-4),
}
"""Guards that keep the denominators from 0 (A21)."""


@dataclass(frozen=True)
class GroupOutputs:
    """Outputs of the networks for one group: images x, xh = G(x), xhh = G(xh) where it is asked for, D(x), D(xh)."""

    x: Tensor
    xh: Tensor
    xhh: Tensor | None
    real: DiscriminatorOutput
    fake: DiscriminatorOutput


def adversarial(logits: Tensor, target: int) -> Tensor:
    """l_adv: binary cross-entropy (n,) of the decision sigmoid(logits) against a target of 1 or 0."""
    return F.softplus(-logits if target == REAL else logits)


def absolute(a: Tensor, b: Tensor, reduction: str = "mean") -> Tensor:
    """L1 distance (n,) of each pair of images, "mean" or "sum" over its entries (paper eq. 6, A16)."""
    return _reduced((a - b).abs(), reduction)


def squared(a: Tensor, b: Tensor, reduction: str = "mean") -> Tensor:
    """Squared distance (n,) of each pair of features (paper eq. 7)."""
    return _reduced((a - b).square(), reduction)


def _reduced(differences: Tensor, reduction: str) -> Tensor:
    flat = differences.flatten(1)
    return flat.mean(1) if reduction == "mean" else flat.sum(1)


@dataclass(frozen=True)
class AGADLosses:
    """The terms of both networks by name, each to be minimised, means over the images of a group.

    pushes_copies: whether G must fail on xh of normal images. pushes_anomalies: whether it must fail on anomalies.
    """

    adv: float
    con: float
    adcon: float
    lat: float
    reduction: str
    pair: str
    guard: str
    reciprocal: str
    detached: str
    pushes_copies: bool
    pushes_anomalies: bool

    @classmethod
    def from_params(cls, params: AGADParams) -> Self:
        contextual = params.loss_contextual
        return cls(
            adv=params.loss_lambda_adv,
            con=params.loss_lambda_con,
            adcon=params.loss_lambda_adcon,
            lat=params.loss_lambda_lat,
            reduction=params.loss_reduction,
            pair=params.loss_anomaly_pair,
            guard=params.loss_guard,
            reciprocal=params.loss_reciprocal,
            detached=params.loss_stop_gradient,
            pushes_copies=contextual == "on",
            pushes_anomalies=contextual != "off",
        )

    @property
    def needs_second_pass(self) -> Mapping[str, bool]:
        """Of each group, whether its losses ask for xhh."""
        literal = self.pair == "paper_literal" and self.pushes_anomalies
        return {"normal": self.pushes_copies, "anomaly": literal}

    def generator(self, group: str, outputs: GroupOutputs) -> Terms:
        """L_g: Eq. 9 on normals, the reciprocals of Eq. 10 on anomalies."""
        return self._normal(outputs) if group == "normal" else self._anomaly(outputs)

    def discriminator(self, group: str, outputs: GroupOutputs) -> Tensor:
        """L_d: normals are real and their copies are not; anomalies are not real."""
        real = adversarial(outputs.real.logits, REAL if group == "normal" else FAKE).mean()
        return real + adversarial(outputs.fake.logits, FAKE).mean() if group == "normal" else real

    def _normal(self, outputs: GroupOutputs) -> Terms:
        terms = {
            "adversarial": self.adv * adversarial(outputs.fake.logits, REAL).mean(),
            "contextual": self.con * absolute(outputs.x, outputs.xh, self.reduction).mean(),
        }
        if self.pushes_copies:
            terms["contextual_adversarial"] = -self.adcon * self._second(outputs).mean()
        return terms | {"latent": self.lat * squared(outputs.real.z, outputs.fake.z, self.reduction).mean()}

    def _anomaly(self, outputs: GroupOutputs) -> Terms:
        terms = {"anomaly_adversarial": self._inverse(self.adv, adversarial(outputs.fake.logits, FAKE))}
        if self.pushes_anomalies:
            literal = self.pair == "paper_literal"
            apart = self._second(outputs) if literal else absolute(outputs.x, outputs.xh, self.reduction)
            terms["anomaly_contextual_adversarial"] = self._inverse(self.adcon, apart)
        features = squared(outputs.real.z, outputs.fake.z, self.reduction)
        return terms | {"anomaly_latent": self._inverse(self.lat, features)}

    def _second(self, outputs: GroupOutputs) -> Tensor:
        """l_ctx (n,): the distance of xh from xhh (paper eq. 8 without its sign)."""
        if outputs.xhh is None:
            raise ValueError("this loss needs the second pass, which was not made")
        return absolute(outputs.xh.detach() if self.detached == "target" else outputs.xh, outputs.xhh, self.reduction)

    def _inverse(self, weight: float, distances: Tensor) -> Tensor:
        """The weight over l of the group's mean, or the mean over its images of the weight over l (A22)."""
        guard = GUARDS[self.guard]
        if self.reciprocal == "group_mean":
            return weight / guard(distances.mean())
        return (weight / guard(distances)).mean()


def total(terms: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(terms)).sum()
