"""Random resized crops: boxes drawn on the CPU, cut by grid sampling or, from images of their own size, by Pillow."""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from methods.uploads import upload
from protocols.images.decode import Pixels

ATTEMPTS = 10
BOX_DRAWS = 2 * ATTEMPTS + 2
"""Uniform draws that one box takes: area and aspect of each attempt, then the two places."""
LOG_ASPECT = math.log(4 / 3)


@dataclass(frozen=True)
class Scale:
    """Share of the area that a crop keeps, uniform from `low` to `high`; the aspect is log-uniform in (3/4, 4/3)."""

    low: float
    high: float


def box_sizes(draws: Tensor, width: int, height: int, scale: Scale) -> Tensor:
    """Widths and heights (n, 2) in whole pixels, float64, of the first attempt that fits; the whole image if none does.

    `draws` (n, BOX_DRAWS) float64 in [0, 1).
    """
    area = (scale.low + draws[:, :ATTEMPTS] * (scale.high - scale.low)) * (width * height)
    aspect = ((2 * draws[:, ATTEMPTS : 2 * ATTEMPTS] - 1) * LOG_ASPECT).exp()
    widths, heights = (area * aspect).sqrt().round(), (area / aspect).sqrt().round()
    fits = (widths > 0) & (widths <= width) & (heights > 0) & (heights <= height)
    sizes = torch.stack([widths, heights], -1)
    first = sizes[torch.arange(len(draws)), fits.int().argmax(1)]
    return torch.where(fits.any(1, keepdim=True), first, draws.new_tensor([width, height]))


def boxes(draws: Tensor, size: int, scale: Scale) -> Tensor:
    """Boxes (n, 4) as w, h, bias x, bias y: shares of the side, and the bias in units of half the side.

    The bias is a whole number over the side, as in the released code, so that edges fall on half pixels.
    """
    sizes = box_sizes(draws, size, size, scale)
    free = size - sizes
    bias = (draws[:, 2 * ATTEMPTS :] * (2 * free + 1)).floor() - free
    return torch.cat([sizes, bias], 1) / size


def cut(images: Tensor, windows: Tensor) -> Tensor:
    """Crop (N, C, S, S) to `windows` (N, 4) and resample to S: bilinear, reflected at the border; differentiable."""
    theta = torch.zeros(len(windows), 2, 3, dtype=windows.dtype)
    theta[:, 0, 0], theta[:, 1, 1], theta[:, 0, 2], theta[:, 1, 2] = windows.unbind(1)
    theta = upload(theta.to(images.dtype), images.device)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def shorter_side(image: Image.Image, size: int) -> Image.Image:
    """The image with its shorter side `size` and its aspect kept."""
    shorter = min(image.size)
    width, height = (size * side // shorter for side in image.size)
    return image.resize((width, height), Image.Resampling.BILINEAR)


def opened(pixels: Pixels, size: int) -> Image.Image:
    """(h, w, 1 | 3) uint8 as a picture whose shorter side is `size`."""
    return shorter_side(Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels), size)


def centre(image: Image.Image, size: int) -> Pixels:
    """The square of side `size` in the middle, (size, size, 1 | 3)."""
    x, y = (round((side - size) / 2) for side in image.size)
    return _array(image.crop((x, y, x + size, y + size)))


def random_cut(image: Image.Image, draws: Tensor, size: int, scale: Scale) -> Pixels:
    """A random crop resized to (size, size, 1 | 3); `draws` (BOX_DRAWS,) float64 in [0, 1)."""
    width, height = (int(side) for side in box_sizes(draws[None], *image.size, scale)[0])
    x = int(draws[-2] * (image.width - width + 1))
    y = int(draws[-1] * (image.height - height + 1))
    part = image.crop((x, y, x + width, y + height))
    return _array(part.resize((size, size), Image.Resampling.BILINEAR))


def _array(image: Image.Image) -> Pixels:
    array = np.asarray(image, dtype=np.uint8)
    return array if array.ndim == 3 else array[:, :, None]
