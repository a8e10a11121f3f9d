"""SAOE: a classifier of normal, seen and pseudo anomalies with outlier exposure (spec 5)."""

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from methods.detector import FitContext, TrainData
from methods.errors import MethodError
from methods.nn.class_detector import ClassDetector, ClassParams
from methods.nn.data.loader import Feed
from methods.nn.data.samplers import BatchComposition
from methods.nn.data.transforms import join
from methods.nn.params import Params, read_params
from methods.nn.training.losses import uniform_cross_entropy
from methods.nn.training.supervised import LossTerms
from methods.uploads import upload


@dataclass(frozen=True, slots=True, kw_only=True)
class SAOEParams(ClassParams):
    oe_pool: str
    oe_weight: float
    oe_batch: int
    oe_joint_forward: bool


class SAOE(ClassDetector[SAOEParams]):
    """Synthetic anomalies and outlier exposure: images of an external pool are to look like no class at all."""

    def __init__(self, params: Params, context: FitContext) -> None:
        super().__init__(read_params(SAOEParams, params), context)

    def loss_terms(self, data: TrainData) -> LossTerms:
        """Cross-entropy of the labelled images and the weighted outlier term; MethodError where there is no pool."""
        feed, outliers = self._labelled(data), self._outliers(data)
        weight, joint = self.params.oe_weight, self.params.oe_joint_forward

        def terms(step: int) -> dict[str, Tensor]:
            (images, labels), (outside, _) = feed.batch(step), outliers.batch(step)
            if joint:
                together = self.logits(join(images, outside))
                inner, outer = together[: len(labels)], together[len(labels) :]
            else:
                inner, outer = self.logits(images), self.logits(outside)
            return {
                "cross_entropy": F.cross_entropy(inner, upload(torch.from_numpy(labels), inner.device)),
                "outlier": weight * uniform_cross_entropy(outer),
            }

        return terms

    def _labelled(self, data: TrainData) -> Feed:
        pseudo, quotas = self.params.pseudo(data), self.params.quotas
        return Feed(data, pseudo, quotas, self.params.augment_rotation, self.context, "batch")

    def _outliers(self, data: TrainData) -> Feed:
        """Passes over the pool, each in an order of its own, through the ordinary training transform."""
        name = self.params.oe_pool
        pool = data.pools.get(name)
        if pool is None or not len(pool):
            raise MethodError(f"SAOE needs images of the pool '{name}': prepare that dataset, or set saoe.oe_pool")
        alone = replace(data, normal=pool, anomaly=pool.select(np.empty(0, np.int64)))
        quotas = BatchComposition(self.params.oe_batch)
        return Feed(alone, None, quotas, self.params.augment_rotation, self.context, "outlier")
