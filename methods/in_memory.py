"""Images and checkpoints that lie in memory: what a fit is given where there is no dataset."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt


class ArrayImages:
    """`protocols.images.store.Images` over a uint8 array (n, S, S, C) that nobody can write to."""

    def __init__(self, pixels: npt.NDArray[np.uint8], ids: tuple[str, ...] = ()) -> None:
        self.pixels = pixels.copy()
        self.pixels.flags.writeable = False
        self.ids = ids or tuple(f"image{number:03}" for number in range(len(pixels)))
        self.size: int = pixels.shape[1]
        self.channels: int = pixels.shape[3]

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, index: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        pixels: npt.NDArray[np.uint8] = self.pixels[index]
        return pixels

    def one(self, i: int) -> npt.NDArray[np.uint8]:
        image: npt.NDArray[np.uint8] = self.pixels[i]
        return image

    def select(self, index: npt.NDArray[Any]) -> "ArrayImages":
        return ArrayImages(self.pixels[index], tuple(self.ids[position] for position in index))

    def joined(self, second: "ArrayImages") -> "ArrayImages":
        return ArrayImages(np.concatenate([self.pixels, second.pixels]), self.ids + second.ids)

    def renamed(self) -> "ArrayImages":
        """The same images under ids that say nothing."""
        return ArrayImages(self.pixels, tuple(f"other{number}" for number in reversed(range(len(self)))))


def tiny_images(n: int, *, size: int = 32, channels: int = 1, anomalous: bool = False, seed: int = 0) -> ArrayImages:
    """Noisy grey images (n, size, size, channels), with a bright square somewhere in each anomalous one."""
    generator = np.random.default_rng([seed, anomalous])
    pixels = generator.integers(90, 140, (n, size, size, channels), dtype=np.uint8)
    side = size // 4
    for image in pixels:
        y, x = generator.integers(0, size - side, 2)
        if anomalous:
            image[y : y + side, x : x + side] = 250
    kind = "anomalous" if anomalous else "normal"
    return ArrayImages(pixels, tuple(f"{kind}/{seed}-{number:03}.png" for number in range(n)))


class MemoryCheckpoint:
    """`methods.detector.Checkpoint` that keeps a copy of the last state and never asks for another."""

    def __init__(self) -> None:
        self._state: dict[str, Any] | None = None

    def load(self) -> dict[str, Any] | None:
        return copy.deepcopy(self._state)

    def save(self, state: Mapping[str, Any]) -> None:
        self._state = copy.deepcopy(dict(state))

    def due(self) -> bool:
        return False
