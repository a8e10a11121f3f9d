"""The image pyramid: one trunk sees each image at several sizes."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.backbones.table import BACKBONES
from methods.nn.precision import autocast, full_precision


def nearest(images: Tensor, size: int) -> Tensor:
    """(B, C, S, S) -> (B, C, size, size), channels last; row k is source row floor(k S / size) (spec 1.6)."""
    rows = torch.arange(size, device=images.device) * images.shape[-1] // size
    return images.permute(0, 2, 3, 1).index_select(1, rows).index_select(2, rows).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Pyramid:
    """Level s is the full-size tensor resampled to floor(S / 2^s), not the level before (spec 1.6, D19)."""

    n_scales: int
    resample: str

    def levels(self, images: Tensor) -> list[Tensor]:
        """The tensors (B, C, S / 2^s, S / 2^s) of all levels, full size first."""
        size = images.shape[-1]
        return [images, *(self._resized(images, size >> level) for level in range(1, self.n_scales))]

    def _resized(self, images: Tensor, size: int) -> Tensor:
        if self.resample == "nearest":
            return nearest(images, size)
        antialias = self.resample == "antialias"
        return F.interpolate(images, size=(size, size), mode="bilinear", align_corners=False, antialias=antialias)


@dataclass(frozen=True)
class PyramidTrunk:
    """Runs a trunk over the levels of a pyramid, under autocast where the precision is bf16 and kernels bear it."""

    pyramid: Pyramid
    arch: str
    precision: str

    def __call__(self, trunk: nn.Module, images: Tensor) -> list[Tensor]:
        """Feature maps (B, C, h, w) of each level, never below float32."""
        with autocast(images.device, self.precision):
            maps = [self._maps(trunk, level) for level in self.pyramid.levels(images)]
        return [full_precision(level) for level in maps]

    def _maps(self, trunk: nn.Module, level: Tensor) -> Tensor:
        with autocast(level.device, BACKBONES[self.arch].precision_at(level.shape[-1], self.precision)):
            maps: Tensor = trunk(level)
        return maps
