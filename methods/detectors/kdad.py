"""KDAD: multiresolution knowledge distillation, a small student that imitates VGG-16 on normal images (spec 7)."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.backbones.features import FrozenNetwork, Maps
from methods.backbones.table import BACKBONES
from methods.detector import FitContext, TrainData
from methods.devices import accumulated
from methods.nn.data.epochs import ShuffledEpochs
from methods.nn.data.loader import batches, in_batches
from methods.nn.data.samplers import Indices
from methods.nn.data.transforms import normalise, to_unit
from methods.nn.mapped_detector import MappedDetector
from methods.nn.neural_detector import Scorer
from methods.nn.params import Params, read_params
from methods.nn.precision import autocast, full_precision
from methods.nn.training.supervised import LossTerms, TrainParams, TrainSettings, train
from methods.uploads import upload
from protocols.images.store import Images

# Output channels of each block's convolutions: those of the released student, and VGG-16's own (spec 7.2).
STUDENT_CHANNELS = {
    "small": ((16, 16), (16, 128), (16, 16, 256), (16, 16, 512), (16, 16, 512)),
    "equal": ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512)),
}
TAPPED_POOLS = (2, 3, 4, 5)
NORMALISATION: dict[str, Callable[[Tensor], Tensor]] = {"none": to_unit, "imagenet": normalise}
PoolMaps = dict[int, Tensor]
"""Feature maps (B, C, h, w) by the number of the pool that they come from."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KDADParams(TrainParams):
    backbone: str
    teacher_scale: Literal["as_is", "tap_mean"]
    teacher_cache_mib: int
    student_width: str
    taps_train: tuple[int, ...]
    taps_score: tuple[int, ...]
    lambda_: float
    batch_size: int
    budget_extra_epoch: bool
    max_steps: int | None
    norm: str


