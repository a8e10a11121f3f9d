"""FLOS: DevNet's network, batches and budget with focal loss in place of the deviation loss (spec 4)."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from methods.detector import FitContext, TrainData
from methods.devices import accumulated
from methods.nn.data.loader import Feed
from methods.nn.data.samplers import SEEN
from methods.nn.data.transforms import normalise
from methods.nn.mapped_detector import MappedDetector
from methods.nn.networks.heads import TopK, TopKHead, head_positions
from methods.nn.networks.single_head import SingleHeadNetwork
from methods.nn.neural_detector import Scorer
from methods.nn.params import Params, read_params
from methods.nn.supervised_params import BatchParams
from methods.nn.training.losses import focal
from methods.nn.training.supervised import LossTerms
from methods.uploads import upload


@dataclass(frozen=True, slots=True, kw_only=True)
class FLOSParams(BatchParams):
    abs: bool
    topk_rate: float
    topk_rounding: str
    alpha: float
    gamma: float


class FLOS(MappedDetector[FLOSParams, SingleHeadNetwork]):
    """Binary classifier by focal loss: an image's logit is the mean of its highest position scores."""

    def __init__(self, params: Params, context: FitContext) -> None:
        super().__init__(read_params(FLOSParams, params), context)

    def new_network(self) -> SingleHeadNetwork:
        params = self.params
        pool = TopK(params.topk_rate, params.topk_rounding, params.abs)
        return SingleHeadNetwork(params.backbone, params.pyramid, self.context, partial(TopKHead, pool=pool))

    def loss_terms(self, data: TrainData) -> LossTerms:
        alpha, gamma = self.params.alpha, self.params.gamma
        feed = Feed(data, None, self.params.quotas, self.params.augment_rotation, self.context, "batch")

        def terms(step: int) -> dict[str, Tensor]:
            images, labels = feed.batch(step)
            logits = self.network(normalise(images)).mean(0)
            return {
                "focal": focal(
                    logits, upload(torch.from_numpy(labels == SEEN).to(logits.dtype), logits.device), alpha, gamma
                )
            }

        return terms

    def scorer(self) -> Scorer:
        return lambda images, _: accumulated(self.network(normalise(images))).mean(0)

    def position_scores(self, images: Tensor) -> list[Tensor]:
        """The head's scores, as they are ranked."""
        return [head_positions(self.network.head, level) for level in self.network.maps(normalise(images))]
