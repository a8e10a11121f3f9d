"""Deep SAD: normals are drawn to a centre, labelled anomalies driven away from it (spec 8)."""

import dataclasses
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.backbones.table import BACKBONES
from methods.detector import FitContext, TrainData
from methods.devices import accumulated, placed
from methods.errors import MethodError
from methods.nn.data.loader import Feed, in_batches
from methods.nn.data.samplers import NORMAL, SEEN, BatchComposition, Indices, Stream
from methods.nn.data.transforms import normalise, rotate, rotation_angles, to_unit
from methods.nn.networks import lenet
from methods.nn.neural_detector import NeuralDetector, Scorer
from methods.nn.params import Params, read_params
from methods.nn.precision import autocast, full_precision
from methods.nn.training.phases import Phase
from methods.nn.training.supervised import LossTerms, TrainParams, TrainSettings, train
from methods.uploads import upload
from protocols.images.store import Images

REPRESENTATION = 128
ANOMALY = -1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeepSADParams(TrainParams):
    network: Literal["resnet18_128", "resnet18_512", "lenet_32px"]
    backbone: str | None
    batch_norm_frozen: bool
    centre_images: Literal["normal", "all", "all_full_batches"]
    centre_augment: Literal["train", "test"]
    centre_least: float
    loss_eta: float
    loss_eps: float
    normal_label: int
    batch_size: int
    batch_seen: int
    batch_sampling: Literal["balanced", "shuffled"]
    pretrain_epochs: int
    pretrain_batch: int
    pretrain_lr: float
    pretrain_weight_decay: float
    augment_rotation: float


class TrunkEncoder(nn.Module):
    """Trunk, global average pooling and, where `projected`, a linear layer to 128 values without bias."""

    def __init__(self, arch: str, context: FitContext, *, projected: bool) -> None:
        super().__init__()
        self._backbone, self._precision = BACKBONES[arch], context.precision
        self.trunk = context.backbone(arch)
        with context.seeded("head"):
            self.project = (
                nn.Linear(self._backbone.channels, REPRESENTATION, bias=False) if projected else nn.Identity()
            )

    def forward(self, images: Tensor) -> Tensor:
        """8-bit images (B, S, S, C) -> representations (B, d)."""
        with autocast(images.device, self._backbone.precision_at(images.shape[1], self._precision)):
            maps = self.trunk(normalise(images))
        codes: Tensor = self.project(full_precision(maps).mean((2, 3)))
        return codes


class LeNetEncoder(nn.Module):
    """The authors' network for 32-pixel images, which it takes in [0, 1]."""

    def __init__(self, context: FitContext) -> None:
        super().__init__()
        with context.seeded("lenet"):
            self.net = lenet.LeNet()

    def forward(self, images: Tensor) -> Tensor:
        """8-bit images (B, 32, 32, C) -> representations (B, 128)."""
        codes: Tensor = self.net(to_unit(images))
        return codes


class DeepSADNetwork(nn.Module):
    """Encoder and centre; the centre is not trained."""

    centre: Tensor

    def __init__(self, encoder: nn.Module, width: int, *, frozen_norms: bool) -> None:
        super().__init__()
        self.encoder = encoder
        self._frozen_norms = frozen_norms
        self.register_buffer("centre", torch.zeros(width))

    def forward(self, images: Tensor) -> Tensor:
        """8-bit images (B, S, S, C) -> squared distances from the centre (B,)."""
        return distances(self.encoder(images), self.centre)

    def train(self, mode: bool = True) -> "DeepSADNetwork":
        super().train(mode)
        if self._frozen_norms:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self


class Reconstruction(nn.Module):
    """An encoder with the decoder that pre-trains it."""

    def __init__(self, encoder: LeNetEncoder, context: FitContext) -> None:
        super().__init__()
        self.encoder = encoder
        with context.seeded("decoder"):
            self.decoder = lenet.LeNetDecoder()

    def forward(self, images: Tensor) -> Tensor:
        """Mean squared error over all entries of 8-bit images (B, 32, 32, C)."""
        return F.mse_loss(self.decoder(self.encoder(images)), to_unit(images))


