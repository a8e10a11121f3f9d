"""CSI: contrastive learning on distributionally shifted instances (spec csi_gan, part I)."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from methods.detector import FitContext, TrainData
from methods.detectors.csi.base import (
    ContrastiveDetector,
    CSILoss,
    feature_network,
    feature_optimiser,
    feature_schedule,
    minimise,
)
from methods.detectors.csi.encoder import FeatureNetwork
from methods.detectors.csi.memory_bank import MemoryBank, ShiftFeatures
from methods.detectors.csi.params import ContrastiveParams
from methods.detectors.csi.views import AugmentationDraw
from methods.nn.data.epochs import ShuffledEpochs
from methods.nn.params import Params, read_params
from methods.nn.training.loop import Optimisers, TrainStep


@dataclass(frozen=True, slots=True, kw_only=True)
class CSIParams(ContrastiveParams):
    score_classifier: str


class CSI(ContrastiveDetector[CSIParams, FeatureNetwork]):
    """SimCLR in which shifted instances are negatives, with a classifier of the shift; nearest-neighbour score."""

    def __init__(self, params: Params, context: FitContext) -> None:
        super().__init__(read_params(CSIParams, params), context)

    def new_network(self, channels: int) -> FeatureNetwork:
        return feature_network(self.params, self.context, channels, self.views.shifts)

    def features_of(self, network: FeatureNetwork) -> FeatureNetwork:
        return network

    def fit(self, data: TrainData) -> None:
        """The history also has the training means of the right-class logits, which the score divides by."""
        super().fit(data)
        means = self.bank.features.logits.mean(0).tolist()
        self.history |= {f"right_logit_{shift}": [mean] for shift, mean in enumerate(means)}

    def training_steps(self, data: TrainData, passes: ShuffledEpochs) -> tuple[Optimisers, TrainStep]:
        network, loss = self.network, CSILoss.from_params(self.views, self.params)
        optimiser, schedule = feature_optimiser(network, self.params), feature_schedule(self.params, passes.steps)

        def train_step(step: int) -> Mapping[str, Tensor]:
            draw = AugmentationDraw(self.context, "csi", (step,))
            terms = loss(network, self.views.base(data.normal, passes.take(step), 2, draw), draw)
            return minimise(terms, optimiser, schedule.rate(step))

        return {"features": optimiser}, train_step

    def score_of(self, bank: MemoryBank, features: ShiftFeatures) -> Tensor:
        return bank.csi_scores(features, self.params.score_classifier)
