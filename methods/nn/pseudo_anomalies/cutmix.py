"""DRA's CutMix: a jittered rectangle of a normal image, pasted elsewhere into it (paper eq. 4; spec 2.9)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageEnhance

from protocols.images.decode import Pixels

JITTER = ("brightness", "contrast", "saturation", "hue")


@dataclass(frozen=True)
class Jitter:
    """Colour factors and the order in which they apply, as positions in `JITTER`; hue is a shift in turns."""

    order: Sequence[int]
    factors: Sequence[float]

    def __call__(self, patch: Pixels) -> Pixels:
        """(h, w, C) uint8 -> the same; rounded to 8 bits after each operation, as Pillow's enhancers do.

        Saturation and hue leave a grey patch as it is, with one channel as with three equal ones.
        """
        grey = patch.shape[2] == 1
        image = Image.fromarray(patch[:, :, 0] if grey else patch)
        for operation in self.order:
            if not (grey and JITTER[operation] in {"saturation", "hue"}):
                image = _adjust(image, JITTER[operation], self.factors[operation])
        return np.asarray(image).reshape(patch.shape)


def _adjust(image: Image.Image, kind: str, factor: float) -> Image.Image:
    if kind == "hue":
        hue, saturation, value = image.convert("HSV").split()
        shift = int(factor * 255)
        hue = hue.point([(level + shift) % 256 for level in range(256)])
        return Image.merge("HSV", (hue, saturation, value)).convert("RGB")
    enhancer = {
        "brightness": ImageEnhance.Brightness,
        "contrast": ImageEnhance.Contrast,
        "saturation": ImageEnhance.Color,
    }[kind]
    return enhancer(image).enhance(factor)


@dataclass(frozen=True)
class Paste:
    """One drawn CutMix: a rectangle, where it comes from, its jitter, and where it goes; pixels."""

    width: int
    height: int
    source: tuple[int, int]
    target: tuple[int, int]
    jitter: Jitter

    @property
    def sides(self) -> tuple[int, int]:
        """Rows and columns of the source rectangle."""
        return self.height, self.width

    def canvas(self) -> np.ndarray:
        """For each pixel of what lands its place in the flattened source rectangle, (h, w) int32."""
        return np.arange(self.height * self.width, dtype=np.int32).reshape(self.height, self.width)

    def __call__(self, image: Pixels) -> Pixels:
        """A changed copy of `image` (S, S, C)."""
        (source_y, source_x), (target_y, target_x) = self.source, self.target
        patch = image[source_y : source_y + self.height, source_x : source_x + self.width]
        pasted = image.copy()
        pasted[target_y : target_y + self.height, target_x : target_x + self.width] = self.jitter(patch)
        return pasted


def rectangle(size: int, area_share: float, log_aspect: float) -> tuple[int, int]:
    """Width and height in pixels, rounded half to even, within the image (spec 2.9 steps 1, 2)."""
    area, aspect = area_share * size * size, math.exp(log_aspect)
    width, height = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
    return min(max(width, 1), size), min(max(height, 1), size)


@dataclass(frozen=True)
class CutMix:
    """The distribution of `Paste` (spec 2.9, D22)."""

    area_min: float = 0.02
    area_max: float = 0.15
    aspect_min: float = 0.3
    jitter: float = 0.1

    def draw(self, size: int, generator: torch.Generator) -> Paste:
        """Draw in the order area, aspect, source y, source x, jitter, target y, target x."""
        shape = uniform(4, generator)
        limit = math.log(1 / self.aspect_min)
        share = self.area_min + (self.area_max - self.area_min) * shape[0]
        width, height = rectangle(size, share, (2 * shape[1] - 1) * limit)
        jitter = draw_jitter(self.jitter, generator)
        corner = uniform(2, generator)
        free_y, free_x = size - height, size - width
        source = int(shape[2] * free_y), int(shape[3] * free_x)
        target = int(corner[0] * free_y), int(corner[1] * free_x)
        return Paste(width, height, source, target, jitter)


def draw_jitter(limit: float, generator: torch.Generator) -> Jitter:
    """Factors within 1 plus or minus `limit`, a hue shift within plus or minus `limit` turns, in any order."""
    spread = [(2 * unit - 1) * limit for unit in uniform(4, generator)]
    factors = (1 + spread[0], 1 + spread[1], 1 + spread[2], spread[3])
    return Jitter(torch.randperm(4, generator=generator).tolist(), factors)


def uniform(count: int, generator: torch.Generator) -> list[float]:
    """Draws from [0, 1) in float64."""
    values: list[float] = torch.rand(count, generator=generator, dtype=torch.float64).tolist()
    return values
