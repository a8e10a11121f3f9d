"""CSI-GAN: CSI that also contrasts the images of a generator (spec csi_gan, part II)."""

import json
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from methods.detector import FitContext, TrainData
from methods.detectors.csi.base import ContrastiveDetector, CSILoss, feature_schedule, minimise
from methods.detectors.csi.encoder import FeatureNetwork
from methods.detectors.csi.memory_bank import MemoryBank, ShiftFeatures
from methods.detectors.csi.views import AugmentationDraw
from methods.detectors.csi_gan.networks import GANNetworks
from methods.detectors.csi_gan.params import CSIGANParams
from methods.detectors.csi_gan.train_step import (
    SAMPLES,
    GANLosses,
    GenerativeBlock,
    TrainStepInputs,
    distinct,
    is_due,
    optimisers_of,
)
from methods.measures import request
from methods.nn.data.epochs import ShuffledEpochs
from methods.nn.data.samplers import Indices
from methods.nn.params import Params, read_params
from methods.nn.picture_grid import ROW_IMAGES, png
from methods.nn.training.loop import Optimisers, TrainStep
from methods.uploads import upload
from protocols.images.store import Images


class CSIGAN(ContrastiveDetector[CSIGANParams, GANNetworks]):
    """Algorithm 1: CSI on every batch, and on every N-th a block that moves all networks; the score of eq. 11.

    A fit leaves the grid `training.png`: inputs, reconstructions, synthetic images. A scoring leaves `scored.png`
    where there is an encoder: the images with the lowest scores and their reconstructions, then those with the highest
    (paper Fig. 2). With `measure.fid` a fit also measures its generator: the history has the distance, the file
    `fid.json` says between what.
    """

    def __init__(self, params: Params, context: FitContext) -> None:
        """Raises MethodError where a measure is asked for whose packages are not installed."""
        request.check_packages(params)
        super().__init__(read_params(CSIGANParams, params), context)

    def new_network(self, channels: int) -> GANNetworks:
        return GANNetworks(self.params, self.context, channels, self.views.shifts)

    def features_of(self, network: GANNetworks) -> FeatureNetwork:
        return network.f

    @property
    def output(self) -> str:
        return self.params.score_output

    def fit(self, data: TrainData) -> None:
        super().fit(data)
        index = np.arange(min(ROW_IMAGES, len(data.normal)))
        latents = self._latents("gan.shown", 0, len(index))
        synthetic = self.network.generated(latents)
        self.context.artefact("training.png", png([*self._rows(data.normal, index), synthetic]))
        if self.params.measure_fid:
            self._measure(data.normal)

    def training_steps(self, data: TrainData, passes: ShuffledEpochs) -> tuple[Optimisers, TrainStep]:
        networks, params = self.network, self.params
        csi, schedule = CSILoss.from_params(self.views, params), feature_schedule(params, passes.steps)
        lines = GANLosses(networks, self.views, params).lines()
        optimisers = optimisers_of(networks, lines, params)
        block = GenerativeBlock(networks, lines, optimisers, fresh=params.gan.forward == "fresh")
        every, phase = params.gan.every, params.gan.phase

        def train_step(step: int) -> Mapping[str, Tensor]:
            index, rate = passes.take(step), schedule.rate(step)
            draw = AugmentationDraw(self.context, "csi", (step,))
            terms = csi(networks.f, self.views.base(data.normal, index, 2, draw), draw)
            losses = minimise(terms, optimisers["csi.f"], rate)
            if is_due(step, every, phase):
                losses |= block.run(self._material(data.normal, index, step), rate)
            return losses

        return distinct(optimisers), train_step

    def score_of(self, bank: MemoryBank, features: ShiftFeatures) -> Tensor:
        return bank.eq11_scores(features, self.params.score_neighbour)

    def score(self, images: Images, batch: int | None = None) -> npt.NDArray[np.float64]:
        scores = super().score(images, batch)
        if self.network.full and len(images) >= 2 * ROW_IMAGES:
            order = np.argsort(scores, kind="stable")
            rows = [self._rows(images, index) for index in (order[:ROW_IMAGES], order[-ROW_IMAGES:])]
            self.context.artefact("scored.png", png([row for pair in rows for row in pair]))
        return scores

    def _material(self, images: Images, index: Indices, step: int) -> TrainStepInputs:
        latents = SAMPLES[self.params.gan.samples](len(index))
        return TrainStepInputs(
            real=self.views.whole(images, index),
            base=self.views.base(images, index, 2, AugmentationDraw(self.context, "gan.real", (step,))),
            latents=self._latents("gan.latents", step, latents),
            noise=self._latents("gan.noise", step, len(index)),
            step=step,
        )

    def _measure(self, images: Images) -> None:
        """Frechet distance between the training images and as many synthetic ones as asked for, at one size (C25)."""
        from methods.measures import fid

        trunk, batch = self.params.measure_fid_trunk, self.params.features_batch
        limit = self.params.measure_fid_images
        count = len(images) if limit is None else limit
        network, weights = fid.features(trunk, self.context), self.context.weights[trunk]
        real = (self.network.smaller(self.views.whole(images, np.arange(*span))) for span in spans(len(images), batch))
        latents = (self._latents("measure.fid", start, stop - start) for start, stop in spans(count, batch))
        value = fid.distance(network, real, map(self.network.generated, latents))
        name = request.fid_name(weights)
        self.history[name] = [value]
        facts = {"measure": name, "value": value, "real_images": len(images), "generated_images": count}
        facts |= {"features": network.num_features, "weights": weights.label}
        self.context.artefact("fid.json", (json.dumps(facts, indent=2) + "\n").encode())

    def _latents(self, stream: str, step: int, count: int) -> Tensor:
        generator = self.context.generator(stream, step)
        return upload(torch.randn(count, self.params.gan.latent, generator=generator), self.context.device)

    def _rows(self, images: Images, index: Indices) -> list[Tensor]:
        """Images at the generator's side, and their reconstructions where there is an encoder."""
        whole, networks = self.views.whole(images, index), self.network
        rows = [networks.smaller(whole)]
        return [*rows, networks.reconstructed(whole)] if networks.full else rows


def spans(total: int, size: int) -> Iterator[tuple[int, int]]:
    """Begin and end of each batch of `size`; the last may be smaller."""
    return ((start, min(start + size, total)) for start in range(0, total, size))
