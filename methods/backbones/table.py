"""The one table of networks whose weights are known: nodes that are read, published files, limits. Without torch."""

from collections.abc import Collection, Iterator, Mapping
from importlib.util import find_spec
from typing import Literal

import msgspec

from methods.errors import MethodError

TORCHVISION = "https://download.pytorch.org/models/"
LARGEST_UNTESTED = 64
"""Side in pixels up to which a network is passed images in float32 where its row says nothing."""


class GenuineFile(msgspec.Struct, frozen=True):
    """A published file of weights, known by all 64 digits of its SHA-256; torchvision's names have the first eight."""

    name: str
    url: str
    sha256: str
    mebibytes: float


class Backbone(msgspec.Struct, frozen=True, kw_only=True):
    """A network whose weights are known.

    `network` is its name in `source`, `options` are given to its constructor. `taps` are the nodes at which it may be
    read, from shallow to deep, with their channels: those of `torchvision.models.feature_extraction`, or modules of
    timm's `feature_info`. Tensors whose names start with a text of `classifier` belong to no trunk. `extra` is the
    extra of swanbench that brings the source. A network that `is_measure` is no backbone of a detector: measures are
    taken on it.

    `smallest` is the least side of an image in pixels. A pass of images whose side is at most `float32_up_to` runs in
    float32, whatever the precision of a run: the bf16 weight gradient of a 3x3 convolution with stride 2 on a 1x1 map
    is read from memory that nobody wrote (oneDNN of torch 2.14, AMX and AVX-512): other bits each time, at times NaN.
    """

    id: str
    source: Literal["torchvision", "timm"]
    network: str
    taps: dict[str, int]
    classifier: tuple[str, ...]
    genuine: tuple[GenuineFile, ...] = ()
    options: dict[str, bool] = {}
    extra: str = ""
    is_measure: bool = False
    smallest: int = 1
    float32_up_to: int = LARGEST_UNTESTED

    @property
    def deepest(self) -> str:
        """The node of the map that a detector with one map takes."""
        return tuple(self.taps)[-1]

    @property
    def channels(self) -> int:
        """Channels of the deepest map."""
        return self.taps[self.deepest]

    @property
    def is_installed(self) -> bool:
        """True where the package that has the network can be imported; imports nothing."""
        return not self.extra or find_spec(self.source) is not None

    @property
    def lacking(self) -> str | None:
        """The sentence that names the package which is not installed, if that is so."""
        return None if self.is_installed else f"{self.id} needs {self.source}: pip install 'swanbench[{self.extra}]'"

    def precision_at(self, side: int, precision: str) -> str:
        """`precision`, or fp32 where kernels do not bear it for images of `side` pixels.

        Raises MethodError where the network takes no images that small.
        """
        if side < self.smallest:
            text = "raise img_size, or lower the number of scales"
            raise MethodError(f"{self.id} takes images of {self.smallest} pixels or more, not of {side}: {text}")
        return "fp32" if side <= self.float32_up_to else precision


def _torchvision(name: str, sha256: str, mebibytes: float) -> GenuineFile:
    return GenuineFile(name, f"{TORCHVISION}{name}", sha256, mebibytes)


def _resnet(name: str, widths: tuple[int, ...], *genuine: GenuineFile, float32_up_to: int) -> Backbone:
    return Backbone(
        id=name,
        source="torchvision",
        network=name,
        taps={f"layer{stage}": width for stage, width in enumerate(widths, start=1)},
        classifier=("fc.",),
        genuine=genuine,
        float32_up_to=float32_up_to,
    )


