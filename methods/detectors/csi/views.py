"""CSI's views of images: flip, shift, colour jitter, grey, random crop and, optionally, blur (CSI spec 3)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from methods.detector import FitContext
from methods.detectors.csi import colour, crops
from methods.detectors.csi.crops import Scale
from methods.detectors.csi.params import ContrastiveParams
from methods.nn.data.samplers import Indices
from methods.nn.data.transforms import to_unit
from methods.uploads import upload
from protocols.images.decode import Pixels
from protocols.images.store import Images

JITTER_DRAWS = 6
"""Draws of one image beside its crop and blur: jitter, contrast, hue, saturation, value, grey."""
BLUR_DRAWS = 2
VIEW_DRAWS = JITTER_DRAWS + BLUR_DRAWS + crops.BOX_DRAWS
BLUR_PROBABILITY = 0.5
BLUR_SIGMA = (0.1, 2.0)


def rotated(images: Tensor, shift: int) -> Tensor:
    """Counter-clockwise by `shift` quarter turns."""
    return torch.rot90(images, shift, (2, 3))


def permuted(images: Tensor, shift: int) -> Tensor:
    """Halves swapped: 1 left and right, 2 top and bottom, 3 both."""
    half = images.shape[-1] // 2
    moved = images.roll(half, 2) if shift & 2 else images
    return moved.roll(half, 3) if shift & 1 else moved


def unshifted(images: Tensor, _: int) -> Tensor:
    return images


SHIFTS: dict[str, tuple[Callable[[Tensor, int], Tensor], int]] = {
    "rotation": (rotated, 4),
    "cutperm": (permuted, 4),
    "none": (unshifted, 1),
}
"""Each kind of shift, and how many there are, the identity included."""


@dataclass(frozen=True)
class AugmentationDraw:
    """The uniform draws of one forward pass: stream and step name them, so no generator is carried along.

    With `alike` all rows of the draws for crops and flips are the first: every image is cut alike.
    """

    context: FitContext
    stream: str
    step: tuple[int, ...]
    alike: bool = False

    def table(self, name: str, rows: int, columns: int) -> Tensor:
        """(rows, columns) float64 in [0, 1) on the CPU; a row does not depend on how many follow it."""
        generator = self.context.generator(f"{self.stream}.{name}", *self.step)
        return torch.rand(rows, columns, generator=generator, dtype=torch.float64)

    def starts(self, rows: int) -> Tensor:
        """The draws of flips and, where these come first, of crops."""
        columns = 1 + crops.BOX_DRAWS
        return self.table("start", 1, columns).expand(rows, -1) if self.alike else self.table("start", rows, columns)


@dataclass(frozen=True)
class Views:
    """Makes views of images as tensors (N, C, S, S) in [0, 1], C = 1 or 3.

    `source` "array" takes square images from the store and crops last, by grid sampling; "files" takes images of
    their own size, and crops first: real ones by Pillow to `size`, synthetic ones by grid sampling.
    """

    context: FitContext
    source: str
    size: int
    one_channel: bool
    shift: str
    hue: str
    blur: bool
    jitter_probability: float
    grey_probability: float
    strengths: tuple[float, float, float, float]
    scale: Scale

    @classmethod
    def from_params(cls, params: ContrastiveParams, context: FitContext) -> Self:
        return cls(
            context=context,
            source=params.views_source,
            size=params.views_size,
            one_channel=params.input_grey == "one_channel",
            shift=params.shift_kind,
            hue=params.augment_hue_formula,
            blur=params.augment_blur,
            jitter_probability=params.augment_jitter_prob,
            grey_probability=params.augment_grey_prob,
            strengths=(
                params.augment_brightness,
                params.augment_contrast,
                params.augment_saturation,
                params.augment_hue,
            ),
            scale=Scale(params.augment_crop_min, 1.0),
        )

    @property
    def shifts(self) -> int:
        return SHIFTS[self.shift][1]

    def channels(self, images: Images) -> int:
        """Number of channels of the views of `images`."""
        return 1 if images.channels == 1 and self.one_channel else 3

    def side(self, images: Images) -> int:
        """The side of the views of `images` in pixels."""
        return self.size if self.source == "files" else images.size

    def whole(self, images: Images, index: Indices) -> Tensor:
        """The images `index` as they are; from files the square in the middle of the shorter side resized."""
        if self.source == "array":
            return self._unit(self.context.uploads.take(images, index))
        return self._stacked([crops.centre(crops.opened(images.one(i), self._resized), self.size) for i in index])

    def base(
        self, images: Images, index: Indices, views: int, draw: AugmentationDraw, scale: Scale | None = None
    ) -> Tensor:
        """Views of real images before the shift: (views * B, C, S, S), one view after another."""
        if self.source == "array":
            return self.base_of(self.whole(images, index), views, draw, scale)
        draws = draw.starts(views * len(index))
        pictures = [crops.opened(images.one(i), self._resized) for i in index]
        cuts = [
            crops.random_cut(picture, row[1:], self.size, scale or self.scale)
            for picture, row in zip(pictures * views, draws, strict=True)
        ]
        return self._flipped(self._stacked(cuts), draws[:, 0])

    def base_of(self, whole: Tensor, views: int, draw: AugmentationDraw, scale: Scale | None = None) -> Tensor:
        """The same of tensors (B, C, S, S), differentiable: flipped, and where crops come first cropped."""
        draws = draw.starts(views * len(whole))
        repeated = whole.repeat(views, 1, 1, 1)
        if self.source == "files":
            repeated = crops.cut(repeated, crops.boxes(draws[:, 1:], whole.shape[-1], scale or self.scale))
        return self._flipped(repeated, draws[:, 0])

    def shifted(
        self,
        base: Tensor,
        views: int,
        draw: AugmentationDraw,
        *,
        shifts: int | None = None,
        scale: Scale | None = None,
        flips_anew: bool = False,
    ) -> Tensor:
        """All shifts of base views, augmented: (views * K * B, C, S, S) in the order view, shift, image.

        With `flips_anew` each image is flipped or not before each shift, by draws of their own.
        """
        count = self.shifts if shifts is None else shifts
        apply = SHIFTS[self.shift][0]
        images = len(base) // views
        starts = [base] * count
        if flips_anew:
            starts = [self._flipped(base, flips) for flips in draw.table("flip", len(base), count).T]
        stacked = torch.stack([apply(start, k) for k, start in enumerate(starts)])
        turned = stacked.reshape(count, views, images, *base.shape[1:]).transpose(0, 1)
        table = draw.table("view", len(base), count * VIEW_DRAWS).reshape(views, images, count, VIEW_DRAWS)
        draws = table.transpose(1, 2).reshape(-1, VIEW_DRAWS)
        contrast_first = bool(draw.table("order", 1, 1) < 0.5)
        return self._augmented(turned.flatten(0, 2), draws, contrast_first, scale or self.scale)

    def plain(self, whole: Tensor) -> Tensor:
        """All shifts of images (B, C, S, S) without any augmentation: (K * B, C, S, S)."""
        return torch.cat([SHIFTS[self.shift][0](whole, k) for k in range(self.shifts)])

    @property
    def _resized(self) -> int:
        """The shorter side before a crop: 256 for crops of 224."""
        return round(self.size * 8 / 7)

    def _augmented(self, images: Tensor, draws: Tensor, contrast_first: bool, scale: Scale) -> Tensor:
        jittered = self._jittered(images, draws, contrast_first)
        images = torch.where(_chosen(draws[:, 0], self.jitter_probability, images), jittered, images)
        grey = _chosen(draws[:, 5], self.grey_probability, images)
        images = torch.where(grey, colour.to_grey(images), images)
        if self.source == "array":
            images = crops.cut(images, crops.boxes(draws[:, JITTER_DRAWS + BLUR_DRAWS :], images.shape[-1], scale))
        return blurred(images, draws[:, JITTER_DRAWS : JITTER_DRAWS + BLUR_DRAWS]) if self.blur else images

    def _jittered(self, images: Tensor, draws: Tensor, contrast_first: bool) -> Tensor:
        brightness, contrast, saturation, hue = self.strengths
        centred = upload((2 * draws - 1).to(images.dtype), images.device)[:, :, None, None]
        hues, saturations = centred[:, 2] * hue, 1 + centred[:, 3] * saturation
        values, factors = 1 + centred[:, 4] * brightness, 1 + centred[:, 1:2] * contrast
        if contrast_first:
            return colour.jitter_hsv(colour.contrast(images, factors), hues, saturations, values, self.hue)
        return colour.contrast(colour.jitter_hsv(images, hues, saturations, values, self.hue), factors)

    def _flipped(self, images: Tensor, draws: Tensor) -> Tensor:
        return torch.where(_chosen(draws, 0.5, images), images.flip(3), images)

    def _stacked(self, pixels: list[Pixels]) -> Tensor:
        return self._unit(upload(torch.from_numpy(np.stack(pixels)), self.context.device))

    def _unit(self, pixels: Tensor) -> Tensor:
        images = to_unit(pixels)
        return images[:, :1] if self.one_channel and pixels.shape[-1] == 1 else images


def blurred(images: Tensor, draws: Tensor) -> Tensor:
    """Gaussian blur of about a tenth of the side (3 at 32, 23 at 224 pixels) on half of the images (C1).

    `draws` (N, 2): whether, and the place of sigma within its bounds.
    """
    radius = max(images.shape[-1] // 20, 1)
    low, high = BLUR_SIGMA
    sigma = low + draws[:, 1:] * (high - low)
    weights = (-(torch.arange(-radius, radius + 1) / sigma).square() / 2).exp()
    kernels = upload((weights / weights.sum(1, keepdim=True)).to(images.dtype), images.device)
    count, channels = images.shape[:2]
    kernels = kernels.repeat_interleave(channels, 0)[:, None]
    maps = F.pad(images, [radius] * 4, mode="reflect").reshape(1, count * channels, *_padded(images, radius))
    maps = F.conv2d(maps, kernels[..., None], groups=count * channels)
    maps = F.conv2d(maps, kernels[:, :, None], groups=count * channels)
    return torch.where(_chosen(draws[:, 0], BLUR_PROBABILITY, images), maps.reshape_as(images), images)


def _padded(images: Tensor, radius: int) -> tuple[int, int]:
    return images.shape[-2] + 2 * radius, images.shape[-1] + 2 * radius


def _chosen(draws: Tensor, probability: float, images: Tensor) -> Tensor:
    return upload(draws < probability, images.device)[:, None, None, None]
