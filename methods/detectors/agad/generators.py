"""AGAD's generators: naive encoder-decoder, UNet and UNet++ (paper Tables 7 and 8, AGAD spec 3.1, 3.2)."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.detectors.agad.batch_norm import StreamNorm, initialise
from methods.errors import MethodError
from methods.nn.precision import autocast, full_precision

LEVELS = 5
"""Of UNet and UNet++."""
OUTPUTS: dict[str, Callable[[], nn.Module]] = {"tanh": nn.Tanh, "none": nn.Identity, "sigmoid": nn.Sigmoid}
BOTTLENECKS = {"1x1": (1, 0), "2x2": (2, 1)}
"""Stride and padding of the naive generator's two middle layers: GANomaly's, and those of Table 7's caption."""


@dataclass(frozen=True)
class GeneratorPlan:
    """A generator: its kind, images of `channels` and `side` pixels, base width, and switches.

    kind: `naive`, `unet`, `unet_pix2pix` or `unetpp`. nz, bottleneck: the naive one's middle. auxiliary: a second
    set of batch norms. heads: 4 for UNet++ with deep supervision, else 1. output: one of `OUTPUTS`. init: "normal" or
    "default".
    """

    kind: str
    side: int
    channels: int
    width: int
    nz: int
    bottleneck: str
    slope: float
    heads: int
    output: str
    init: str
    auxiliary: bool


class Generator(nn.Module):
    """Images (n, C, S, S) -> images of the same shape. Heads and their activation run in float32 in any case."""

    def __init__(self, plan: GeneratorPlan) -> None:
        super().__init__()
        least = 32 if plan.kind == "unet_pix2pix" else 16
        if plan.side < least or plan.side & (plan.side - 1):
            sides = f"{least}, {2 * least}, {4 * least} ..."
            raise MethodError(f"agad takes images of {sides} pixels, not {plan.side}: --set agad.img_size=32")
        body, head = BODIES[plan.kind]
        self.body = body(plan)
        self.heads = nn.ModuleList(head(plan) for _ in range(plan.heads))
        self.output = OUTPUTS[plan.output]()
        initialise(self, plan.init)

    def forward(self, images: Tensor) -> Tensor:
        features = self.body(images)
        with autocast(images.device, "fp32"):
            outputs = [self.output(head(full_precision(maps))) for head, maps in zip(self.heads, features, strict=True)]
        return outputs[0] if len(outputs) == 1 else torch.stack(outputs).mean(0)


