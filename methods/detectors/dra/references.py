"""The reference images of DRA's residual head: drawn when, and from what (spec 2.6; D9, D9b, D10, D61)."""

import dataclasses

import torch
from torch import Tensor

from methods.detector import FitContext, TrainData
from methods.nn.data.loader import Feed
from methods.nn.data.samplers import Quotas
from methods.nn.params import Params, integer, number, text
from methods.nn.pseudo_anomalies.source import Pseudo


class References:
    """Sets of `reference.size` training normals and pseudo anomalies, uint8 (N, S, S, C).

    `reference.augment` "test" leaves the rotation out; whether a reference is a pseudo anomaly is the matter of
    `reference.pseudo` alone.
    """

    def __init__(self, data: TrainData, pseudo: Pseudo, quotas: Quotas, params: Params, context: FitContext) -> None:
        self.size = integer(params, "reference.size")
        rotation = number(params, "augment.rotation") if text(params, "reference.augment") == "train" else 0.0
        chance = quotas.pseudo_prob if text(params, "reference.pseudo") == "mixed" else 0.0
        own = dataclasses.replace(quotas, size=self.size, seen=0, pseudo_prob=chance)
        streams = ("reference.train", "reference.kept", "reference.test")
        self._train, self._kept, self._test = (Feed(data, pseudo, own, rotation, context, stream) for stream in streams)
        draws = {
            "redraw_per_batch": None,
            "fixed_after_training": 1,
            "mean_of_R_draws": integer(params, "reference.draws"),
        }
        self._n_kept = draws[text(params, "reference.test_mode")]
        self._set = self.kept(0) if text(params, "reference.mode") == "fixed" else None

    def for_step(self, step: int) -> Tensor:
        """The set of a training step: a new one, or with `reference.mode` fixed always the same."""
        return self._train.batch(step)[0] if self._set is None else self._set

    def kept(self, number: int) -> Tensor:
        """A set kept through the test, by its number; number 0 is the set of `reference.mode` fixed."""
        return self._kept.batch(number)[0]

    def for_test_batch(self, batch: int) -> Tensor:
        """A new set for each test batch, counted from 0."""
        return self._test.batch(batch)[0]

    def kept_for_test(self) -> Tensor | None:
        """The sets (R, N, S, S, C) that all test images are compared with; None: each test batch draws its own."""
        return None if self._n_kept is None else torch.stack([self.kept(number) for number in range(self._n_kept)])
