"""CSI's feature extractor: a ResNet-18 of any width with a projection head and a shift classifier (CSI spec 2)."""

from typing import NamedTuple

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from methods.nn.precision import autocast, full_precision

EMBEDDING = 128
FLOAT32_UP_TO = {"imagenet": 16, "small": 4}
"""By the stem: the side up to which images are passed on in float32, see `methods.backbones.table.Backbone`."""


class FeatureOutputs(NamedTuple):
    """Pooled features (N, 8 width), projections z (N, 128) that are not normalised, and shift logits (N, K)."""

    features: Tensor
    z: Tensor
    logits: Tensor


class ResNet18(nn.Module):
    """ResNet-18 from scratch. Its stem is "small" (3x3, stride 1, no pool) or "imagenet" (7x7, stride 2, pool).

    The small one keeps PyTorch's initialisation, the other has Kaiming normal (fan out). (N, C, S, S) -> (N, 8 width).
    """

    def __init__(self, width: int, stem: str, channels: int) -> None:
        super().__init__()
        small = stem == "small"
        self.conv1 = nn.Conv2d(channels, width, 3 if small else 7, 1 if small else 2, 1 if small else 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, 2, 1)
        self.layers = nn.Sequential(*(_stage(width << max(stage - 1, 0), width << stage, stage) for stage in range(4)))
        if not small:
            _kaiming(self)

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.layers(self.maxpool(self.relu(self.bn1(self.conv1(images)))))
        return maps.mean((2, 3))


class FeatureNetwork(nn.Module):
    """Trunk, projection head and linear shift classifier on the trunk's features; images (N, C, S, S) in [0, 1]."""

    def __init__(self, width: int, stem: str, channels: int, shifts: int, precision: str) -> None:
        super().__init__()
        self._precision = precision
        self._stem = stem
        size = 8 * width
        self.trunk = ResNet18(width, stem, channels)
        self.project = nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, EMBEDDING))
        self.shift = nn.Linear(size, shifts)

    def forward(self, images: Tensor) -> FeatureOutputs:
        precision = "fp32" if images.shape[-1] <= FLOAT32_UP_TO[self._stem] else self._precision
        with autocast(images.device, precision):
            features = self.trunk(images * 2 - 1)
        features = full_precision(features)
        return FeatureOutputs(features, self.project(features), self.shift(features))


def _stage(before: int, width: int, stage: int) -> nn.Sequential:
    stride = 1 if stage == 0 else 2
    shortcut = None
    if stage:
        # Every second pixel, then a plain 1x1 convolution: with up to 8 channels, channels last and 48 pixels or more
        # the backward pass of the strided one writes beyond its memory (torch 2.14, oneDNN, CPU with AVX-512).
        pick, path = nn.AvgPool2d(1, stride), nn.Conv2d(before, width, 1, bias=False)
        shortcut = nn.Sequential(pick, path, nn.BatchNorm2d(width))
    return nn.Sequential(BasicBlock(before, width, stride, shortcut), BasicBlock(width, width))


def _kaiming(module: nn.Module) -> None:
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
