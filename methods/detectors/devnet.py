"""DevNet, image version: one scoring head on the trunk, deviation loss (spec 3)."""

import torch
from torch import Tensor

from methods.detector import TrainData
from methods.devices import accumulated
from methods.nn.data.loader import Feed
from methods.nn.data.samplers import SEEN, Quotas
from methods.nn.data.transforms import normalise
from methods.nn.networks.heads import TopK, TopKHead
from methods.nn.networks.single_head import OneHeadNetwork
from methods.nn.neural_detector import NeuralDetector, Scorer
from methods.nn.params import integer, number
from methods.nn.training.losses import Criterion
from methods.nn.training.supervised import LossTerms


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
        return lambda images, _: accumulated(self.network(normalise(images))).mean(0)
