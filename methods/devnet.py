"""DevNet, image version: one scoring head on the trunk, deviation loss (spec 3)."""

import torch
from torch import Tensor

from methods.detector import TrainData
from methods.nn.augment import normalise
from methods.nn.batches import SEEN, Quotas
from methods.nn.feed import Feed
from methods.nn.heads import TopK, TopKHead
from methods.nn.losses import Criterion
from methods.nn.neural import NeuralDetector, Scorer
from methods.nn.onehead import OneHeadNetwork
from methods.nn.training import LossTerms
from methods.nn.values import integer, number


class DevNet(NeuralDetector[OneHeadNetwork]):
    """Deviation network: normals at the mean of a Gaussian reference, anomalies `loss.margin` deviations above."""

    def new_network(self) -> OneHeadNetwork:
        pool = TopK.from_params(self.params)
        return OneHeadNetwork(self.params, self.context, lambda channels: TopKHead(channels, pool))

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
