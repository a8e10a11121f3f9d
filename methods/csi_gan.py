"""CSI-GAN: CSI that also contrasts the images of a generator (spec csi_gan, part II)."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from methods.detector import TrainData
from methods.nn import picture_grid
from methods.nn.algorithm1 import SAMPLES, Block, Losses, Material, distinct, is_due, optimisers_of
from methods.nn.batches import Indices
from methods.nn.contrastive_fit import ContrastiveDetector, CSILoss, feature_schedule, minimise
from methods.nn.feature_bank import Bank, Features
from methods.nn.feature_network import FeatureNetwork
from methods.nn.gan_networks import GANNetworks
from methods.nn.passes import Passes
from methods.nn.turns import Advance, Optimisers
from methods.nn.values import integer, text
from methods.nn.views import Dice
from protocols.images import Images

SHOWN = 10
"""Images in a row of a grid."""


class CSIGAN(ContrastiveDetector[GANNetworks]):
    """Algorithm 1: CSI on every batch, and on every N-th a block that moves all networks; the score of eq. 11.

    A fit leaves the grid `training.png`: inputs, reconstructions, synthetic images. A scoring leaves `scored.png`
    where there is an encoder: the images with the lowest scores and their reconstructions, then those with the highest
    (paper Fig. 2).
    """

    def new_network(self, channels: int) -> GANNetworks:
        return GANNetworks(self.params, self.context, channels, self.views.shifts)

    def features_of(self, network: GANNetworks) -> FeatureNetwork:
        return network.f

    @property
    def output(self) -> str:
        return text(self.params, "score.output")

    def fit(self, data: TrainData) -> None:
        super().fit(data)
        index = np.arange(min(SHOWN, len(data.normal)))
        latents = self._latents("gan.shown", 0, len(index))
        synthetic = self.network.generated(latents)
        self.context.artefact("training.png", picture_grid.png([*self._rows(data.normal, index), synthetic]))

    def turns(self, data: TrainData, passes: Passes) -> tuple[Optimisers, Advance]:
        networks, params = self.network, self.params
        csi, schedule = CSILoss.from_params(self.views, params), feature_schedule(params, passes.steps)
        lines = Losses(networks, self.views, params).lines()
        optimisers = optimisers_of(networks, lines, params)
        block = Block(networks, lines, optimisers, fresh=text(params, "gan.forward") == "fresh")
        every, phase = integer(params, "gan.every"), text(params, "gan.phase")

        def advance(step: int) -> Mapping[str, Tensor]:
            index, rate = passes.take(step), schedule.rate(step)
            dice = Dice(self.context, "csi", (step,))
            terms = csi(networks.f, self.views.base(data.normal, index, 2, dice), dice)
            losses = minimise(terms, optimisers["csi.f"], rate)
            if is_due(step, every, phase):
                losses |= block.run(self._material(data.normal, index, step), rate)
            return losses

        return distinct(optimisers), advance

    def score_of(self, bank: Bank, features: Features) -> Tensor:
        return bank.eq11_scores(features, text(self.params, "score.neighbour"))

    def score(self, images: Images) -> npt.NDArray[np.float64]:
        scores = super().score(images)
        if self.network.full and len(images) >= 2 * SHOWN:
            order = np.argsort(scores, kind="stable")
            rows = [self._rows(images, index) for index in (order[:SHOWN], order[-SHOWN:])]
            self.context.artefact("scored.png", picture_grid.png([row for pair in rows for row in pair]))
        return scores

    def _material(self, images: Images, index: Indices, step: int) -> Material:
        latents = SAMPLES[text(self.params, "gan.samples")](len(index))
        return Material(
            real=self.views.whole(images, index),
            base=self.views.base(images, index, 2, Dice(self.context, "gan.real", (step,))),
            latents=self._latents("gan.latents", step, latents),
            noise=self._latents("gan.noise", step, len(index)),
            step=step,
        )

    def _latents(self, stream: str, step: int, count: int) -> Tensor:
        generator = self.context.generator(stream, step)
        return torch.randn(count, integer(self.params, "gan.latent"), generator=generator).to(self.context.device)

    def _rows(self, images: Images, index: Indices) -> list[Tensor]:
        """Images at the generator's side, and their reconstructions where there is an encoder."""
        whole, networks = self.views.whole(images, index), self.network
        rows = [networks.smaller(whole)]
        return [*rows, networks.reconstructed(whole)] if networks.full else rows
