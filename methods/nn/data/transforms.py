"""Batched operations on 8-bit images (B, S, S, C), C = 1 or 3, as the image store gives them."""

import math

import torch
from torch import Tensor

from methods.uploads import upload

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def rotation_angles(count: int, limit: float, generator: torch.Generator) -> Tensor:
    """Angles in degrees (count,), float64, uniform within `limit` either way (spec 1.4 step 3)."""
    return (torch.rand(count, generator=generator, dtype=torch.float64) * 2 - 1) * limit


def rotate(images: Tensor, angles: Tensor) -> Tensor:
    """Rotate (B, S, S, C) uint8 counter-clockwise about the centre by `angles` (B,) degrees.

    Nearest neighbour, canvas kept, black corners, equal to Pillow's `Image.rotate` in every bit: the affine map
    runs in the same 16.16 fixed-point numbers, its coefficients rounded to 15 decimals first.
    """
    batch, size, _, channels = images.shape
    table = torch.tensor([_fixed_affine(angle, size) for angle in angles.tolist()], dtype=torch.int32)
    xx, xy, x0, yx, yy, y0 = upload(table, images.device)[:, :, None, None].unbind(1)
    step = torch.arange(size, dtype=torch.int32, device=images.device)
    column, row = step[None, None, :], step[None, :, None]
    source_x = (x0 + xy * row + xx * column) >> 16
    source_y = (y0 + yy * row + yx * column) >> 16
    inside = (source_x >= 0) & (source_x < size) & (source_y >= 0) & (source_y < size)
    first = torch.arange(batch, dtype=torch.int32, device=images.device)[:, None, None] * (size * size)
    pixel = torch.where(inside, first + source_y * size + source_x, batch * size * size)
    black = images.new_zeros(1, channels)
    pixels = torch.cat([images.reshape(-1, channels), black])
    return pixels.index_select(0, pixel.flatten()).reshape(images.shape)


def _fixed_affine(angle: float, size: int) -> list[int]:
    """Pillow's map of one rotation: source x = (xx c + xy r + x0) >> 16 for target column c, row r."""
    radians = -math.radians(angle % 360.0)
    cos, sin = round(math.cos(radians), 15), round(math.sin(radians), 15)
    centre = size / 2
    offset_x = cos * -centre + sin * -centre + centre
    offset_y = -sin * -centre + cos * -centre + centre
    starts = offset_x + cos * 0.5 + sin * 0.5, offset_y - sin * 0.5 + cos * 0.5
    return [math.floor(value * 65536.0 + 0.5) for value in (cos, sin, starts[0], -sin, cos, starts[1])]


def join(first: Tensor, second: Tensor) -> Tensor:
    """Stack two batches (B, S, S, C); one grey, one colour: grey is replicated to three channels."""
    channels = max(first.shape[-1], second.shape[-1])
    return torch.cat([part.expand(*part.shape[:3], channels) for part in (first, second)])


def normalise(images: Tensor) -> Tensor:
    """(B, S, S, C) uint8 -> (B, 3, S, S) float32, channels last, ImageNet mean and std (spec 1.4 steps 4, 5).

    One channel becomes three, exactly as a conversion of the grey image to RGB does.
    """
    mean, std = (upload(torch.tensor(values), images.device) for values in (IMAGENET_MEAN, IMAGENET_STD))
    unit = images.to(torch.float32).div_(255)
    return (unit - mean).div_(std).permute(0, 3, 1, 2)


def to_unit(images: Tensor) -> Tensor:
    """(B, S, S, C) uint8 -> (B, 3, S, S) float32 in [0, 1], channels last; one channel becomes three equal ones."""
    colour = images.expand(*images.shape[:3], 3).contiguous()
    return colour.to(torch.float32).div_(255).permute(0, 3, 1, 2)
