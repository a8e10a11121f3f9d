"""Detectors with one logit a class, the label being the class: heads and anomaly scores (spec 2.8, 5)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from methods.devices import accumulated
from methods.errors import MethodError
from methods.nn.data.samplers import NORMAL, PSEUDO, SEEN
from methods.nn.data.transforms import normalise
from methods.nn.mapped_detector import MappedDetector
from methods.nn.networks.heads import TopK
from methods.nn.networks.single_head import SingleHeadNetwork
from methods.nn.neural_detector import Scorer
from methods.nn.supervised_params import PseudoParams

N_CLASSES = len((NORMAL, SEEN, PSEUDO))


class TopKClassHead(nn.Module):
    """1x1 convolution to a logit for each class and position; of each class the mean of its K largest."""

    def __init__(self, channels: int, pool: TopK) -> None:
        super().__init__()
        self.score = nn.Conv2d(channels, N_CLASSES, 1)
        self.pool = pool

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, h, w) -> logits (B, classes)."""
        logits = self.score(maps)
        return self.pool(logits.flatten(0, 1).unsqueeze(1)).reshape(logits.shape[:2])


class PooledClassHead(nn.Module):
    """Global average pooling, then one linear layer."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Linear(channels, N_CLASSES)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, h, w) -> logits (B, classes)."""
        logits: Tensor = self.score(maps.mean((2, 3)))
        return logits


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassParams(PseudoParams):
    """Head and score of a classifier of normal, seen and pseudo anomalies."""

    head: Literal["topk_conv", "gap_linear"]
    score: str
    head_abs: bool
    topk_rate: float
    topk_rounding: str


def class_head(channels: int, params: ClassParams) -> nn.Module:
    """The head that the parameter `head` names: topk_conv or gap_linear (spec 2.8, 5; D48, D56)."""
    if params.head == "gap_linear":
        return PooledClassHead(channels)
    return TopKClassHead(channels, TopK(params.topk_rate, params.topk_rounding, params.head_abs))


def abnormal_probability(logits: Tensor) -> Tensor:
    """1 - p(normal) of logits (B, classes), as the sum of the other probabilities: exact also near 0."""
    others = torch.cat([logits[:, :NORMAL], logits[:, NORMAL + 1 :]], 1)
    return (others.logsumexp(1) - logits.logsumexp(1)).exp()


def logit_margin(logits: Tensor) -> Tensor:
    """max(z_seen, z_pseudo) - z_normal of logits (B, classes)."""
    return torch.maximum(logits[:, SEEN], logits[:, PSEUDO]) - logits[:, NORMAL]


def log_odds(logits: Tensor) -> Tensor:
    """For logits (B, classes) log p(seen) + log p(pseudo) - 2 log p(normal): the normaliser cancels (spec 2.8)."""
    return logits[:, SEEN] + logits[:, PSEUDO] - 2 * logits[:, NORMAL]


CLASS_SCORES: dict[str, Callable[[Tensor], Tensor]] = {
    "one_minus_normal": abnormal_probability,
    "logit_margin": logit_margin,
    "log_odds": log_odds,
}


ClassFields = TypeVar("ClassFields", bound=ClassParams)


class ClassDetector(MappedDetector[ClassFields, SingleHeadNetwork]):
    """A trunk and a head of classes; a detector adds the losses."""

    def new_network(self) -> SingleHeadNetwork:
        params = self.params
        return SingleHeadNetwork(params.backbone, params.pyramid, self.context, partial(class_head, params=params))

    def logits(self, images: Tensor) -> Tensor:
        """Images (B, S, S, C) uint8 -> logits (B, classes), the mean over the levels."""
        logits: Tensor = self.network(normalise(images)).mean(0)
        return logits

    def scorer(self) -> Scorer:
        score = CLASS_SCORES[self.params.score]
        return lambda images, _: score(accumulated(self.logits(images)))

    def position_scores(self, images: Tensor) -> list[Tensor]:
        """The score of each position's logits; MethodError where the head has none."""
        head = self.network.head
        if not isinstance(head, TopKClassHead):
            raise MethodError(
                "a head after global average pooling has no heat map: leave it out, or set head to topk_conv"
            )
        score = CLASS_SCORES[self.params.score]
        logits = [head.score(level).movedim(1, -1) for level in self.network.maps(normalise(images))]
        return [score(level.flatten(0, 2)).reshape(level.shape[:3]) for level in logits]
