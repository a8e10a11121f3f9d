"""MLEP for images: triplets of two normals and a labelled anomaly, with a margin between their features (spec 6)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.detector import FitContext, TrainData
from methods.devices import accumulated
from methods.errors import MethodError
from methods.nn.data.loader import Feed, in_batches
from methods.nn.data.samplers import NORMAL, SEEN, BatchComposition, Indices
from methods.nn.data.transforms import IMAGENET_MEAN, IMAGENET_STD, normalise
from methods.nn.mapped_detector import MappedDetector
from methods.nn.networks.heads import TopK, TopKHead, head_positions
from methods.nn.networks.single_head import SingleHeadNetwork
from methods.nn.neural_detector import Scorer
from methods.nn.params import Params, read_params
from methods.nn.supervised_params import PyramidParams
from methods.nn.training.losses import bce
from methods.nn.training.supervised import LossTerms
from methods.uploads import upload
from protocols.images.store import Images

MEAN_MAP = "normal.mean."
DECODER_WIDTHS = (256, 128, 64, 32, 3)
SMALLEST_ERROR = 1e-12


class Decoder(nn.Module):
    """Five stages of nearest up-sampling to twice the side, 3x3 convolution, batch norm and ReLU; the last has tanh."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inputs = (channels, *DECODER_WIDTHS[:-1])
        pairs = zip(inputs, DECODER_WIDTHS, strict=True)
        self.convs = nn.ModuleList(nn.Conv2d(wide, narrow, 3, padding=1) for wide, narrow in pairs)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in DECODER_WIDTHS[:-1])

    def forward(self, maps: Tensor, size: int) -> Tensor:
        """(B, C, h, w) -> images (B, 3, size, size) in [-1, 1]; the last stage goes straight to `size`."""
        for conv, norm in zip(self.convs, self.norms, strict=False):
            maps = F.relu(norm(conv(F.interpolate(maps, scale_factor=2.0, mode="nearest"))))
        return torch.tanh(self.convs[-1](F.interpolate(maps, size=(size, size), mode="nearest")))


def margin_loss(maps: Tensor, margin: float) -> Tensor:
    """max(0, margin + intra - inter) of feature maps (3 T, C, h, w): T pairs anchor, positive, then T negatives.

    intra and inter are the means of all entries of (anchor - positive)^2 and (anchor - negative)^2, taken over the
    whole batch before the hinge.
    """
    anchors, positives, negatives = triplets(maps)
    intra, inter = (anchors - positives).square().mean(), (anchors - negatives).square().mean()
    return (margin + intra - inter).clamp_min(0)


