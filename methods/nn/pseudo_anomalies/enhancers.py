"""Pillow's colour enhancers and hue shift on batches of 8-bit patches, equal to Pillow's in every bit.

Patches are (N, h, w, C) uint8, C = 1 or 3, of sizes of their own: `inside` (N, h, w) says which pixels are theirs.
Each function follows the C code of Pillow's `Blend.c`, `Convert.c` and `ImageStat`, in its types and order of
operations: bytes, C's `float` and `double`. Results come as bytes again; no value is read from the device.
"""

import torch
from torch import Tensor

LUMA_WEIGHTS = (19595, 38470, 7471)
"""Red, green and blue of Pillow's luma in 16.16 fixed-point numbers (ITU-R 601-2)."""


def to_luma(patches: Tensor) -> Tensor:
    """Pillow's `convert("L")`: (N, h, w, C) uint8 -> (N, h, w, 1) uint8."""
    if patches.shape[-1] == 1:
        return patches
    red, green, blue = patches.int().unbind(-1)
    weighted = red * LUMA_WEIGHTS[0] + green * LUMA_WEIGHTS[1] + blue * LUMA_WEIGHTS[2]
    return ((weighted + 0x8000) >> 16).to(torch.uint8)[..., None]


def blended(start: Tensor, patches: Tensor, factors: Tensor) -> Tensor:
    """Pillow's `Image.blend`: start + factor (patch - start), cut off at whole numbers of 0 to 255.

    `start` is (N, h, w, C) uint8 or what broadcasts to it; `factors` (N,) are rounded to float32, as C's `float` is.
    """
    first = start.int()
    scaled = factors.float()[:, None, None, None] * (patches.int() - first).float()
    return (first.float() + scaled).clamp(0, 255).to(torch.uint8)


def with_brightness(patches: Tensor, inside: Tensor, factors: Tensor) -> Tensor:  # noqa: ARG001 - all enhancers are called alike
    """`ImageEnhance.Brightness`."""
    return blended(patches.new_zeros(1, 1, 1, 1), patches, factors)


def with_contrast(patches: Tensor, inside: Tensor, factors: Tensor) -> Tensor:
    """`ImageEnhance.Contrast`: from the mean grey of a patch, rounded half up, away."""
    grey = to_luma(patches)[..., 0].long() * inside
    means = (grey.sum((1, 2)).double() / inside.sum((1, 2)).double() + 0.5).int()
    return blended(means[:, None, None, None], patches, factors)


def with_saturation(patches: Tensor, inside: Tensor, factors: Tensor) -> Tensor:  # noqa: ARG001 - all enhancers are called alike
    """`ImageEnhance.Color`; grey patches stay as they are."""
    return blended(to_luma(patches), patches, factors)


def with_hue(patches: Tensor, inside: Tensor, factors: Tensor) -> Tensor:  # noqa: ARG001 - all enhancers are called alike
    """Hue shifted by factor x 255, cut to a whole number, in Pillow's 8-bit HSV; a grey channel stays as it is."""
    if patches.shape[-1] == 1:
        return patches
    turned, strength, value = rgb_to_hsv(patches).unbind(-1)
    shift = (factors.double() * 255).int()[:, None, None]
    return hsv_to_rgb(torch.stack([(turned.int() + shift).remainder(256).to(torch.uint8), strength, value], -1))


def rgb_to_hsv(patches: Tensor) -> Tensor:
    """Pillow's `convert("HSV")`: (N, h, w, 3) uint8 -> the same."""
    levels = patches.int()
    red, green, blue = levels.unbind(-1)
    largest, smallest = levels.amax(-1), levels.amin(-1)
    chroma = (largest - smallest).clamp_min(1).float()
    from_red, from_green, from_blue = ((largest - level).float() / chroma for level in (red, green, blue))
    of_green = (2.0 + from_red.double() - from_blue.double()).float()
    of_blue = (4.0 + from_green.double() - from_red.double()).float()
    sixths = torch.where(largest == green, of_green, of_blue)
    sixths = torch.where(largest == red, from_blue - from_green, sixths)
    turned = (sixths.double() / 6.0 + 1.0).fmod(1.0).float()
    strength = chroma / largest.clamp_min(1).float()
    is_grey = largest == smallest
    scaled = [torch.where(is_grey, 0, (part.double() * 255.0).int().clamp(0, 255)) for part in (turned, strength)]
    return torch.stack([*scaled, largest], -1).to(torch.uint8)


def hsv_to_rgb(patches: Tensor) -> Tensor:
    """Pillow's `convert("RGB")` of HSV: (N, h, w, 3) uint8 -> the same."""
    turned, strength, value = patches.unbind(-1)
    sector = (turned.float().double() * 6.0 / 255.0).floor()
    rest = (turned.float().double() * 6.0 / 255.0 - sector.float().double()).float().double()
    grade = (strength.float().double() / 255.0).float().double()
    level = value.float().double()
    dark, falling, rising = (_rounded(level * (1.0 - share)) for share in (grade, grade * rest, grade * (1.0 - rest)))
    full = value.int()
    sectors = sector.int().remainder(6)
    colours = torch.stack(
        [
            torch.stack(channels, -1)
            for channels in (
                (full, rising, dark),
                (falling, full, dark),
                (dark, full, rising),
                (dark, falling, full),
                (rising, dark, full),
                (full, dark, falling),
            )
        ],
        -2,
    )
    chosen = colours.gather(-2, sectors[..., None, None].long().expand(*sectors.shape, 1, 3)).squeeze(-2)
    return torch.where(strength[..., None] == 0, full[..., None], chosen).to(torch.uint8)


def _rounded(values: Tensor) -> Tensor:
    """C's `round`, half away from zero, within 0 to 255."""
    return (values + 0.5).floor().clamp(0, 255).int()
