"""MINNS: multiple-instance network; the positions of a feature map are the instances of a bag (spec 9)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.detector import FitContext, TrainData
from methods.devices import accumulated
from methods.nn.data.loader import Feed
from methods.nn.data.samplers import SEEN
from methods.nn.data.transforms import normalise
from methods.nn.mapped_detector import MappedDetector
from methods.nn.networks.single_head import SingleHeadNetwork
from methods.nn.neural_detector import Scorer
from methods.nn.params import Params, read_params
from methods.nn.supervised_params import BatchParams
from methods.nn.training.losses import bce
from methods.nn.training.supervised import LossTerms
from methods.uploads import upload

HIDDEN_CHANNELS = (256, 128, 64)


def log_mean_exp(instances: Tensor) -> Tensor:
    """log(mean(exp v)) over the positions: (B, C, h, w) -> (B, C, 1, 1)."""
    flat = instances.flatten(2)
    return (flat.logsumexp(2) - math.log(flat.shape[2]))[:, :, None, None]


POOLS: dict[str, Callable[[Tensor], Tensor]] = {
    "max": lambda instances: instances.amax((2, 3), keepdim=True),
    "mean": lambda instances: instances.mean((2, 3), keepdim=True),
    "lse": log_mean_exp,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MINNSParams(BatchParams):
    form: Literal["mi", "MI"]
    pool: str
    deep_supervision: bool
    dropout: float


class InstanceHead(nn.Module):
    """An instance network of 1x1 convolutions and a pooled classifier after its last layer, or after each.

    Form "mi" pools the logits of the instances, "MI" their features.
    """

    def __init__(self, channels: int, params: MINNSParams) -> None:
        super().__init__()
        inputs = (channels, *HIDDEN_CHANNELS[:-1])
        self.layers = nn.ModuleList(
            nn.Conv2d(wide, narrow, 1) for wide, narrow in zip(inputs, HIDDEN_CHANNELS, strict=True)
        )
        self.supervised = range(len(HIDDEN_CHANNELS)) if params.deep_supervision else range(len(HIDDEN_CHANNELS))[-1:]
        self.scores = nn.ModuleList(nn.Conv2d(HIDDEN_CHANNELS[depth], 1, 1) for depth in self.supervised)
        self.pool = POOLS[params.pool]
        self.pools_features = params.form == "MI"
        self.dropout = params.dropout

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, h, w) -> bag logits (B, classifiers); dropout draws from torch's global generator."""
        return torch.cat([self._bag(score, features) for score, features in self._scored(maps)], 1)

    def positions(self, maps: Tensor) -> Tensor:
        """(B, C, h, w) -> the logit of each instance (B, h, w), the mean over the classifiers."""
        return torch.cat([score(features) for score, features in self._scored(maps)], 1).mean(1)

    def _scored(self, maps: Tensor) -> list[tuple[nn.Module, Tensor]]:
        """Each classifier with the features of the instances that it reads."""
        depths = []
        for layer in self.layers:
            maps = F.relu(layer(maps))
            depths.append(maps)
        return [(score, depths[depth]) for score, depth in zip(self.scores, self.supervised, strict=True)]

    def _bag(self, score: nn.Module, features: Tensor) -> Tensor:
        instances = F.dropout(features, self.dropout, self.training)
        logits: Tensor = score(self.pool(instances)) if self.pools_features else self.pool(score(instances))
        return logits.flatten(1)


class MINNS(MappedDetector[MINNSParams, SingleHeadNetwork]):
    """Bag classifier by binary cross-entropy, with DevNet's batches and budget."""

    def __init__(self, params: Params, context: FitContext) -> None:
        super().__init__(read_params(MINNSParams, params), context)

    def new_network(self) -> SingleHeadNetwork:
        params = self.params
        return SingleHeadNetwork(params.backbone, params.pyramid, self.context, partial(InstanceHead, params=params))

    def loss_terms(self, data: TrainData) -> LossTerms:
        feed = Feed(data, None, self.params.quotas, self.params.augment_rotation, self.context, "batch")

        def terms(step: int) -> dict[str, Tensor]:
            images, labels = feed.batch(step)
            with self.context.seeded("dropout", step):
                logits = self.network(normalise(images)).mean(0)
            targets = upload(torch.from_numpy(labels == SEEN).to(logits.dtype), logits.device)
            return {f"bag{number}": bce(bags, targets) for number, bags in enumerate(logits.unbind(1), 1)}

        return terms

    def scorer(self) -> Scorer:
        return lambda images, _: accumulated(self.network(normalise(images))).mean((0, 2))

    def position_scores(self, images: Tensor) -> list[Tensor]:
        """The logit of each instance by itself."""
        head = cast("InstanceHead", self.network.head)
        return [head.positions(level) for level in self.network.maps(normalise(images))]
