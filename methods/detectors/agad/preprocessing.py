"""Images as AGAD's networks see them: side, channels and range of the values (AGAD spec 2)."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.detectors.agad.params import AGADParams
from methods.devices import accumulated
from methods.errors import MethodError
from methods.nn.data.loader import in_batches
from methods.nn.data.samplers import Indices
from methods.uploads import Uploads
from protocols.images.store import Images

STORED = "bilinear_antialias"
BATCH = 512


class View(nn.Module):
    """8-bit images (B, h, w, 1 | 3) -> (B, C, S, S) float32: p / 255 at the side S, minus shift, by scale (A8-A10).

    Its state says how the images of the training were seen.
    """

    shift: Tensor
    scale: Tensor
    side_of_training: Tensor

    def __init__(self, resize: str, channels: int, side: int) -> None:
        super().__init__()
        self._resize = resize
        self.side = side
        self.register_buffer("shift", torch.zeros(channels, 1, 1))
        self.register_buffer("scale", torch.ones(channels, 1, 1))
        self.register_buffer("side_of_training", torch.tensor(side))

    @classmethod
    def of_training(cls, params: AGADParams, normal: Images) -> "View":
        """The view of a fit on these images; raises MethodError where they do not go with `images.resize`."""
        resize, scaling = params.images_resize, params.images_scaling
        side = normal.size if resize == STORED else params.images_side
        if not side:
            raise MethodError(f"agad.images.resize = {STORED} takes images of one size: --set agad.img_resize=squash")
        if resize != STORED and normal.size == side:
            raise MethodError(
                f"agad.images.resize = {resize} finds images of {side} pixels already: "
                f"pass --set agad.img_resize=none with it, or keep {STORED}"
            )
        replicated = params.images_grey == "three_channels"
        view = cls(resize, 3 if replicated else normal.channels, side)
        if scaling == "half":
            view.shift.fill_(0.5)
            view.scale.fill_(0.5)
        elif scaling == "per_channel":
            view._scale_by(normal)
        return view

    @classmethod
    def of_state(cls, params: AGADParams, state: Mapping[str, Tensor]) -> "View":
        view = cls(params.images_resize, len(state["shift"]), int(state["side_of_training"]))
        view.load_state_dict(dict(state))
        return view

    @property
    def channels(self) -> int:
        return len(self.shift)

    def taken(self, images: Images, index: Indices, uploads: Uploads) -> Tensor:
        """The images `index` as the networks see them."""
        inputs: Tensor = self(uploads.take(images, index))
        return inputs

    def forward(self, pixels: Tensor) -> Tensor:
        unit = self._sized(pixels.to(torch.float32).div_(255).permute(0, 3, 1, 2))
        return (unit - self.shift) / self.scale

    def to_unit(self, images: Tensor) -> Tensor:
        """The way back to [0, 1]; nothing is clipped."""
        return images * self.scale + self.shift

    def _sized(self, unit: Tensor) -> Tensor:
        side, (height, width) = self.side, unit.shape[-2:]
        if self._resize == "bilinear":
            return F.interpolate(unit, (side, side), mode="bilinear", align_corners=False)
        if self._resize == "zero_pad":
            if max(height, width) > side:
                raise MethodError(
                    f"images of {width} x {height} pixels cannot be padded to {side}: raise agad.images.side"
                )
            x, y = (side - width) // 2, (side - height) // 2
            return F.pad(unit, (x, side - width - x, y, side - height - y))
        return unit

    def _scale_by(self, images: Images) -> None:
        """Take mean and standard deviation of each channel over all pixels of the images."""
        sums, count = torch.zeros(2, images.channels, dtype=torch.float64), 0
        for _, pixels in in_batches(images, BATCH):
            values = (accumulated(pixels) / 255).flatten(0, 2)
            sums += torch.stack([values.sum(0), values.square().sum(0)])
            count += len(values)
        mean, square = sums / count
        std = (square - mean.square()).clamp_min(0).sqrt()
        if not bool((std > 0).all()):
            raise MethodError("the training images are all alike and cannot be scaled: --set agad.images.scaling=half")
        self.shift.copy_(mean[:, None, None])
        self.scale.copy_(std[:, None, None])
