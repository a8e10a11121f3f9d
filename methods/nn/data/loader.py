"""Batches of training images: sampled, pseudo anomalies made, rotated (spec 1.4, 1.8, 2.9)."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from methods.detector import FitContext, TrainData
from methods.devices import parse_device
from methods.nn.data.ahead import Ahead
from methods.nn.data.epochs import ShuffledSampler
from methods.nn.data.samplers import NORMAL, PSEUDO, SEEN, BalancedSampler, BatchComposition, Draw, Indices
from methods.nn.data.transforms import rotate, rotation_angles
from methods.nn.pseudo_anomalies.batched import changed
from methods.nn.pseudo_anomalies.source import Change, Pseudo
from methods.uploads import pixels_of, upload
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
        self._ahead: Ahead[torch.Tensor] | None = None

    def batch(self, step: int) -> tuple[torch.Tensor, Indices]:
        """Images (B, S, S, C) uint8 on the run's device and labels (B,)."""
        draw = self._sampler.draw(step)
        images = self._on_device(draw, step) if self._are_resident() else self._from_host(step)
        if self._rotation:
            angles = rotation_angles(
                len(images), self._rotation, self._context.generator(f"{self._stream}.angle", step)
            )
            images = rotate(images, angles)
        return images, draw.labels

    def _are_resident(self) -> bool:
        """True where all images lie on the device as a whole, and so does what is done to them."""
        return all(self._context.uploads.whole(group) is not None for group in self._groups.values() if len(group))

    def _from_host(self, step: int) -> torch.Tensor:
        device = parse_device(self._context.device)
        if not device.traits.is_numbered:
            return self._gathered(step).to(self._context.device)
        if self._ahead is None:
            self._ahead = Ahead(lambda step: self._gathered(step).pin_memory())
        return self._ahead(step).to(self._context.device, non_blocking=True)

    def _on_device(self, draw: Draw, step: int) -> torch.Tensor:
        """The batch gathered and changed where the images are; the same bytes as from the host."""
        size = self._groups[NORMAL].size
        shape = (len(draw.labels), size, size, self._channels)
        batch = torch.empty(shape, dtype=torch.uint8, device=self._context.device)
        changes = self._changes(draw, step)
        for label, group in self._groups.items():
            places = np.flatnonzero(draw.labels == label)
            if len(places):
                images = self._context.uploads.take(group, draw.indices[places]).expand(-1, -1, -1, self._channels)
                if label == PSEUDO and changes:
                    images = changed(images, list(changes.values()))
                batch.index_copy_(0, upload(torch.from_numpy(places), batch.device), images)
        return batch

    def _gathered(self, step: int) -> torch.Tensor:
        """The batch, unrotated, on the CPU."""
        draw = self._sampler.draw(step)
        size = self._groups[NORMAL].size
        batch = np.empty((len(draw.labels), size, size, self._channels), np.uint8)
        for label, group in self._groups.items():
            places = np.flatnonzero(draw.labels == label)
            if len(places):
                batch[places] = group.take(draw.indices[places])
        for place, change in self._changes(draw, step).items():
            batch[place] = change(batch[place])
        return torch.from_numpy(batch)

    def _changes(self, draw: Draw, step: int) -> dict[int, Change]:
        """The change of each pseudo anomaly by its place in the batch, drawn in their order."""
        if self._maker is None:
            return {}
        size, generator = self._groups[NORMAL].size, self._context.generator(f"{self._stream}.cutmix", step)
        return {int(place): self._maker.draw(size, generator) for place in np.flatnonzero(draw.labels == PSEUDO)}


def batches(count: int, size: int) -> Iterator[Indices]:
    """The positions of `count` images in their order, `size` at a time."""
    for start in range(0, count, size):
        yield np.arange(start, min(start + size, count))


def in_batches(images: Images, size: int) -> Iterator[tuple[slice, torch.Tensor]]:
    """All images in their order, `size` at a time: where they stand, and their pixels (k, S, S, C) uint8."""
    for index in batches(len(images), size):
        yield slice(int(index[0]), int(index[-1]) + 1), pixels_of(images, index)
