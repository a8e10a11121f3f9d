"""CP-Scar: a thin, jittered and rotated strip of a normal image, pasted elsewhere into it (spec 2.9, D57)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from PIL import Image

from methods.nn.pseudo_anomalies.cutmix import Jitter, draw_jitter, uniform
from protocols.images.decode import Pixels

REFERENCE_SIDE = 256
"""Side of the images that the strip's sides in pixels were stated for."""


@dataclass(frozen=True)
class Scar:
    """One drawn CP-Scar: a strip in pixels, where it comes from, its jitter and turn, and where its canvas goes.

    The canvas is the upright box around the turned strip. `angle` is in degrees, counter-clockwise.
    """

    width: int
    length: int
    source: tuple[int, int]
    jitter: Jitter
    angle: float
    target: tuple[int, int]

    @property
    def sides(self) -> tuple[int, int]:
        """Rows and columns of the source rectangle."""
        return self.length, self.width

    def canvas(self) -> np.ndarray:
        """For each pixel of the canvas its place in the flattened strip, (h, w) int32; -1 where nothing lands."""
        places = np.arange(1, self.length * self.width + 1, dtype=np.int32).reshape(self.length, self.width)
        return np.asarray(Image.fromarray(places).rotate(self.angle, expand=True)) - 1

    def __call__(self, image: Pixels) -> Pixels:
        """A changed copy of `image` (S, S, C): only pixels of the strip land, and what leaves the image is cut off."""
        (source_y, source_x), (target_y, target_x) = self.source, self.target
        strip = image[source_y : source_y + self.length, source_x : source_x + self.width]
        canvas, inside = turned(self.jitter(strip), self.angle), footprint(self.width, self.length, self.angle)
        pasted = image.copy()
        region = pasted[target_y : target_y + len(canvas), target_x : target_x + canvas.shape[1]]
        height, width = region.shape[:2]
        np.copyto(region, canvas[:height, :width], where=inside[:height, :width, None])
        return pasted


def turned(patch: Pixels, angle: float) -> Pixels:
    """(h, w, C) uint8 turned about its centre, nearest neighbour, on a canvas that holds all of it; black beside it."""
    image = Image.fromarray(patch[:, :, 0] if patch.shape[2] == 1 else patch)
    canvas = np.asarray(image.rotate(angle, expand=True))
    return canvas.reshape(*canvas.shape[:2], patch.shape[2])


def footprint(width: int, length: int, angle: float) -> np.ndarray:
    """Mask of the pixels of the canvas that the turned strip covers, (h, w) bool."""
    return turned(np.full((length, width, 1), 255, np.uint8), angle)[:, :, 0] > 0


@dataclass(frozen=True)
class CPScar:
    """The distribution of `Scar`: sides in pixels, by `scale` times S / 256, and degrees (spec 2.9, D57)."""

    width_min: float = 2.0
    width_max: float = 16.0
    length_min: float = 10.0
    length_max: float = 25.0
    angle: float = 45.0
    jitter: float = 0.1
    scale: Literal["pixels", "relative_256"] = "pixels"

    def draw(self, size: int, generator: torch.Generator) -> Scar:
        """Draw in the order width, length, source y, source x, jitter, angle, target y, target x.

        Sides are rounded half to even and stay within the image; corners as CutMix draws them.
        """
        shape = uniform(4, generator)
        width = self._side(self.width_min, self.width_max, shape[0], size)
        length = self._side(self.length_min, self.length_max, shape[1], size)
        source = int(shape[2] * (size - length)), int(shape[3] * (size - width))
        jitter = draw_jitter(self.jitter, generator)
        turn = uniform(3, generator)
        angle = (2 * turn[0] - 1) * self.angle
        free_y, free_x = (max(size - side, 0) for side in footprint(width, length, angle).shape)
        return Scar(width, length, source, jitter, angle, (int(turn[1] * free_y), int(turn[2] * free_x)))

    def _side(self, low: float, high: float, unit: float, size: int) -> int:
        scale = size / REFERENCE_SIDE if self.scale == "relative_256" else 1.0
        return min(max(round((low + (high - low) * unit) * scale), 1), size)
