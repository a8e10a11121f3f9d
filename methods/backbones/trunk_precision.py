"""In which precision a trunk runs on images of a side, known without torch.

The bf16 weight gradient of a 3x3 convolution with stride 2 on a 1x1 map is read from memory that nobody wrote (oneDNN
of torch 2.14, AMX and AVX-512): other bits each time, at times NaN. A pass that would get there runs in float32.
"""

from collections.abc import Mapping

REDUCTION: Mapping[str, int] = {"resnet18": 16, "resnet18_small_stem": 4, "vgg16": 0}
"""Side of an image over that of the map before the last 3x3 convolution with stride 2; 0 where there is none."""


def precision_at(arch: str, side: int, precision: str) -> str:
    """`precision`, or fp32 where that convolution of `arch` would see a 1x1 map of images with `side` pixels."""
    return "fp32" if side <= REDUCTION[arch] else precision


def level_precisions(arch: str, size: int, levels: int, precision: str) -> tuple[str, ...]:
    """The precision of each level of an image pyramid, full size first."""
    return tuple(precision_at(arch, size >> level, precision) for level in range(levels))
