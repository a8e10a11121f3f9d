"""FLOS: DevNet's network, batches and budget with focal loss in place of the deviation loss (spec 4)."""

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
from methods.nn.params import flag, integer, number, text
from methods.nn.training.losses import focal
from methods.nn.training.supervised import LossTerms


class FLOS(NeuralDetector[OneHeadNetwork]):
    """Binary classifier by focal loss: an image's logit is the mean of its highest position scores."""

    def new_network(self) -> OneHeadNetwork:
        pool = TopK(number(self.params, "topk.rate"), text(self.params, "topk.rounding"), flag(self.params, "abs"))
        return OneHeadNetwork(self.params, self.context, lambda channels: TopKHead(channels, pool))

    def loss_terms(self, data: TrainData) -> LossTerms:
        alpha, gamma = number(self.params, "alpha"), number(self.params, "gamma")
        quotas = Quotas(integer(self.params, "batch.size"), integer(self.params, "batch.seen"))
        feed = Feed(data, None, quotas, number(self.params, "augment.rotation"), self.context, "batch")

        def terms(step: int) -> dict[str, Tensor]:
            images, labels = feed.batch(step)
            logits = self.network(normalise(images)).mean(0)
            return {"focal": focal(logits, torch.from_numpy(labels == SEEN).to(logits), alpha, gamma)}

        return terms

    def scorer(self) -> Scorer:
        return lambda images, _: accumulated(self.network(normalise(images))).mean(0)