class Naive(nn.Module):
    """Convolutions 4x4 down to nz channels and transposed ones back up, without skip connections (Table 7)."""

    def __init__(self, plan: GeneratorPlan) -> None:
        super().__init__()
        widths = [plan.width << stage for stage in range(plan.side.bit_length() - 3)]
        stride, padding = BOTTLENECKS[plan.bottleneck]
        layers: list[nn.Module] = [_conv4(plan.channels, widths[0]), nn.LeakyReLU(plan.slope)]
        for before, after in pairwise(widths):
            layers += [_conv4(before, after), _norm(plan, after), nn.LeakyReLU(plan.slope)]
        layers += [
            nn.Conv2d(widths[-1], plan.nz, 4, stride, padding, bias=False),
            nn.ConvTranspose2d(plan.nz, widths[-1], 4, stride, padding, bias=False),
            _norm(plan, widths[-1]),
            nn.ReLU(),
        ]
        for before, after in pairwise(widths[::-1]):
            layers += [_up4(before, after), _norm(plan, after), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> list[Tensor]:
        return [self.layers(images)]


class UNet(nn.Module):
    """Five levels of two 3x3 convolutions, max pooling down, 2x2 transposed convolutions up (A12)."""

    def __init__(self, plan: GeneratorPlan) -> None:
        super().__init__()
        widths = _widths(plan)
        self.encoder = _encoder(plan)
        self.up = nn.ModuleList(nn.ConvTranspose2d(wide, narrow, 2, 2) for narrow, wide in pairwise(widths))
        self.decoder = nn.ModuleList(_node(plan, 2 * width, width) for width in widths[:-1])

    def forward(self, images: Tensor) -> list[Tensor]:
        skips = _encoded(self.encoder, images)
        maps = skips.pop()
        for skip, up, node in reversed(list(zip(skips, self.up, self.decoder, strict=True))):
            maps = node(torch.cat([skip, up(maps)], 1))
        return [maps]


class Column(nn.Module):
    """Nodes X(l, j) of UNet++ for one j > 0, with the up-sampling of the maps below each."""

    def __init__(self, plan: GeneratorPlan, number: int) -> None:
        super().__init__()
        pairs = list(pairwise(_widths(plan)))[: LEVELS - number]
        self.up = nn.ModuleList(nn.ConvTranspose2d(wide, narrow, 2, 2) for narrow, wide in pairs)
        self.nodes = nn.ModuleList(_node(plan, (number + 1) * narrow, narrow) for narrow, _ in pairs)

    def forward(self, rows: list[list[Tensor]]) -> list[list[Tensor]]:
        """The maps of each level so far -> those of each level but the last, with one more."""
        below = [row[-1] for row in rows[1:]]
        nodes = [up(maps) for up, maps in zip(self.up, below, strict=True)]
        return [
            [*row, node(torch.cat([*row, maps], 1))]
            for row, maps, node in zip(rows[:-1], nodes, self.nodes, strict=True)
        ]


class UNetPlusPlus(nn.Module):
    """UNet whose skip connections are nodes of their own: X(l, j) sees X(l, 0 .. j - 1) and X(l + 1, j - 1).

    Gives X(0, 4), or X(0, 1 .. 4) where there are four heads (A13).
    """

    def __init__(self, plan: GeneratorPlan) -> None:
        super().__init__()
        self._all = plan.heads > 1
        self.encoder = _encoder(plan)
        self.columns = nn.ModuleList(Column(plan, number) for number in range(1, LEVELS))

    def forward(self, images: Tensor) -> list[Tensor]:
        rows = [[maps] for maps in _encoded(self.encoder, images)]
        for column in self.columns:
            rows = column(rows)
        return rows[0][1:] if self._all else rows[0][-1:]


class Pix2PixUNet(nn.Module):
    """The UNet of Skip-GANomaly: five 4x4 convolutions of stride 2 and as many transposed ones (A12, Fig. 5's hint)."""

    def __init__(self, plan: GeneratorPlan) -> None:
        super().__init__()
        widths = [plan.width * factor for factor in (1, 2, 4, 8, 8)]
        down: list[nn.Module] = [_conv4(plan.channels, widths[0])]
        for before, after in pairwise(widths[:-1]):
            down.append(nn.Sequential(nn.LeakyReLU(plan.slope), _conv4(before, after), _norm(plan, after)))
        down.append(nn.Sequential(nn.LeakyReLU(plan.slope), _conv4(widths[-2], widths[-1])))
        self.down = nn.ModuleList(down)
        inward = [widths[-1], *(2 * width for width in widths[-2:0:-1])]
        outward = widths[-2::-1]
        self.up = nn.ModuleList(
            nn.Sequential(nn.ReLU(), _up4(before, after), _norm(plan, after))
            for before, after in zip(inward, outward, strict=True)
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        skips = []
        maps = images
        for layer in self.down:
            maps = layer(maps)
            skips.append(maps)
        skips.pop()
        for up, skip in zip(self.up, reversed(skips), strict=True):
            maps = torch.cat([skip, up(maps)], 1)
        return [maps]


def _widths(plan: GeneratorPlan) -> list[int]:
    return [plan.width << level for level in range(LEVELS)]


def _norm(plan: GeneratorPlan, channels: int) -> StreamNorm:
    return StreamNorm(channels, auxiliary=plan.auxiliary)


def _node(plan: GeneratorPlan, before: int, after: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (before, after):
        layers += [nn.Conv2d(channels, after, 3, padding=1, bias=False), _norm(plan, after), nn.ReLU()]
    return nn.Sequential(*layers)


def _encoder(plan: GeneratorPlan) -> nn.ModuleList:
    return nn.ModuleList(_node(plan, before, after) for before, after in pairwise([plan.channels, *_widths(plan)]))


def _encoded(encoder: nn.ModuleList, images: Tensor) -> list[Tensor]:
    """The maps of each level (n, width, S / 2^level, S / 2^level)."""
    outputs: list[Tensor] = []
    for node in encoder:
        outputs.append(node(F.max_pool2d(outputs[-1], 2) if outputs else images))
    return outputs


def _conv4(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 4, 2, 1, bias=False)


def _up4(before: int, after: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)


def _head1(plan: GeneratorPlan) -> nn.Module:
    return nn.Conv2d(plan.width, plan.channels, 1)


def _head4(plan: GeneratorPlan) -> nn.Module:
    return _up4(plan.width, plan.channels)


def _head_pix2pix(plan: GeneratorPlan) -> nn.Module:
    return nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(2 * plan.width, plan.channels, 4, 2, 1))


BODIES: dict[str, tuple[Callable[[GeneratorPlan], nn.Module], Callable[[GeneratorPlan], nn.Module]]] = {
    "naive": (Naive, _head4),
    "unet": (UNet, _head1),
    "unet_pix2pix": (Pix2PixUNet, _head_pix2pix),
    "unetpp": (UNetPlusPlus, _head1),
}
"""Of each kind the network below the heads, and a head."""
