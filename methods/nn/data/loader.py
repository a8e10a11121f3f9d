"""Batches of training images: sampled, pseudo anomalies made, rotated (spec 1.4, 1.8, 2.9)."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from methods.detector import FitContext, TrainData
from methods.nn.data.epochs import ShuffledSampler
from methods.nn.data.samplers import NORMAL, PSEUDO, SEEN, BalancedSampler, BatchComposition, Draw, Indices
from methods.nn.data.transforms import rotate, rotation_angles
from methods.nn.pseudo_anomalies.source import Pseudo
from protocols.images.store import Images


class Feed:
    """Batches of 8-bit images and labels; each follows from seed, stream and step alone.

    `rotation` is the limit of the random angle in degrees, 0 for none. Grey sets keep one channel unless another
    group has colour.
    """

    def __init__(
        self,
        data: TrainData,
        pseudo: Pseudo | None,
        quotas: BatchComposition,
        rotation: float,
        context: FitContext,
        stream: str,
    ) -> None:
        self._groups = {NORMAL: data.normal, SEEN: data.anomaly}
        self._maker = None
        if pseudo is not None and quotas.pseudo_prob:
            self._groups[PSEUDO] = pseudo.images
            self._maker = pseudo.maker
            quotas = replace(quotas, resample_source=quotas.resample_source or pseudo.maker is None)
        counts = {"n_normal": len(data.normal), "n_anomaly": len(data.anomaly)}
        self._sampler: BalancedSampler | ShuffledSampler
        if quotas.shuffled:
            self._sampler = ShuffledSampler(context, stream, quotas.size, **counts)
        else:
            n_pseudo = len(self._groups.get(PSEUDO, ()))
            self._sampler = BalancedSampler(context, stream, quotas, **counts, n_pseudo=n_pseudo)
        self._channels = max(group.channels for group in self._groups.values() if len(group))
        self._rotation = rotation
        self._context = context
        self._stream = stream

    def batch(self, step: int) -> tuple[torch.Tensor, Indices]:
        """Images (B, S, S, C) uint8 on the run's device and labels (B,)."""
        draw = self._sampler.draw(step)
        images = torch.from_numpy(self._gather(draw, step)).to(self._context.device)
        if self._rotation:
            angles = rotation_angles(
                len(images), self._rotation, self._context.generator(f"{self._stream}.angle", step)
            )
            images = rotate(images, angles)
        return images, draw.labels

    def _gather(self, draw: Draw, step: int) -> np.ndarray:
        size = self._groups[NORMAL].size
        batch = np.empty((len(draw.labels), size, size, self._channels), np.uint8)
        for label, group in self._groups.items():
            places = np.flatnonzero(draw.labels == label)
            if len(places):
                batch[places] = group.take(draw.indices[places])
        if self._maker is not None:
            generator = self._context.generator(f"{self._stream}.cutmix", step)
            for slot in np.flatnonzero(draw.labels == PSEUDO):
                batch[slot] = self._maker.draw(size, generator)(batch[slot])
        return batch


def taken(images: Images, index: Indices) -> torch.Tensor:
    """The pixels (k, S, S, C) uint8 of the images `index`, on the CPU."""
    return torch.from_numpy(np.require(images.take(index), requirements=["C", "W"]))


def batches(count: int, size: int) -> Iterator[Indices]:
    """The positions of `count` images in their order, `size` at a time."""
    for start in range(0, count, size):
        yield np.arange(start, min(start + size, count))


def in_batches(images: Images, size: int) -> Iterator[tuple[slice, torch.Tensor]]:
    """All images in their order, `size` at a time: where they stand, and their pixels (k, S, S, C) uint8."""
    for index in batches(len(images), size):
        yield slice(int(index[0]), int(index[-1]) + 1), taken(images, index)
