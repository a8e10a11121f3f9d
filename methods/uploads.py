"""Images and draws of a fit on the device that computes it."""

import numpy as np
import torch
from torch import Tensor

from methods.devices import parse_device
from protocols.images.store import Images

SHARE = 0.5
"""Of the device's free memory, what the images of a fit may take; the rest is for the training."""
BLOCK = 256


def upload(values: Tensor, device: torch.device | str) -> Tensor:
    """The values on the device; to a numbered one by page-locked memory, without waiting for what it is at."""
    if not parse_device(str(device)).traits.is_numbered:
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)


def pixels_of(images: Images, index: np.ndarray) -> Tensor:
    """The pixels (k, S, S, C) uint8 of the images `index`, on the CPU."""
    return torch.from_numpy(np.require(images.take(index), requirements=["C", "W"]))


class Uploads:
    """Images that lie on a device as a whole, each group uploaded once.

    A group is uploaded where the device has a memory of its own and `SHARE` of what is free there holds it.
    """

    def __init__(self, device: str) -> None:
        self._device = parse_device(device)
        self._groups: dict[int, tuple[Images, Tensor | None]] = {}

    def whole(self, images: Images) -> Tensor | None:
        """All pixels (n, S, S, C) uint8 on the device; None where they stay with the processor."""
        if id(images) not in self._groups:
            self._groups[id(images)] = images, self._uploaded(images)
        return self._groups[id(images)][1]

    def take(self, images: Images, index: np.ndarray) -> Tensor:
        """The pixels (k, S, S, C) uint8 of the images `index`, on the device."""
        whole = self.whole(images)
        if whole is None:
            return upload(pixels_of(images, index), str(self._device))
        return whole.index_select(0, upload(torch.from_numpy(index), whole.device))

    def _uploaded(self, images: Images) -> Tensor | None:
        shape = (len(images), images.size, images.size, images.channels)
        if not self._device.traits.is_numbered or int(np.prod(shape)) > SHARE * self._device.free_memory():
            return None
        whole = torch.empty(shape, dtype=torch.uint8, device=str(self._device))
        for start in range(0, len(images), BLOCK):
            index = np.arange(start, min(start + BLOCK, len(images)))
            whole[start : start + BLOCK].copy_(pixels_of(images, index))
        return whole
