"""The generative networks of CSI-GAN after SNGAN's residual network (CSI spec 7.1, C5)."""

import torch.nn.functional as F
from torch import Tensor, nn

from methods.detectors.csi_gan.sngan import ENCODER_SLOPE, GANPlan, bounded

GENERATOR, DISCRIMINATOR = 4, 2
"""Channels of each network, as multiples of the plan's width: 256 and 128."""
PLAIN_BLOCKS = 2


class UpBlock(nn.Module):
    """Batch norm, ReLU, nearest up-sampling, 3x3 convolution; batch norm, ReLU, another one; beside a 1x1 path."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.shortcut = nn.Conv2d(width, width, 1)

    def forward(self, maps: Tensor) -> Tensor:
        inner = self.conv1(F.interpolate(F.relu(self.norm1(maps)), scale_factor=2))
        both: Tensor = self.shortcut(F.interpolate(maps, scale_factor=2)) + self.conv2(F.relu(self.norm2(inner)))
        return both


class DownBlock(nn.Module):
    """Two 3x3 convolutions after activations, and average pooling where `pool`; a 1x1 path where anything changes.

    With `first` it takes images: no activation before the first convolution, and the path pools first.
    """

    def __init__(
        self, before: int, width: int, *, pool: bool = True, first: bool = False, normed: bool = False
    ) -> None:
        super().__init__()
        self._pool, self._first = pool, first
        self._slope = ENCODER_SLOPE if normed else 0.0
        self.norm1: nn.Module = nn.BatchNorm2d(before) if normed else nn.Identity()
        self.norm2: nn.Module = nn.BatchNorm2d(width) if normed else nn.Identity()
        self.conv1, self.conv2 = nn.Conv2d(before, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        self.shortcut: nn.Module = nn.Conv2d(before, width, 1) if pool or before != width else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        inner = maps if self._first else F.leaky_relu(self.norm1(maps), self._slope)
        inner = self.conv2(F.leaky_relu(self.norm2(self.conv1(inner)), self._slope))
        if not self._pool:
            both: Tensor = inner + self.shortcut(maps)
        elif self._first:
            both = F.avg_pool2d(inner, 2) + self.shortcut(F.avg_pool2d(maps, 2))
        else:
            both = F.avg_pool2d(inner + self.shortcut(maps), 2)
        return both


class ResNetGenerator(nn.Module):
    """Latents (n, d) -> images (n, C, S, S)."""

    def __init__(self, plan: GANPlan) -> None:
        super().__init__()
        width = GENERATOR * plan.width
        self._shape = (width, plan.start, plan.start)
        self.first = nn.Linear(plan.latent, width * plan.start**2)
        blocks = [UpBlock(width) for _ in range(plan.stages)]
        last = nn.Conv2d(width, plan.channels, 3, padding=1)
        self.rest = nn.Sequential(*blocks, nn.BatchNorm2d(width), nn.ReLU(), last, bounded(plan))

    def forward(self, latents: Tensor) -> Tensor:
        images: Tensor = self.rest(self.first(latents).reshape(-1, *self._shape))
        return images


class ResNetEncoder(nn.Module):
    """The generator's mirror with average pooling: images (n, C, S, S) -> codes (n, d), or (n, 2 d) where Gaussian."""

    def __init__(self, plan: GANPlan) -> None:
        super().__init__()
        width, normed = GENERATOR * plan.width, plan.encoder != "spectral"
        blocks = [DownBlock(width, width, normed=normed) for _ in range(plan.stages)]
        norm = [nn.BatchNorm2d(width)] if normed else []
        self.layers = nn.Sequential(
            nn.Conv2d(plan.channels, width, 3, padding=1),
            *blocks,
            *norm,
            nn.LeakyReLU(ENCODER_SLOPE),
            nn.Flatten(),
            nn.Linear(width * plan.start**2, plan.codes),
        )

    def forward(self, images: Tensor) -> Tensor:
        codes: Tensor = self.layers(images)
        return codes


class ResNetDiscriminator(nn.Module):
    """Images (n, C, S, S) -> logits (n,): blocks down to twice the smallest side, two plain ones, sum over space."""

    def __init__(self, plan: GANPlan) -> None:
        super().__init__()
        width = DISCRIMINATOR * plan.width
        blocks = [DownBlock(plan.channels, width, first=True)]
        blocks += [DownBlock(width, width) for _ in range(plan.stages - 2)]
        blocks += [DownBlock(width, width, pool=False) for _ in range(PLAIN_BLOCKS)]
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Linear(width, 1, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.last(F.relu(self.blocks(images)).sum((2, 3)))
        return logits.squeeze(1)
