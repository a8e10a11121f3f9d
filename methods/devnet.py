"""DevNet, image version: one scoring head on the trunk, deviation loss (spec 3)."""

import torch
from torch import Tensor, nn

from methods.detector import FitContext, TrainData
from methods.nn.augment import normalise
from methods.nn.backbone import CHANNELS
from methods.nn.batches import SEEN, Quotas
from methods.nn.feed import Feed
from methods.nn.heads import TopK, TopKHead
from methods.nn.losses import Criterion
from methods.nn.neural import NeuralDetector, Scorer
from methods.nn.pyramid import Pyramid, PyramidTrunk
from methods.nn.training import LossTerms
from methods.nn.values import Params, integer, number, text


class DevNetNetwork(nn.Module):
    """Trunk and 1x1 scoring head over the image pyramid."""

    def __init__(self, params: Params, context: FitContext) -> None:
        super().__init__()
        arch = text(params, "backbone")
        self._run_trunk = PyramidTrunk(Pyramid.from_params(params), context.precision)
        self.trunk = context.backbone(arch)
        with context.seeded("head"):
            self.head = TopKHead(CHANNELS[arch], TopK.from_params(params))

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, S, S) -> scores (levels, B); an image's score is their mean."""
        return torch.stack([self.head(maps) for maps in self._run_trunk(self.trunk, images)])


class DevNet(NeuralDetector[DevNetNetwork]):
    """Deviation network: normals at the mean of a Gaussian reference, anomalies `loss.margin` deviations above."""

    def new_network(self) -> DevNetNetwork:
        return DevNetNetwork(self.params, self.context)

    def loss_terms(self, data: TrainData) -> LossTerms:
        criterion = Criterion(self.params, self.context)
        quotas = Quotas(integer(self.params, "batch.size"), integer(self.params, "batch.seen"))
        feed = Feed(data, None, quotas, number(self.params, "augment.rotation"), self.context, "batch")

        def terms(step: int) -> dict[str, Tensor]:
            images, labels = feed.batch(step)
            scores = self.network(normalise(images)).mean(0)
            return {"score": criterion(scores, torch.from_numpy(labels == SEEN), step, "score")}

        return terms

    def scorer(self) -> Scorer:
        return lambda images, _: self.network(normalise(images)).double().mean(0)
