"""SimCLR's colour operations on batches (N, C, S, S) in [0, 1], C = 1 or 3 (CSI spec 3)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from methods.uploads import upload

GREY_WEIGHTS = (0.299, 0.587, 0.114)
HUE_UNIT = 255 / 360
"""Turns that a hue draw of 1 stands for in the released code."""


def contrast(images: Tensor, factors: Tensor) -> Tensor:
    """clamp((x - m) f + m, 0, 1), m the mean of a channel of an image; `factors` (N, 1, 1, 1)."""
    means = images.mean((2, 3), keepdim=True)
    return ((images - means) * factors + means).clamp(0, 1)


def to_grey(images: Tensor) -> Tensor:
    """Weighted grey in three equal channels; one channel stays as it is."""
    if images.shape[1] == 1:
        return images
    weights = upload(torch.tensor(GREY_WEIGHTS, dtype=images.dtype), images.device)[:, None, None]
    return (images * weights).sum(1, keepdim=True).expand_as(images)


def chroma_hue(red: Tensor, green: Tensor, blue: Tensor) -> Tensor:
    """The released code's hue in turns: the angle in the chroma plane (C30)."""
    return torch.atan2(math.sqrt(3) * (green - blue), 2 * red - green - blue).div(2 * math.pi).remainder(1)


def hexagon_hue(red: Tensor, green: Tensor, blue: Tensor) -> Tensor:
    """The usual hue in turns, whose inverse `from_hsv` is; 0 for grey."""
    largest = torch.maximum(torch.maximum(red, green), blue)
    chroma = largest - torch.minimum(torch.minimum(red, green), blue)
    safe = torch.where(chroma > 0, chroma, 1)
    of_blue = (red - green) / safe + 4
    of_green = torch.where(largest == green, (blue - red) / safe + 2, of_blue)
    sixths = torch.where(largest == red, (green - blue) / safe, of_green)
    return sixths.div(6).remainder(1) * (chroma > 0)


HUES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {"csi_code": chroma_hue, "consistent": hexagon_hue}


def to_hsv(images: Tensor, hue: str) -> Tensor:
    """(N, 3, S, S) RGB -> hue in turns, saturation, value."""
    red, green, blue = images.unbind(1)
    value = images.amax(1)
    spread = value - images.amin(1)
    saturation = torch.where(value > 0, spread / torch.where(value > 0, value, 1), 0)
    return torch.stack([HUES[hue](red, green, blue), saturation, value], 1)


def from_hsv(hsv: Tensor) -> Tensor:
    """Hue in turns, saturation, value (N, 3, S, S) -> RGB, by the hexagon."""
    hue, saturation, value = hsv.unbind(1)
    chroma = value * saturation
    channels = []
    for shift in (5, 3, 1):
        sixths = (6 * hue + shift).remainder(6)
        channels.append(value - chroma * torch.minimum(sixths, 4 - sixths).clamp(0, 1))
    return torch.stack(channels, 1)


def jitter_hsv(images: Tensor, hues: Tensor, saturations: Tensor, values: Tensor, hue: str) -> Tensor:
    """Shift hues by draws (N, 1, 1), scale saturations and values, clamp to [0, 1]; the gradient is the identity.

    `hue` names the conversion. A grey channel has a value alone.
    """
    with torch.no_grad():
        if images.shape[1] == 1:
            result = (images * values[:, None]).clamp(0, 1)
        else:
            shifted, saturation, value = to_hsv(images, hue).unbind(1)
            changed = [(shifted + hues * HUE_UNIT).remainder(1), saturation * saturations, value * values]
            result = from_hsv(torch.stack(changed, 1).clamp(0, 1))
    through: Tensor = _StraightThrough.apply(images, result)
    return through


class _StraightThrough(torch.autograd.Function):
    """`result` on the way forward, the identity on `images` on the way back."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, images: Tensor, result: Tensor) -> Tensor:  # noqa: ARG004 - torch's signature
        return result

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ARG004 - torch's signature
        return gradient, None