def distances(codes: Tensor, centre: Tensor) -> Tensor:
    """Squared Euclidean distances (B,) of representations (B, d) from the centre (d,)."""
    return (codes - centre).square().sum(1)


def centre_of(mean: Tensor, least: float) -> Tensor:
    """The mean with components nearer to 0 than `least` moved to `least` by their sign; an exact 0 stays (spec 8)."""
    return torch.where(mean.abs() < least, least * mean.sign(), mean)


def sad_losses(squared: Tensor, labels: Tensor, eta: float, eps: float) -> Tensor:
    """Loss of each image (B,): d for label 0, eta (d + eps) for +1, eta / (d + eps) for -1 (spec 8)."""
    labelled = torch.where(labels == ANOMALY, eta / (squared + eps), eta * (squared + eps))
    return torch.where(labels == 0, squared, labelled)


class DeepSAD(NeuralDetector[DeepSADParams, DeepSADNetwork]):
    """Squared distance from a centre that the representations of normal images are drawn to."""

    def __init__(self, params: Params, context: FitContext) -> None:
        super().__init__(read_params(DeepSADParams, params), context)

    def new_network(self) -> DeepSADNetwork:
        """Raises MethodError where the parameters `network` and `backbone` do not go together."""
        kind, arch = self.params.network, self.params.backbone
        small = kind == "lenet_32px"
        if small != (arch is None):
            raise MethodError(
                f"deep_sad.network = {kind} takes {'no backbone' if small else 'a backbone'}: "
                f"pass --set deep_sad.backbone={'none' if small else 'resnet18'} with it"
            )
        encoder: nn.Module
        if arch is None:
            encoder, width = LeNetEncoder(self.context), lenet.CODE
        else:
            projected = kind == "resnet18_128"
            encoder = TrunkEncoder(arch, self.context, projected=projected)
            width = REPRESENTATION if projected else BACKBONES[arch].channels
        return DeepSADNetwork(encoder, width, frozen_norms=self.params.batch_norm_frozen)

    def fit(self, data: TrainData) -> None:
        """Pre-train where the network asks for it, set the centre, train; raises what `train` raises.

        The history has besides the loss its parts, `normal` and `anomaly`, and `normal_variance`, that of the normals'
        distances in a batch: towards 0 it tells that everything collapses into the centre.
        """
        if not len(data.normal):
            raise MethodError("there are no normal training images to take the centre of: give at least one")
        self.build(data.init)
        saved = Phase(self.context.checkpoint, "distances").load()
        earlier = self._prepare(data) if saved is None else saved["earlier"]
        phase = Phase(self.context.checkpoint, "distances", earlier)
        context = dataclasses.replace(self.context, checkpoint=phase)
        history = train(self.network, self.loss_terms(data), self._settings(data), context)
        self.history = {**history, **earlier}

    def loss_terms(self, data: TrainData) -> LossTerms:
        params = self.params
        feed = self._feed(data, params.batch_size, "batch")
        eta, eps = params.loss_eta, params.loss_eps

        def terms(step: int) -> dict[str, Tensor]:
            images, labels = feed.batch(step)
            squared = self.network(images)
            losses = sad_losses(squared, upload(self._semi_labels(labels), squared.device), eta, eps) / len(labels)
            normal, anomaly = (
                upload(torch.from_numpy(np.flatnonzero(labels == label)), squared.device) for label in (NORMAL, SEEN)
            )
            spread = squared.detach()[normal].var(correction=0) if len(normal) else squared.new_zeros(())
            return {"normal": losses[normal].sum(), "anomaly": losses[anomaly].sum(), "normal_variance": spread}

        return terms

    def scorer(self) -> Scorer:
        return lambda images, _: distances(accumulated(self.network.encoder(images)), accumulated(self.network.centre))

    def _semi_labels(self, labels: Indices) -> Tensor:
        return torch.from_numpy(np.where(labels == SEEN, ANOMALY, self.params.normal_label))

    def _settings(self, data: TrainData) -> TrainSettings:
        """Without `budget.steps` an epoch is a pass over the training images, the last partial batch dropped."""
        steps = self.params.budget_steps
        if steps is None:
            steps = _full_batches(data, self.params.batch_size)
        settings = TrainSettings.from_params(self.params, steps)
        return dataclasses.replace(settings, watched=("normal_variance",))

    def _feed(self, data: TrainData, size: int, stream: str, *, shuffled: bool | None = None) -> Feed:
        if shuffled is None:
            shuffled = self.params.batch_sampling == "shuffled"
        quotas = BatchComposition(size, self.params.batch_seen, shuffled=shuffled)
        return Feed(data, None, quotas, self.params.augment_rotation, self.context, stream)

    def _prepare(self, data: TrainData) -> dict[str, list[float]]:
        """Pre-train and set the centre, before the training proper; the history of it."""
        history = {}
        encoder = self.network.encoder
        if isinstance(encoder, LeNetEncoder):
            if data.normal.size != lenet.SIZE:
                raise MethodError("deep_sad.network = lenet_32px takes images of 32 pixels: --set deep_sad.img_size=32")
            if self.params.pretrain_epochs:
                history["pretrain_loss"] = self._pretrain(encoder, data)
        mean = self._mean_code(data)
        self.network.centre.copy_(centre_of(mean, self.params.centre_least))
        return history

    def _pretrain(self, encoder: LeNetEncoder, data: TrainData) -> list[float]:
        size = self.params.pretrain_batch
        settings = TrainSettings(
            epochs=self.params.pretrain_epochs,
            steps=_full_batches(data, size),
            lr=self.params.pretrain_lr,
            weight_decay=self.params.pretrain_weight_decay,
            schedule="constant",
            clip_norm=None,
        )
        both = placed(Reconstruction(encoder, self.context), self.context.device)
        feed = self._feed(data, size, "pretrain", shuffled=True)
        context = dataclasses.replace(self.context, checkpoint=Phase(self.context.checkpoint, "pretrain"))
        return train(both, lambda step: {"loss": both(feed.batch(step)[0])}, settings, context)["loss"]

    def _mean_code(self, data: TrainData) -> Tensor:
        """The mean representation in evaluation mode (d,) of the images that `centre.images` names."""
        groups = [data.normal] if self.params.centre_images == "normal" else [data.normal, data.anomaly]
        codes = torch.cat([self._codes(group, f"centre.{number}") for number, group in enumerate(groups) if len(group)])
        if self.params.centre_images == "all_full_batches":
            size = min(self.params.batch_size, len(codes))
            chosen = Stream(self.context, "centre", len(codes)).take(0, len(codes) // size * size)
            codes = codes[torch.from_numpy(chosen)]
        return codes.mean(0)

    def _codes(self, images: Images, stream: str) -> Tensor:
        """Representations (n, d) in evaluation mode, float64, on the CPU."""
        limit = self.params.augment_rotation if self.params.centre_augment == "train" else 0.0
        angles = rotation_angles(len(images), limit, self.context.generator(f"{stream}.angle"))
        self.network.eval()
        codes = []
        with torch.no_grad():
            for span, pixels in in_batches(images, self.params.batch_size):
                batch = upload(pixels, self.context.device)
                batch = self.network.encoder(rotate(batch, angles[span]) if limit else batch)
                codes.append(accumulated(batch).cpu())
        return torch.cat(codes)


def _full_batches(data: TrainData, size: int) -> int:
    return max((len(data.normal) + len(data.anomaly)) // size, 1)
