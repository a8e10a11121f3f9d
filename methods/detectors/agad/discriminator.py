"""AGAD's discriminator: whether an image is real, and the features that make it think so (AGAD spec 3.3)."""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from torch import Tensor, nn

from methods.detectors.agad.batch_norm import StreamNorm, initialise
from methods.nn.precision import autocast, full_precision


class DiscriminatorOutput(NamedTuple):
    """Logits of being real (n,), whose sigmoid is the paper's y, and features z (n, ...)."""

    logits: Tensor
    z: Tensor


@dataclass(frozen=True)
class DiscriminatorPlan:
    """A discriminator of kind `ganomaly`, `literal` or `skip_ganomaly` (A14) on images of `channels` and `side` pixels.

    nz: channels of skip_ganomaly's embedding. auxiliary: a second set of batch norms (A29).
    """

    kind: str
    side: int
    channels: int
    width: int
    nz: int
    slope: float
    init: str
    auxiliary: bool


class Discriminator(nn.Module):
    """Images (n, C, S, S) -> `DiscriminatorOutput`, 4x4 convolutions without bias; the classifier runs in float32."""

    def __init__(self, plan: DiscriminatorPlan) -> None:
        super().__init__()
        if plan.kind == "literal":
            widths = [plan.channels, plan.width, 2 * plan.width]
            layers = [layer for before, after in pairwise(widths) for layer in _block(plan, before, after)]
            last = nn.Conv2d(widths[-1], 1, plan.side // 4, bias=False)
        else:
            widths = [plan.width << stage for stage in range(plan.side.bit_length() - 3)]
            layers = [nn.Conv2d(plan.channels, widths[0], 4, 2, 1, bias=False), nn.LeakyReLU(plan.slope)]
            layers += [layer for before, after in pairwise(widths) for layer in _block(plan, before, after)]
            last = nn.Conv2d(widths[-1], 1, 4, bias=False)
        if plan.kind == "skip_ganomaly":
            layers.append(nn.Conv2d(widths[-1], plan.nz, 4, bias=False))
            last = nn.Conv2d(plan.nz, 1, 3, padding=1, bias=False)
        self.features = nn.Sequential(*layers)
        self.classifier = last
        initialise(self, plan.init)

    def forward(self, images: Tensor) -> DiscriminatorOutput:
        z = full_precision(self.features(images))
        with autocast(images.device, "fp32"):
            return DiscriminatorOutput(self.classifier(z).flatten(), z)


def _block(plan: DiscriminatorPlan, before: int, after: int) -> list[nn.Module]:
    norm = StreamNorm(after, auxiliary=plan.auxiliary)
    return [nn.Conv2d(before, after, 4, 2, 1, bias=False), norm, nn.LeakyReLU(plan.slope)]
