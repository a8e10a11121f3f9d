"""The Frechet distance between generated and real images, as torchmetrics takes it (CSI spec 7.5, C25).

On the Inception network of the metric's authors it is FID; on any other network it has that network's name
(`methods.measures.request.fid_name`).
"""

import importlib
import io
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import inception_v3

from methods.backbones.find import RANDOM, WeightsFile, read
from methods.backbones.table import BACKBONES
from methods.detector import FitContext
from methods.devices import accumulated
from methods.measures.request import INCEPTION

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CHANNELS, CLASSES = BACKBONES[INCEPTION].channels, 1008
"""Of FID's network: its last features, and the outputs of its classifier, which is not used."""


class MeasureNetwork(nn.Module, ABC):
    """8-bit colour images (n, 3, S, S) -> features (n, num_features) float64, pooled over positions."""

    num_features: int

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        return accumulated(self.pooled(images))

    @abstractmethod
    def pooled(self, images: Tensor) -> Tensor: ...


class TrunkFeatures(MeasureNetwork):
    """A trunk at the 224 pixels and with the normalisation that it was trained with."""

    def __init__(self, arch: str, context: FitContext) -> None:
        super().__init__()
        self.network, self.num_features = context.backbone(arch), BACKBONES[arch].channels

    def pooled(self, images: Tensor) -> Tensor:
        mean, std = (torch.tensor(values, device=images.device)[:, None, None] for values in (MEAN, STD))
        maps: Tensor = self.network((_resized(images, 224) - mean) / std)
        return maps.mean((2, 3))


class TorchvisionInception(MeasureNetwork):
    """torchvision's Inception-v3 at 299 pixels in [-1, 1], up to its classifier."""

    num_features = CHANNELS

    def __init__(self, file: WeightsFile, context: FitContext) -> None:
        super().__init__()
        with context.seeded(f"measure.{file.arch}"):
            self.network = inception_v3(aux_logits=False, init_weights=file.digest == RANDOM)
        self.network.fc = nn.Identity()  # pyright: ignore[reportAttributeAccessIssue] - a module takes any module
        if file.digest != RANDOM:
            self.network.load_state_dict(read(file))

    def pooled(self, images: Tensor) -> Tensor:
        codes: Tensor = self.network(2 * _resized(images, 299) - 1)
        return codes


class FIDInception(MeasureNetwork):
    """torch-fidelity's port of the network that FID is defined on; it resizes images as the metric's authors did."""

    num_features = CHANNELS

    def __init__(self, file: WeightsFile) -> None:
        super().__init__()
        classifier = {"fc.weight": torch.zeros(CLASSES, CHANNELS), "fc.bias": torch.zeros(CLASSES)}
        # The library would run code that a file holds: it is given tensors that were read without.
        tensors = io.BytesIO()
        torch.save(read(file) | classifier, tensors)
        tensors.seek(0)
        library: Any = importlib.import_module("torch_fidelity.feature_extractor_inceptionv3")
        self.network = library.FeatureExtractorInceptionV3(
            "fid", [str(CHANNELS)], feature_extractor_weights_path=tensors
        )

    def pooled(self, images: Tensor) -> Tensor:
        codes: Tensor = self.network(images)[0]
        return codes


def features(arch: str, context: FitContext) -> MeasureNetwork:
    """The network of `arch` with the weights that this run resolved, in evaluation mode, on the run's device."""
    file = context.weights[arch]
    network: MeasureNetwork
    if arch == INCEPTION and file.digest != RANDOM:
        network = FIDInception(file)
    elif arch in {INCEPTION, "inception_v3"}:
        network = TorchvisionInception(file, context)
    else:
        network = TrunkFeatures(arch, context)
    return network.requires_grad_(requires_grad=False).eval().to(context.device)


def distance(network: MeasureNetwork, real: Iterable[Tensor], generated: Iterable[Tensor]) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of the features' means m and covariances C, in float64.

    `real` and `generated` are batches (n, 1 | 3, S, S) in [0, 1], each of two images or more in all; they are rounded
    to eight bits.
    """
    library: Any = importlib.import_module("torchmetrics.image.fid")
    metric = library.FrechetInceptionDistance(feature=network)
    for batches, is_real in ((real, True), (generated, False)):
        for images in batches:
            device = accumulated(images[:0]).device  # on which the metric keeps its sums
            metric.to(device).update(_pixels(images).to(device), real=is_real)
    return float(metric.compute())


def _pixels(images: Tensor) -> Tensor:
    return images.detach().clamp(0, 1).mul(255).round().to(torch.uint8).expand(-1, 3, -1, -1)


def _resized(images: Tensor, side: int) -> Tensor:
    """In [0, 1], bilinearly; no pixel is lost where the images are larger."""
    unit = images.to(torch.float32) / 255
    return F.interpolate(unit, (side, side), mode="bilinear", align_corners=False, antialias=True)