def triplets(batch: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Anchors, positives and negatives (T, ...) of a batch (3 T, ...): normals in pairs, then anomalies."""
    normals, negatives = batch[: len(batch) // 3 * 2], batch[len(batch) // 3 * 2 :]
    return normals[0::2], normals[1::2], negatives


def signed_images(level: Tensor) -> Tensor:
    """Normalised images (B, 3, S, S) in the units of the decoder, black at -1 and white at 1."""
    mean, std = (torch.tensor(values, device=level.device)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
    return (level * std + mean) * 2 - 1


def mean_error(restored: Tensor, images: Tensor) -> Tensor:
    """Mean absolute difference of each image (B, 3, S, S) -> (B,)."""
    return (restored - images).abs().mean((1, 2, 3))


def negative_psnr(restored: Tensor, images: Tensor) -> Tensor:
    """-10 log10(1 / mean((restored - image)^2 / 4)) of each image (B, 3, S, S) -> (B,)."""
    return 10 * ((restored - images).square().mean((1, 2, 3)) / 4).clamp_min(SMALLEST_ERROR).log10()


RECON_SCORES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"error": mean_error, "negative_psnr": negative_psnr}


def level_mean(values: list[Tensor]) -> Tensor:
    return torch.stack(values).mean(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MLEPParams(PyramidParams):
    mode: Literal["embed", "distance", "recon"]
    head_abs: bool
    topk_rate: float
    topk_rounding: str
    recon_score: str
    loss_margin: float
    loss_margin_weight: float
    loss_head_weight: float
    batch_triplets: int


class MLEP(MappedDetector[MLEPParams, SingleHeadNetwork]):
    """Margin learning with a scoring head (mode embed), without one (distance), or with a decoder (recon)."""

    def __init__(self, params: Params, context: FitContext) -> None:
        super().__init__(read_params(MLEPParams, params), context)
        self._means: list[Tensor] = []

    def new_network(self) -> SingleHeadNetwork:
        params = self.params
        heads: dict[str, Callable[[int], nn.Module]] = {
            "embed": lambda channels: TopKHead(channels, TopK(params.topk_rate, params.topk_rounding, params.head_abs)),
            "distance": lambda _: nn.Identity(),
            "recon": Decoder,
        }
        return SingleHeadNetwork(params.backbone, params.pyramid, self.context, heads[params.mode])

    def fit(self, data: TrainData) -> None:
        """As every neural detector; MethodError where there is no labelled anomaly to make triplets of."""
        if not len(data.anomaly):
            raise MethodError("MLEP learns from triplets with a labelled anomaly, and there is none: give at least one")
        super().fit(data)
        if self.params.mode == "distance":
            self._means = self._mean_maps(data.normal)

    def loss_terms(self, data: TrainData) -> LossTerms:
        params, count = self.params, self.params.batch_triplets
        quotas = BatchComposition(3 * count, count, distinct=True)
        feed = Feed(data, None, quotas, params.augment_rotation, self.context, "batch")

        def terms(step: int) -> dict[str, Tensor]:
            pixels, labels = feed.batch(step)
            images = normalise(pixels)
            maps = self.network.maps(images)
            margins = [margin_loss(level, params.loss_margin) for level in maps]
            return {"margin": params.loss_margin_weight * level_mean(margins), **self._own_terms(images, labels, maps)}

        return terms

    def _own_terms(self, images: Tensor, labels: Indices, maps: list[Tensor]) -> dict[str, Tensor]:
        """The losses that the mode adds to the margin loss: per level, then the mean over the levels."""
        if self.params.mode == "embed":
            targets = upload(torch.from_numpy(labels == SEEN).to(images.dtype), images.device)
            losses = [bce(self.network.head(level), targets) for level in maps]
            return {"head": self.params.loss_head_weight * level_mean(losses)}
        if self.params.mode == "recon":
            normals = int((labels == NORMAL).sum())
            restored = self._restored([level[:normals] for level in maps], images[:normals])
            # Anchors and positives are equally many: the sum of their two means is twice the mean of both.
            return {"reconstruction": 2 * level_mean([mean_error(*pair).mean() for pair in restored])}
        return {}

    def _restored(self, maps: list[Tensor], images: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Of each level: what the decoder makes of the maps, and what it should have made."""
        targets = [signed_images(level) for level in self.params.pyramid.levels(images)]
        return [
            (self.network.head(level, target.shape[-1]), target) for level, target in zip(maps, targets, strict=True)
        ]

    def scorer(self) -> Scorer:
        def score(images: Tensor, _: int) -> Tensor:
            unit = normalise(images)
            return level_mean([accumulated(level) for level in self._level_scores(unit, self.network.maps(unit))])

        return score

    def _level_scores(self, images: Tensor, maps: list[Tensor]) -> list[Tensor]:
        if self.params.mode == "embed":
            return [self.network.head(level) for level in maps]
        if self.params.mode == "recon":
            measure = RECON_SCORES[self.params.recon_score]
            return [measure(*pair) for pair in self._restored(maps, images)]
        pairs = zip(maps, self._means, strict=True)
        return [(level - mean.to(level)).square().mean((1, 2, 3)) for level, mean in pairs]

    def position_scores(self, images: Tensor) -> list[Tensor]:
        """By mode: the head's scores, squared distances from the normals' mean maps, errors of the decoder's pixels."""
        unit = normalise(images)
        maps = self.network.maps(unit)
        if self.params.mode == "embed":
            return [head_positions(self.network.head, level) for level in maps]
        if self.params.mode == "recon":
            return [(restored - target).abs().mean(1) for restored, target in self._restored(maps, unit)]
        return [(level - mean.to(level)).square().mean(1) for level, mean in zip(maps, self._means, strict=True)]

    def _mean_maps(self, normals: Images) -> list[Tensor]:
        """The mean feature map (C, h, w) of each level over the training normals, in evaluation mode."""
        self.network.eval()
        sums: list[Tensor] = []
        with torch.inference_mode():
            for _, pixels in in_batches(normals, 3 * self.params.batch_triplets):
                maps = self.network.maps(normalise(upload(pixels, self.context.device)))
                parts = [accumulated(level).sum(0) for level in maps]
                sums = [total + part for total, part in zip(sums, parts, strict=True)] if sums else parts
        return [(total / len(normals)).float().cpu() for total in sums]

    def state(self) -> dict[str, Tensor]:
        """The network, and in mode distance the mean maps of the normals."""
        return {**super().state(), **{f"{MEAN_MAP}{level}": mean for level, mean in enumerate(self._means)}}

    def load(self, state: Mapping[str, Tensor]) -> None:
        super().load(state)
        self._means = [state[name] for name in sorted(state) if name.startswith(MEAN_MAP)]

    def build(self, state: Mapping[str, Tensor] | None = None) -> None:
        tensors = None if state is None else {name: state[name] for name in state if not name.startswith(MEAN_MAP)}
        super().build(tensors)
