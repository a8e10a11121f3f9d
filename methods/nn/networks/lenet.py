"""The small network that Deep SAD's authors use for 32-pixel images, and the decoder that pre-trains it (spec 8)."""

import itertools
from collections.abc import Iterable

import torch.nn.functional as F
from torch import Tensor, nn

SIZE = 32
CONVOLUTION_WIDTHS = (32, 64, 128)
CODE = 128
_SIDE = SIZE >> len(CONVOLUTION_WIDTHS)
_SLOPE = 0.01
_EPS = 1e-4


class LeNet(nn.Module):
    """Three 5x5 convolutions with batch norm, leaky ReLU and pool, then a linear layer; nothing has a bias or scale.

    (B, 3, 32, 32) -> (B, 128).
    """

    def __init__(self) -> None:
        super().__init__()
        self.convs = _convolutions((3, *CONVOLUTION_WIDTHS))
        self.norms = nn.ModuleList(nn.BatchNorm2d(width, eps=_EPS, affine=False) for width in CONVOLUTION_WIDTHS)
        self.project = nn.Linear(CONVOLUTION_WIDTHS[-1] * _SIDE**2, CODE, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        for conv, norm in zip(self.convs, self.norms, strict=True):
            images = F.max_pool2d(F.leaky_relu(norm(conv(images)), _SLOPE), 2)
        codes: Tensor = self.project(images.flatten(1))
        return codes


class LeNetDecoder(nn.Module):
    """The encoder's mirror: (B, 128) as 8 maps of 4x4, four 5x5 convolutions, each but the last doubled in size.

    (B, 128) -> (B, 3, 32, 32) in [0, 1].
    """

    def __init__(self) -> None:
        super().__init__()
        widths = (CODE // _SIDE**2, *reversed(CONVOLUTION_WIDTHS), 3)
        self.convs = _convolutions(widths)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width, eps=_EPS, affine=False) for width in widths[1:-1])

    def forward(self, codes: Tensor) -> Tensor:
        maps = F.leaky_relu(codes.reshape(len(codes), -1, _SIDE, _SIDE), _SLOPE)
        for conv, norm in zip(self.convs, self.norms, strict=False):
            maps = F.interpolate(F.leaky_relu(norm(conv(maps)), _SLOPE), scale_factor=2)
        pixels: Tensor = self.convs[-1](maps)
        return pixels.sigmoid()


def _convolutions(widths: Iterable[int]) -> nn.ModuleList:
    """5x5 convolutions that keep the size, from each width to the next."""
    return nn.ModuleList(nn.Conv2d(a, b, 5, padding=2, bias=False) for a, b in itertools.pairwise(widths))