class Student(nn.Module):
    """The released "cloner": VGG-16's plan with other widths, no biases, and batch norm but for each block's last."""

    def __init__(self, widths: Iterable[tuple[int, ...]]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for block in widths:
            for number, width in enumerate(block, start=1):
                conv = nn.Conv2d(channels, width, 3, padding=1, bias=False)
                nn.init.xavier_uniform_(conv.weight)
                layers.append(conv)
                if number < len(block):
                    layers.append(nn.BatchNorm2d(width))
                layers.append(nn.ReLU(inplace=True))
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> list[Tensor]:
        """(B, 3, S, S) -> the maps after pools 1 to 5."""
        maps = []
        for layer in self.features:
            images = layer(images)
            if isinstance(layer, nn.MaxPool2d):
                maps.append(images)
        return maps


class KDADNetwork(nn.Module):
    """Frozen teacher and student; `tap_means` divide the teacher's maps, and are 1 where they are taken as they are."""

    tap_means: Tensor

    def __init__(self, params: KDADParams, context: FitContext) -> None:
        super().__init__()
        self._precision = context.precision
        taps = tuple(BACKBONES[params.backbone].taps)
        self.teacher = context.backbone(params.backbone, taps).requires_grad_(False)
        with context.seeded("student"):
            self.student = Student(STUDENT_CHANNELS[params.student_width])
        self.register_buffer("tap_means", torch.ones(len(TAPPED_POOLS)))

    def train(self, mode: bool = True) -> "KDADNetwork":
        super().train(mode)
        self.teacher.eval()
        return self

    def teacher_levels(self, images: Tensor) -> Maps:
        """The teacher's maps of (B, 3, S, S) after the tapped pools, as it gives them, without gradient."""
        with torch.no_grad(), autocast(images.device, self._precision):
            maps = self.teacher(images)
        return [maps[pool - 1] for pool in TAPPED_POOLS]

    def scaled(self, levels: Maps) -> PoolMaps:
        """The maps of `teacher_levels` in float32, divided by the means of their taps."""
        pools = zip(TAPPED_POOLS, levels, self.tap_means, strict=True)
        return {pool: full_precision(level) / mean for pool, level, mean in pools}

    def teacher_maps(self, images: Tensor) -> PoolMaps:
        """The teacher's maps of (B, 3, S, S), without gradient."""
        return self.scaled(self.teacher_levels(images))

    def student_maps(self, images: Tensor) -> PoolMaps:
        with autocast(images.device, self._precision):
            maps = self.student(images)
        return _tapped(maps)


def _tapped(maps: list[Tensor]) -> PoolMaps:
    return {pool: full_precision(maps[pool - 1]) for pool in TAPPED_POOLS}


def direction(student: PoolMaps, teacher: PoolMaps, pools: Iterable[int]) -> Tensor:
    """(B,): sum over `pools` of 1 - cosine of the flattened maps (spec 7.4)."""
    cosines = [F.cosine_similarity(student[pool].flatten(1), teacher[pool].flatten(1)) for pool in pools]
    return torch.stack([1 - cosine for cosine in cosines]).sum(0)


def value(student: PoolMaps, teacher: PoolMaps, pools: Iterable[int]) -> Tensor:
    """(B,): sum over `pools` of the mean squared difference over an image's entries (spec 7.4)."""
    squares = [(student[pool] - teacher[pool]).square().mean((1, 2, 3)) for pool in pools]
    return torch.stack(squares).sum(0)


class TeacherMaps:
    """The teacher's maps of training images, which no augmentation changes; `maps` gives those of a batch.

    They are taken once and kept, in batches of `batch`, where they fit into `limit` bytes and have `uses` of at
    least one an image on average; else anew for each batch.
    """

    def __init__(
        self, images: Images, maps: Callable[[Indices], PoolMaps], *, batch: int, limit: int, uses: int
    ) -> None:
        self._maps = maps
        needed = (
            4
            * len(images)
            * sum(STUDENT_CHANNELS["equal"][pool - 1][-1] * (images.size >> pool) ** 2 for pool in TAPPED_POOLS)
        )
        self._kept: PoolMaps | None = None
        if needed <= limit and uses >= len(images):
            parts = [maps(index) for index in batches(len(images), batch)]
            self._kept = {pool: torch.cat([part[pool] for part in parts]) for pool in TAPPED_POOLS}

    def __call__(self, index: Indices) -> PoolMaps:
        """The maps of images `index`."""
        if self._kept is None:
            return self._maps(index)
        return {pool: maps[upload(torch.from_numpy(index), maps.device)] for pool, maps in self._kept.items()}


class KDAD(MappedDetector[KDADParams, KDADNetwork]):
    """Distance of the student's maps from the teacher's, after it learned to imitate them on normal images."""

    def __init__(self, params: Params, context: FitContext) -> None:
        super().__init__(read_params(KDADParams, params), context)
        self._normalise = NORMALISATION[self.params.norm]

    def new_network(self) -> KDADNetwork:
        return KDADNetwork(self.params, self.context)

    def fit(self, data: TrainData) -> None:
        """Train the student alone, in full passes over the normals; `history` counts the images seen, `images`.

        Raises what `train` raises, and MethodError where there is no normal image.
        """
        passes = self._passes(data)
        settings = self._settings(passes)
        self.build(data.init)
        if self.params.teacher_scale == "tap_mean":
            self._measure_teacher(data.normal)
        self.history = train(self.network.student, self.loss_terms(data), settings, self.context)
        ends = [min((epoch + 1) * passes.steps, settings.total) for epoch in range(len(self.history["loss"]))]
        self.history["images"] = [float(passes.images(step)) for step in ends]

    def loss_terms(self, data: TrainData) -> LossTerms:
        passes, network, pools = self._passes(data), self.network, self.params.taps_train
        teacher = TeacherMaps(
            data.normal,
            lambda index: self._kept_maps(data.normal, index),
            batch=self.params.batch_size,
            limit=self.params.teacher_cache_mib * 2**20,
            uses=passes.images(self._settings(passes).total),
        )

        def terms(step: int) -> dict[str, Tensor]:
            index = passes.take(step)
            pixels = self.context.uploads.take(data.normal, index)
            maps = network.student_maps(self._normalise(pixels)), teacher(index)
            return {
                "direction": direction(*maps, pools).mean(),
                "value": self.params.lambda_ * value(*maps, pools).mean(),
            }

        return terms

    def score(self, images: Images, batch: int | None = None) -> npt.NDArray[np.float64]:
        """As every neural detector; the teacher's maps are computed or were kept from another fit."""
        scores = np.empty(len(images))
        self.network.eval()
        with torch.inference_mode():
            for span, pixels in in_batches(images, self.params.evaluation_batch if batch is None else batch):
                teacher = self._kept_maps(images, np.arange(span.start, span.stop))
                scores[span] = self._batch_scores(upload(pixels, self.context.device), teacher).cpu().numpy()
        return scores

    def scorer(self) -> Scorer:
        return lambda pixels, _: self._batch_scores(pixels, self._teacher_maps(pixels))

    def _batch_scores(self, pixels: Tensor, teacher: PoolMaps) -> Tensor:
        maps, pools = (self.network.student_maps(self._normalise(pixels)), teacher), self.params.taps_score
        return accumulated(direction(*maps, pools)) + self.params.lambda_ * accumulated(value(*maps, pools))

    def position_scores(self, images: Tensor) -> list[Tensor]:
        """Of each tapped pool 1 - cosine and the weighted squared difference of the features at a position.

        The paper's own maps are gradients of the score; these are the terms of the score before they are summed.
        """
        student, teacher = self.network.student_maps(self._normalise(images)), self._teacher_maps(images)
        return [
            1
            - F.cosine_similarity(student[pool], teacher[pool])
            + self.params.lambda_ * (student[pool] - teacher[pool]).square().mean(1)
            for pool in self.params.taps_score
        ]

    def _passes(self, data: TrainData) -> ShuffledEpochs:
        return ShuffledEpochs(self.context, "batch", len(data.normal), self.params.batch_size, keep_rest=True)

    def _settings(self, passes: ShuffledEpochs) -> TrainSettings:
        settings = TrainSettings.from_params(self.params, passes.steps)
        return dataclasses.replace(
            settings,
            epochs=settings.epochs + self.params.budget_extra_epoch,
            max_steps=self.params.max_steps,
        )

    def build(self, state: Mapping[str, Tensor] | None = None) -> None:
        super().build(state)
        network = self.network
        self._features = self.context.features.reader(
            FrozenNetwork(
                network.teacher,
                self.params.backbone,
                tuple(f"pool{pool}" for pool in TAPPED_POOLS),
                self.params.norm,
                lambda pixels: network.teacher_levels(self._normalise(upload(pixels, self.context.device))),
            )
        )

    def _teacher_maps(self, pixels: Tensor) -> PoolMaps:
        return self.network.teacher_maps(self._normalise(upload(pixels, self.context.device)))

    def _kept_maps(self, images: Images, index: Indices) -> PoolMaps:
        """The teacher's maps of the images at positions `index`."""
        return self.network.scaled(self._features(images, index))

    def _measure_teacher(self, normal: Images) -> None:
        """Set the means by which the teacher's maps are divided: of each tap over the training normals."""
        sums = torch.zeros(len(TAPPED_POOLS), dtype=torch.float64)
        for index in batches(len(normal), self.params.batch_size):
            maps = self._kept_maps(normal, index)
            sums += torch.stack([accumulated(maps[pool]).mean((1, 2, 3)).sum() for pool in TAPPED_POOLS]).cpu()
        self.network.tap_means.copy_(sums / len(normal))
