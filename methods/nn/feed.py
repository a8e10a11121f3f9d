"""Batches of training images: sampled, pseudo anomalies made, rotated (spec 1.4, 1.8, 2.9)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from methods.detector import FitContext, TrainData
from methods.errors import MethodError
from methods.nn.augment import rotate, rotation_angles
from methods.nn.batches import NORMAL, PSEUDO, SEEN, BalancedSampler, Draw, Indices, Quotas
from methods.nn.cutmix import CutMix
from protocols.images import Images

Pixels = torch.Tensor


@dataclass(frozen=True)
class Pseudo:
    """What pseudo anomalies are made of: a pool of other images, or, with `cutmix`, the normal ones."""

    images: Images
    cutmix: CutMix | None


def pseudo_source(data: TrainData, source: str, cutmix: CutMix) -> Pseudo:
    """`source` is "cutmix" or the id of a pool. Raises MethodError where the run was given no such pool."""
    if source == "cutmix":
        return Pseudo(data.normal, cutmix)
    if source not in data.pools or not len(data.pools[source]):
        raise MethodError(f"no images of the pool {source!r}: prepare that dataset, or set pseudo.source to 'cutmix'")
    return Pseudo(data.pools[source], None)


class Feed:
    """Batches of 8-bit images and labels; each follows from seed, stream and step alone.

    `rotation` is the limit of the random angle in degrees, 0 for none. Grey sets keep one channel unless another
    group has colour.
    """

    def __init__(
        self,
        data: TrainData,
        pseudo: Pseudo | None,
        quotas: Quotas,
        rotation: float,
        context: FitContext,
        stream: str,
    ) -> None:
        self._groups = {NORMAL: data.normal, SEEN: data.anomaly}
        self._cutmix = None
        if pseudo is not None and quotas.pseudo_prob:
            self._groups[PSEUDO] = pseudo.images
            self._cutmix = pseudo.cutmix
            quotas = replace(quotas, resample_source=quotas.resample_source or pseudo.cutmix is None)
        self._sampler = BalancedSampler(
            context,
            stream,
            quotas,
            n_normal=len(data.normal),
            n_anomaly=len(data.anomaly),
            n_pseudo=len(self._groups.get(PSEUDO, ())),
        )
        self._channels = max(group.channels for group in self._groups.values() if len(group))
        self._rotation = rotation
        self._context = context
        self._stream = stream

    def batch(self, step: int) -> tuple[Pixels, Indices]:
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
        if self._cutmix is not None:
            generator = self._context.generator(f"{self._stream}.cutmix", step)
            for place in np.flatnonzero(draw.labels == PSEUDO):
                batch[place] = self._cutmix.draw(size, generator)(batch[place])
        return batch


def in_batches(images: Images, size: int) -> Iterator[tuple[slice, Pixels]]:
    """All images in their order, `size` at a time: where they stand, and their pixels (k, S, S, C) uint8."""
    for start in range(0, len(images), size):
        place = slice(start, min(start + size, len(images)))
        taken = images.take(np.arange(place.start, place.stop))
        yield place, torch.from_numpy(np.require(taken, requirements=["C", "W"]))
