"""DRA's baseline without disentanglement: one classifier of normal, seen and pseudo anomalies (spec 2.8, D43, D56)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.detector import TrainData
from methods.nn.class_detector import ClassDetector
from methods.nn.data.loader import Feed
from methods.nn.data.samplers import Indices, Quotas
from methods.nn.params import flag, number
from methods.nn.pseudo_anomalies.source import pseudo_source
from methods.nn.training.supervised import LossTerms


def class_loss(logits: Tensor, labels: Indices, *, double_softmax: bool) -> Tensor:
    """Mean cross-entropy of logits (B, classes); `double_softmax` takes their softmax for logits (D43)."""
    given = logits.softmax(1) if double_softmax else logits
    return F.cross_entropy(given, torch.from_numpy(labels).to(given.device))


class NonDisentangled(ClassDetector):
    """DRA's trunk, pyramid, batches and pseudo anomalies, with one head of three classes and no references."""

    def loss_terms(self, data: TrainData) -> LossTerms:
        pseudo, quotas = pseudo_source(data, self.params), Quotas.from_params(self.params)
        feed = Feed(data, pseudo, quotas, number(self.params, "augment.rotation"), self.context, "batch")
        double_softmax = flag(self.params, "double_softmax")

        def terms(step: int) -> dict[str, Tensor]:
            images, labels = feed.batch(step)
            return {"cross_entropy": class_loss(self.logits(images), labels, double_softmax=double_softmax)}

        return terms
