"""DRA's baseline without disentanglement: one classifier of normal, seen and pseudo anomalies (spec 2.8, D43, D56)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.detector import FitContext, TrainData
from methods.nn.class_detector import ClassDetector, ClassParams
from methods.nn.data.loader import Feed
from methods.nn.data.samplers import Indices
from methods.nn.params import Params, read_params
from methods.nn.training.supervised import LossTerms
from methods.uploads import upload


def class_loss(logits: Tensor, labels: Indices, *, double_softmax: bool) -> Tensor:
    """Mean cross-entropy of logits (B, classes); `double_softmax` takes their softmax for logits (D43)."""
    inputs = logits.softmax(1) if double_softmax else logits
    return F.cross_entropy(inputs, upload(torch.from_numpy(labels), inputs.device))


@dataclass(frozen=True, slots=True, kw_only=True)
class NonDisentangledParams(ClassParams):
    double_softmax: bool


class NonDisentangled(ClassDetector[NonDisentangledParams]):
    """DRA's trunk, pyramid, batches and pseudo anomalies, with one head of three classes and no references."""

    def __init__(self, params: Params, context: FitContext) -> None:
        super().__init__(read_params(NonDisentangledParams, params), context)

    def loss_terms(self, data: TrainData) -> LossTerms:
        params = self.params
        feed = Feed(data, params.pseudo(data), params.quotas, params.augment_rotation, self.context, "batch")

        def terms(step: int) -> dict[str, Tensor]:
            images, labels = feed.batch(step)
            return {"cross_entropy": class_loss(self.logits(images), labels, double_softmax=params.double_softmax)}

        return terms
