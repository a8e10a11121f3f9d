"""Baseline on the patches of a frozen network: distance of an image's patches from those of all normal images."""

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from methods.backbones.features import FeatureReader, FrozenNetwork
from methods.backbones.table import BACKBONES
from methods.detector import DeadlineReached, FitContext, TrainData
from methods.devices import accumulated, placed
from methods.errors import MethodError
from methods.nn.data.loader import batches
from methods.nn.data.transforms import normalise
from methods.nn.mapped_detector import upsampled
from methods.nn.params import Params, read_params
from methods.nn.precision import autocast, full_precision
from methods.uploads import upload
from protocols.images.store import Images
from protocols.text import plural

BANK = "bank"
Bank = list[tuple[Tensor, Tensor]]
"""Patches (n, d) of normal images, in parts, with their squared lengths (n,)."""
_ROWS = 1 << 16
"""Patches of the bank that are compared at once: memory, and no bit of a distance."""
_REMEMBERED = 1 << 14
"""Images whose distances are kept for the next list of images that has them too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchesParams:
    backbone: str
    nodes_above: int
    distance: Literal["euclidean", "cosine"]
    bank_patches: int | None
    top_share: float
    batch_size: int
    evaluation_batch: int = 64


class FrozenPatches:
    """A bank of the normals' patches; an image's score is the mean of the largest distances of its patches to it.

    A fit keeps no checkpoint: one that `--max-time` stopped starts over.
    """

    def __init__(self, params: Params, context: FitContext) -> None:
        self.params = read_params(PatchesParams, params)
        self.context = context
        self.history: dict[str, list[float]] = {}
        self._bank: Tensor | None = None
        self._known: dict[bytes, Tensor] = {}

    def fit(self, data: TrainData) -> None:
        """Raises MethodError where there is no normal image, and DeadlineReached where the time was over."""
        if not len(data.normal):
            raise MethodError("there are no normal training images to learn from: give at least one")
        parts, count = [], 0
        for patches in self._patches(data.normal, self.params.batch_size, is_fit=True):
            flat = patches.flatten(0, 2)
            parts.append(flat[self._chosen(count, patches, len(data.normal))])
            count += len(flat)
        self._bank = torch.cat(parts)
        self._known.clear()
        self.history = {"patches": [float(count)], "bank": [float(len(self._bank))]}

    def score(self, images: Images, batch: int | None = None) -> npt.NDArray[np.float64]:
        """Scores (n,), features of `batch` images at a time; MethodError before `fit` or `load`."""
        scores = [np.empty(0)]
        for patches in self._patches(images, self.params.evaluation_batch if batch is None else batch):
            distances = self._distances(patches).flatten(1)
            largest = distances.topk(max(1, int(self.params.top_share * distances.shape[1]))).values
            scores.append(accumulated(largest).mean(1).cpu().numpy())
        return np.concatenate(scores)

    def maps(self, images: Images, batch: int | None = None) -> npt.NDArray[np.float32]:
        """The distances of the patches, brought to the images' side S by bilinear interpolation: (n, S, S)."""
        parts = self._patches(images, self.params.evaluation_batch if batch is None else batch)
        maps = [upsampled(self._distances(patches), images.size).cpu().numpy() for patches in parts]
        return np.concatenate([np.empty((0, images.size, images.size), np.float32), *maps])

    def state(self) -> dict[str, Tensor]:
        return {} if self._bank is None else {BANK: self._bank}

    def load(self, state: Mapping[str, Tensor]) -> None:
        self._bank = state[BANK].to(self.context.device)
        self._known.clear()

    def _patches(self, images: Images, size: int, *, is_fit: bool = False) -> Iterator[Tensor]:
        """The patches (B, h, w, d) of `size` images at a time, of length 1 where angles are compared."""
        reader = self._reader()
        for index in batches(len(images), size):
            (maps,) = reader(images, index)
            patches = maps.permute(0, 2, 3, 1).contiguous()
            yield F.normalize(patches, dim=3) if self.params.distance == "cosine" else patches
            if is_fit:
                self.context.progress(int(index[-1]) + 1, len(images))
                if self.context.deadline is not None and time.monotonic() >= self.context.deadline:
                    raise DeadlineReached

    def _reader(self) -> FeatureReader:
        arch, layer, device = self.params.backbone, self._layer(), self.context.device
        trunk = placed(self.context.backbone(arch, [layer]).requires_grad_(requires_grad=False).eval(), device)

        def maps(pixels: Tensor) -> list[Tensor]:
            with autocast(torch.device(device), self.context.precision):
                (level,) = trunk(normalise(upload(pixels, device)))
            return [full_precision(level)]

        return self.context.features.reader(FrozenNetwork(trunk, arch, (layer,), "imagenet", maps))

    def _layer(self) -> str:
        nodes = tuple(BACKBONES[self.params.backbone].taps)
        if self.params.nodes_above >= len(nodes):
            raise MethodError(
                f"{self.params.backbone} is read at {plural(len(nodes), 'node')}: set nodes_above to {len(nodes) - 1} "
                "at most"
            )
        return nodes[-1 - self.params.nodes_above]

    def _chosen(self, start: int, patches: Tensor, images: int) -> Tensor | slice:
        """Those of a batch's patches, numbered from `start`, that come into the bank."""
        each = patches[0, ..., 0].numel()
        limit = self.params.bank_patches
        if limit is None or limit >= images * each:
            return slice(None)
        chosen = torch.randperm(images * each, generator=self.context.generator("bank"))[:limit].sort().values
        inside = chosen[(chosen >= start) & (chosen < start + len(patches) * each)]
        return (inside - start).to(self.context.device)

    def _distances(self, patches: Tensor) -> Tensor:
        """Patches (B, h, w, d) -> distance (B, h, w) of each from the nearest of the bank.

        An image's are computed by themselves, so that they depend on no other image; on the processor only once where
        runs of one fit have it in their test lists each.
        """
        if self._bank is None:
            raise MethodError("FrozenPatches has nothing to score with yet: call fit or load first")
        bank = [(rows, rows.square().sum(1)) for rows in torch.split(self._bank, _ROWS)]
        compare = self._known_distances if patches.device.type == "cpu" else self._image_distances
        each = [compare(own, bank) for own in patches.flatten(1, 2)]
        return torch.stack(each).view(patches.shape[:3])

    def _known_distances(self, own: Tensor, bank: Bank) -> Tensor:
        """As `_image_distances`, kept by the patches themselves, the oldest given up where they are too many."""
        key = hashlib.sha256(own.numpy().tobytes()).digest()
        if key not in self._known:
            if len(self._known) == _REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known[key] = self._image_distances(own, bank)
        return self._known[key]

    def _image_distances(self, own: Tensor, bank: Bank) -> Tensor:
        """Patches (h w, d) of one image -> their distances (h w,)."""
        nearest = torch.stack([(squares - 2 * own @ rows.T).amin(1) for rows, squares in bank]).amin(0)
        squared = (nearest + own.square().sum(1)).clamp(min=0)
        return squared / 2 if self.params.distance == "cosine" else squared.sqrt()
