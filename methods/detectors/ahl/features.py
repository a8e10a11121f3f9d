"""Feature maps of images under a frozen base, and the table that keeps them (spec ahl 2)."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from methods.detector import FitContext
from methods.detectors.dra.detector import LevelMaps
from methods.devices import placed
from methods.errors import MethodError
from methods.nn.data.loader import in_batches
from methods.nn.data.samplers import NORMAL, PSEUDO, SEEN, Indices
from methods.nn.data.transforms import normalise, rotate, rotation_angles
from methods.nn.networks.pyramid import Pyramid, PyramidTrunk
from methods.uploads import upload
from protocols.images.store import Images

TRUNK_PREFIX = "trunk."
TRUNK_BATCH = 32
"""Images that pass the trunk at a time; part of no parameter, since it changes rounding alone."""
TRAINING_ROTATION = 180.0
"""Degrees either way of the base's training transform (spec 1.4)."""


class FrozenTrunk(nn.Module):
    """The trunk of a fit that is done, in evaluation mode and without gradients."""

    def __init__(self, state: Mapping[str, Tensor], arch: str, pyramid: Pyramid, context: FitContext) -> None:
        """Raises MethodError where `state` holds no such trunk."""
        super().__init__()
        trunk = context.backbone(arch)
        own_state = {
            name.removeprefix(TRUNK_PREFIX): value for name, value in state.items() if name.startswith(TRUNK_PREFIX)
        }
        try:
            trunk.load_state_dict(own_state)
        except RuntimeError:
            raise MethodError(f"the base fit holds no trunk {arch}: its backbone must be that of AHL") from None
        self.trunk = placed(trunk, context.device).requires_grad_(requires_grad=False).eval()
        self._run = PyramidTrunk(pyramid, arch, context.precision)
        self._device = context.device

    def train(self, mode: bool = True) -> "FrozenTrunk":  # noqa: ARG002 - torch's signature
        """Stay in evaluation mode."""
        return super().train(mode=False)

    @torch.no_grad()
    def maps(self, inputs: Tensor) -> LevelMaps:
        """Normalised images (B, 3, S, S) -> the maps (B, h, w, C) of each level."""
        levels = self._run(self.trunk, inputs.to(self._device))
        return [level.permute(0, 2, 3, 1).contiguous() for level in levels]

    @torch.no_grad()
    def single_image_maps(self, inputs: Tensor) -> LevelMaps:
        """As `maps`, with the batch statistics of each image alone; those of the trunk stay (H16)."""
        norms = [layer for layer in self.trunk.modules() if isinstance(layer, nn.BatchNorm2d)]
        kept = [(norm.track_running_stats, norm.running_mean, norm.running_var) for norm in norms]
        for norm in norms:
            norm.track_running_stats, norm.running_mean, norm.running_var = False, None, None
        try:
            parts = [self.maps(image[None]) for image in inputs]
        finally:
            for norm, values in zip(norms, kept, strict=True):
                norm.track_running_stats, norm.running_mean, norm.running_var = values
        return [torch.cat(level) for level in zip(*parts, strict=True)]


def image_maps(
    trunk: FrozenTrunk, images: Images, rotation: Callable[[int], torch.Generator] | None = None
) -> LevelMaps:
    """The maps (n, h, w, C) of each level of all images, each rotated by its own angle where `rotation` draws one."""

    def inputs() -> Iterable[Tensor]:
        for span, pixels in in_batches(images, TRUNK_BATCH):
            if rotation is None:
                yield normalise(pixels)
            else:
                numbers = range(span.start, span.stop)
                angles = torch.cat([rotation_angles(1, TRAINING_ROTATION, rotation(number)) for number in numbers])
                yield normalise(rotate(pixels, angles))

    return joined([trunk.maps(batch) for batch in inputs()])


def joined(parts: Sequence[LevelMaps]) -> LevelMaps:
    """Batches of maps one after another, level by level."""
    return [torch.cat(level) for level in zip(*parts, strict=True)]


class MapTable:
    """Stored maps (rows, h, w, C) of each level, on the run's device: normals, then seen, then pseudo anomalies."""

    def __init__(
        self, levels: LevelMaps, n_normal: int, n_seen: int, pseudo_rows: Mapping[tuple[str, int], int]
    ) -> None:
        self._levels = levels
        self.n_normal = n_normal
        self.n_seen = n_seen
        self._pseudo_rows = pseudo_rows

    def __len__(self) -> int:
        return len(self._levels[0])

    @property
    def labels(self) -> Indices:
        """Label of each row."""
        counts = {NORMAL: self.n_normal, SEEN: self.n_seen, PSEUDO: len(self) - self.n_normal - self.n_seen}
        return np.repeat([*counts], [*counts.values()])

    def take(self, rows: Indices) -> LevelMaps:
        """The maps (B, C, h, w) of each level, channels last in memory."""
        index = upload(torch.from_numpy(rows), self._levels[0].device)
        return [level.index_select(0, index).permute(0, 3, 1, 2) for level in self._levels]

    def seen_rows(self, indices: Indices) -> Indices:
        """Rows of seen anomalies."""
        return indices + self.n_normal

    def pseudo_rows(self, indices: Indices, kind: str | None) -> Indices:
        """Rows of the versions of a kind of these training normals."""
        return np.array([self._pseudo_rows[str(kind), int(index)] for index in indices], np.int64)
