"""DevNet, image version: one scoring head on the trunk, deviation loss (spec 3)."""

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
from methods.nn.training.losses import Criterion, FocalParams, ScoreLossParams
from methods.nn.training.supervised import LossTerms


@dataclass(frozen=True, slots=True, kw_only=True)
class DevNetParams(BatchParams):
    head_abs: bool
    topk_rate: float
    topk_rounding: str
    loss: ScoreLossParams
    focal: FocalParams


class DevNet(MappedDetector[DevNetParams, SingleHeadNetwork]):
    """Deviation network: normals at the mean of a Gaussian reference, anomalies `loss.margin` deviations above."""

    def __init__(self, params: Params, context: FitContext) -> None:
        super().__init__(read_params(DevNetParams, params), context)

    def new_network(self) -> SingleHeadNetwork:
        params = self.params
        pool = TopK(params.topk_rate, params.topk_rounding, params.head_abs)
        return SingleHeadNetwork(params.backbone, params.pyramid, self.context, partial(TopKHead, pool=pool))

    def loss_terms(self, data: TrainData) -> LossTerms:
        criterion = Criterion(self.params.loss, self.params.focal, self.context)
        feed = Feed(data, None, self.params.quotas, self.params.augment_rotation, self.context, "batch")

        def terms(step: int) -> dict[str, Tensor]:
            images, labels = feed.batch(step)
            scores = self.network(normalise(images)).mean(0)
            return {"score": criterion(scores, torch.from_numpy(labels == SEEN), step, "score")}

        return terms

    def scorer(self) -> Scorer:
        return lambda images, _: accumulated(self.network(normalise(images))).mean(0)

    def position_scores(self, images: Tensor) -> list[Tensor]:
        """The head's scores, as they are ranked."""
        return [head_positions(self.network.head, level) for level in self.network.maps(normalise(images))]
