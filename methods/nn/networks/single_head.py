"""A trunk and one head over the image pyramid: the network of DevNet, FLOS, SAOE, MLEP and MINNS (spec 1.6, 3)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from methods.backbones.table import BACKBONES
from methods.detector import FitContext
from methods.nn.networks.pyramid import Pyramid, PyramidTrunk


class SingleHeadNetwork(nn.Module):
    """The trunk of `arch`, and the head that `new_head` makes for its number of channels."""

    def __init__(self, arch: str, pyramid: Pyramid, context: FitContext, new_head: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self._run_trunk = PyramidTrunk(pyramid, arch, context.precision)
        self.trunk = context.backbone(arch)
        with context.seeded("head"):
            self.head = new_head(BACKBONES[arch].channels)

    def maps(self, images: Tensor) -> list[Tensor]:
        """Normalised images (B, 3, S, S) -> the feature maps (B, C, h, w) of each level, full size first."""
        return self._run_trunk(self.trunk, images)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, S, S) -> (levels, B, ...); what holds for an image is the mean over its levels."""
        return torch.stack([self.head(level) for level in self.maps(images)])