# Digests as several public places give them. The two files of ResNet-18 hold the same values (spec 1.1).
_ROWS = (
    _resnet(
        "resnet18",
        (64, 128, 256, 512),
        _torchvision("resnet18-f37072fd.pth", "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec", 44.7),
        _torchvision("resnet18-5c106cde.pth", "5c106cde386e87d4033832f2996f5493238eda96ccf559d1d62760c4de0613f8", 44.7),
        float32_up_to=16,
    ),
    Backbone(
        id="vgg16",
        source="torchvision",
        network="vgg16",
        taps={"features.4": 64, "features.9": 128, "features.16": 256, "features.23": 512, "features.30": 512},
        classifier=("classifier.",),
        genuine=(
            _torchvision(
                "vgg16-397923af.pth", "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0", 527.8
            ),
        ),
        smallest=32,
        float32_up_to=0,
    ),
    Backbone(
        id="inception_v3",
        source="torchvision",
        network="inception_v3",
        taps={"avgpool": 2048},
        classifier=("fc.", "AuxLogits."),
        genuine=(
            _torchvision(
                "inception_v3_google-0cc3c7bd.pth",
                "0cc3c7bd75056d25e46cba549dc184522069b81e9787eff6df84f397bd52a5ef",
                103.9,
            ),
        ),
        options={"init_weights": False},
        is_measure=True,
    ),
    # The Inception network of FID's authors, as two packages publish the same bytes; its tensors have the names and
    # shapes of the one before, so that only its digest tells it.
    Backbone(
        id="fid_inception_v3",
        source="torchvision",
        network="inception_v3",
        taps={"avgpool": 2048},
        classifier=("fc.", "AuxLogits."),
        genuine=(
            GenuineFile(
                "pt_inception-2015-12-05-6726825d.pth",
                "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
                "pt_inception-2015-12-05-6726825d.pth",
                "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
                91.2,
            ),
            GenuineFile(
                "weights-inception-2015-12-05-6726825d.pth",
                "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
                "weights-inception-2015-12-05-6726825d.pth",
                "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
                91.2,
            ),
        ),
        options={"init_weights": False},
        is_measure=True,
    ),
    _resnet(
        "resnet50",
        (256, 512, 1024, 2048),
        _torchvision("resnet50-0676ba61.pth", "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a", 97.8),
        float32_up_to=16,
    ),
    _resnet(
        "wide_resnet50_2",
        (256, 512, 1024, 2048),
        _torchvision(
            "wide_resnet50_2-95faca4d.pth", "95faca4d11227dddf8633dbb5ff6c8a9003c1aa5b8945c73834b8007b10950b8", 131.8
        ),
        float32_up_to=16,
    ),
    Backbone(
        id="alexnet",
        source="torchvision",
        network="alexnet",
        taps={"features.2": 64, "features.5": 192, "features.12": 256},
        classifier=("classifier.",),
        genuine=(
            _torchvision(
                "alexnet-owt-7be5be79.pth", "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02", 233.1
            ),
        ),
        smallest=63,
    ),
    # Trained with masks, which no trunk has. Sides that are no multiple of 14 are padded.
    Backbone(
        id="dinov2_vits14",
        source="timm",
        network="vit_small_patch14_dinov2",
        taps={f"blocks.{block}": 384 for block in range(12)},
        classifier=("head.", "mask_token"),
        genuine=(
            GenuineFile(
                "dinov2_vits14_pretrain.pth",
                "https://dl.fbaipublicfiles.com/dinov2/dinov2_vits14/dinov2_vits14_pretrain.pth",
                "b938bf1bc15cd2ec0feacfe3a1bb553fe8ea9ca46a7e1d8d00217f29aef60cd9",
                84.2,
            ),
        ),
        options={"dynamic_img_size": True, "dynamic_img_pad": True},
        extra="timm",
    ),
)

BACKBONES: Mapping[str, Backbone] = {row.id: row for row in _ROWS}


def genuine_files() -> Iterator[tuple[Backbone, GenuineFile]]:
    """The published files with the network that each holds, in the order of the table."""
    return ((row, file) for row in BACKBONES.values() for file in row.genuine)


def installed_backbones() -> tuple[str, ...]:
    """Networks whose package is installed, so that files of their weights can be told."""
    return tuple(row.id for row in BACKBONES.values() if row.is_installed)


def fitting_backbones(nodes: Collection[str] = ()) -> tuple[str, ...]:
    """Values that a recipe's parameter `backbone` may have: the backbones that can be read at all of `nodes`."""
    return tuple(row.id for row in BACKBONES.values() if not row.is_measure and row.taps.keys() >= {*nodes})
