"""Feature maps of networks that no training changes: what they depend on, and who computes them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from protocols.images.store import Images, Index

Maps = list[Tensor]
"""Feature maps (B, ...) of one batch, a tensor for each layer that is read."""

FeatureReader = Callable[[Images, Index], Maps]
"""Gives the maps of the images at positions `index` (k,), k of at least 1, on the run's device and without gradient."""


@dataclass(frozen=True)
class FrozenNetwork:
    """A network in evaluation mode that is the same during the whole fit and its scores, read at some layers.

    `maps` takes pixels (B, S, S, C) uint8 on the CPU; the map of an image depends on no other image of the batch.
    The maps follow from pixels, the state of `network`, `arch`, `layers` and `transform`, the name of what is done to
    pixels before; from the run's precision, device and threads; and from the code of the detector. Nothing else may
    enter them, a seed neither.
    """

    network: nn.Module
    arch: str
    layers: tuple[str, ...]
    transform: str
    maps: Callable[[Tensor], Maps]


class FeatureSource(Protocol):
    """Gives readers of frozen networks. Whether maps are computed or were kept, a reader gives the same bits."""

    def reader(self, frozen: FrozenNetwork) -> FeatureReader: ...


class ComputedFeatures:
    """A source that keeps nothing."""

    def reader(self, frozen: FrozenNetwork) -> FeatureReader:
        return lambda images, index: computed_maps(frozen, images, index)


def computed_maps(frozen: FrozenNetwork, images: Images, index: Index) -> Maps:
    """The maps of the images at positions `index`, computed now in one batch."""
    pixels = torch.from_numpy(np.require(images.take(index), requirements=["C", "W"]))
    with torch.no_grad():
        return frozen.maps(pixels)
