"""The reference images of DRA's residual head: drawn when, and from what (spec 2.6; D9, D9b, D10, D61)."""

import dataclasses
from typing import Literal

import torch
from torch import Tensor

from methods.detector import FitContext, TrainData
from methods.nn.data.loader import Feed
from methods.nn.data.samplers import BatchComposition
from methods.nn.pseudo_anomalies.source import Pseudo


@dataclasses.dataclass(frozen=True, slots=True)
class ReferenceParams:
    size: int
    mode: Literal["redraw", "fixed"]
    pseudo: Literal["mixed", "normal"]
    augment: Literal["train", "test"]
    detach: bool
    joint_forward: bool
    test_mode: Literal["redraw_per_batch", "fixed_after_training", "mean_of_R_draws"]
    draws: int


class References:
    """Sets of `reference.size` training normals and pseudo anomalies, uint8 (N, S, S, C).

    `reference.augment` "test" leaves the rotation out; whether a reference is a pseudo anomaly is the matter of
    `reference.pseudo` alone.
    """

    def __init__(
        self,
        data: TrainData,
        pseudo: Pseudo,
        quotas: BatchComposition,
        rotation: float,
        params: ReferenceParams,
        context: FitContext,
    ) -> None:
        self.size = params.size
        rotation = rotation if params.augment == "train" else 0.0
        chance = quotas.pseudo_prob if params.pseudo == "mixed" else 0.0
        shares = dataclasses.replace(quotas, size=self.size, n_seen=0, pseudo_prob=chance)
        streams = ("reference.train", "reference.kept", "reference.test")
        self._train, self._kept, self._test = (
            Feed(data, pseudo, shares, rotation, context, stream) for stream in streams
        )
        draws = {"redraw_per_batch": None, "fixed_after_training": 1, "mean_of_R_draws": params.draws}
        self._n_kept = draws[params.test_mode]
        self._set = self.kept(0) if params.mode == "fixed" else None

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
