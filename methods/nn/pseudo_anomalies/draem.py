"""DRAEM's pseudo anomalies: a changed texture, blended in where Perlin noise is high (spec ahl 2.5)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageEnhance, ImageOps

from methods.nn.pseudo_anomalies.cutmix import uniform
from protocols.images.decode import Pixels

OPERATIONS = 3
"""Different operations that change a texture."""
ROTATED_SHARE = 0.3
IMAGE_TURN, MASK_TURN, TEXTURE_TURN = 90.0, 90.0, 45.0
"""Largest angles in degrees, either way."""
MASK_ABOVE = 0.5
LARGEST_OCTAVE = 5
LARGEST_OPACITY_LOSS = 0.8
MASK_ROUNDS = 100


@dataclass(frozen=True)
class Draem:
    """Makes one pseudo anomaly of a normal image and a texture; `redraw_empty` draws another mask for an empty one."""

    redraw_empty: bool

    def __call__(self, image: Pixels, texture: Pixels, generator: torch.Generator) -> Pixels:
        """Image (S, S, C) and texture (h, w, C) -> (S, S, 3) uint8."""
        size = len(image)
        picture = _coloured(image)
        turned, angle = uniform(2, generator)
        if turned < ROTATED_SHARE:
            picture = picture.rotate(_within(angle, IMAGE_TURN), Image.Resampling.BILINEAR)
        cloth = changed_texture(_coloured(texture).resize((size, size), Image.Resampling.BILINEAR), generator)
        (loss,) = uniform(1, generator)
        share = loss * LARGEST_OPACITY_LOSS
        base = np.asarray(picture, np.float64)
        blended = (1 - share) * np.asarray(cloth, np.float64) + share * base
        mask = self._mask(size, generator)
        return np.where(mask[:, :, None], blended, base).round().astype(np.uint8)

    def _mask(self, size: int, generator: torch.Generator) -> npt.NDArray[np.bool_]:
        for _ in range(MASK_ROUNDS):
            mask = drawn_mask(size, generator)
            if mask.any() or not self.redraw_empty:
                break
        return mask


def drawn_mask(size: int, generator: torch.Generator) -> npt.NDArray[np.bool_]:
    """Pixels (S, S) at which noise with 1 to 32 cells a side, turned by up to 90 degrees, is above 0.5; maybe none."""
    first, second, turn = uniform(3, generator)
    cells = 2 ** int(first * (LARGEST_OCTAVE + 1)), 2 ** int(second * (LARGEST_OCTAVE + 1))
    angles = torch.rand((cells[0] + 1, cells[1] + 1), generator=generator, dtype=torch.float64) * 2 * math.pi
    noise = Image.fromarray(perlin_noise(size, angles.numpy()).astype(np.float32))
    turned = np.asarray(noise.rotate(_within(turn, MASK_TURN), Image.Resampling.BILINEAR))
    mask: npt.NDArray[np.bool_] = turned > MASK_ABOVE
    return mask


def perlin_noise(size: int, angles: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Perlin's noise (S, S) of unit gradients at `angles` (a + 1, b + 1), in radians, times sqrt 2.

    The lattice has a x b cells; between its nodes the fade is 6 t^5 - 15 t^4 + 10 t^3.
    """
    rows, columns = (np.arange(size) * (count - 1) / size for count in angles.shape)
    row, column = rows.astype(int), columns.astype(int)
    y, x = rows - row, columns - column

    def ramp(down: int, right: int) -> npt.NDArray[np.float64]:
        angle = angles[np.ix_(row + down, column + right)]
        slope: npt.NDArray[np.float64] = np.cos(angle) * (y - down)[:, None] + np.sin(angle) * (x - right)[None, :]
        return slope

    fade_y, fade_x = (t**3 * (t * (6 * t - 15) + 10) for t in (y, x))
    upper, lower = (ramp(down, 0) + fade_x[None, :] * (ramp(down, 1) - ramp(down, 0)) for down in (0, 1))
    noise: npt.NDArray[np.float64] = math.sqrt(2) * (upper + fade_y[:, None] * (lower - upper))
    return noise


def changed_texture(texture: Image.Image, generator: torch.Generator) -> Image.Image:
    """The texture after three different ones of ten operations, in random order."""
    for number in torch.randperm(len(CHANGES), generator=generator)[:OPERATIONS].tolist():
        texture = CHANGES[number](texture, uniform(3, generator))
    return texture


def _gamma(image: Image.Image, units: Sequence[float]) -> Image.Image:
    exponents = [0.5 + 1.5 * unit for unit in units]
    return image.point([round(255 * (level / 255) ** gamma) for gamma in exponents for level in range(256)])


def _brightness(image: Image.Image, units: Sequence[float]) -> Image.Image:
    """In the brightness channel of one of two colour spaces."""
    factor, shift = 0.8 + 0.4 * units[0], _within(units[1], 30)
    space, channel = ("HSV", 2) if units[2] < 0.5 else ("YCbCr", 0)
    bands = list(image.convert(space).split())
    bands[channel] = bands[channel].point([min(max(round(factor * level + shift), 0), 255) for level in range(256)])
    return Image.merge(space, bands).convert("RGB")


def _sharpness(image: Image.Image, units: Sequence[float]) -> Image.Image:
    return ImageEnhance.Sharpness(image).enhance(2 * units[0])


def _hue_saturation(image: Image.Image, units: Sequence[float]) -> Image.Image:
    """Shifts by whole numbers in -50..50; 255 of hue are a full turn."""
    hue_shift, shift = (int(unit * 101) - 50 for unit in units[:2])
    hue, saturation, value = image.convert("HSV").split()
    hue = hue.point([(level + hue_shift) % 256 for level in range(256)])
    saturation = saturation.point([min(max(level + shift, 0), 255) for level in range(256)])
    return Image.merge("HSV", (hue, saturation, value)).convert("RGB")


def _solarise(image: Image.Image, units: Sequence[float]) -> Image.Image:
    return ImageOps.solarize(image, 32 + int(units[1] * 97)) if units[0] < 0.5 else image


def _posterise(image: Image.Image, units: Sequence[float]) -> Image.Image:
    return ImageOps.posterize(image, 1 + int(units[0] * 8))


def _invert(image: Image.Image, _: Sequence[float]) -> Image.Image:
    return ImageOps.invert(image)


def _autocontrast(image: Image.Image, units: Sequence[float]) -> Image.Image:
    return ImageOps.autocontrast(image, cutoff=int(units[0] * 21))


def _equalise(image: Image.Image, _: Sequence[float]) -> Image.Image:
    return ImageOps.equalize(image)


def _rotate(image: Image.Image, units: Sequence[float]) -> Image.Image:
    return image.rotate(_within(units[0], TEXTURE_TURN), Image.Resampling.BILINEAR)


CHANGES: tuple[Callable[[Image.Image, Sequence[float]], Image.Image], ...] = (
    _gamma,
    _brightness,
    _sharpness,
    _hue_saturation,
    _solarise,
    _posterise,
    _invert,
    _autocontrast,
    _equalise,
    _rotate,
)


def _coloured(image: Pixels) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], 3))))


def _within(unit: float, limit: float) -> float:
    """A draw from [0, 1) as one within `limit` either way."""
    return (2 * unit - 1) * limit
