"""The five networks of CSI-GAN, or those that its ablation leaves (CSI spec 7)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.detector import FitContext
from methods.detectors.csi.base import feature_network
from methods.detectors.csi_gan import sngan, sngan_resnet
from methods.detectors.csi_gan.params import CSIGANParams
from methods.detectors.csi_gan.sngan import LATENT, GANPlan, LatentDiscriminator, initialised, spectrally_normalised

GENERATORS = {"cnn": sngan.CNNGenerator, "resnet": sngan_resnet.ResNetGenerator}
ENCODERS = {"cnn": sngan.CNNEncoder, "resnet": sngan_resnet.ResNetEncoder}
DISCRIMINATORS = {"cnn": sngan.CNNDiscriminator, "resnet": sngan_resnet.ResNetDiscriminator}


class GANNetworks(nn.Module):
    """Feature extractor f, generator g, discriminator d, and with `full` encoder e and latent discriminator ld."""

    def __init__(self, params: CSIGANParams, context: FitContext, channels: int, shifts: int) -> None:
        super().__init__()
        gan = params.gan
        self.plan = GANPlan(
            size=gan.size,
            channels=channels,
            latent=gan.latent,
            width=gan.width,
            activation=gan.activation,
            normed_start=gan.normed_start,
            encoder=gan.encoder,
        )
        kind, start, latent = gan.kind, gan.init, gan.latent_discriminator
        self.f = feature_network(params, context, channels, shifts)
        with context.seeded("generator"):
            self.g = initialised(GENERATORS[kind](self.plan), start)
        with context.seeded("discriminator"):
            self.d = spectrally_normalised(initialised(DISCRIMINATORS[kind](self.plan), start))
        self.full = gan.networks == "full"
        if self.full:
            with context.seeded("encoder"):
                self.e = initialised(ENCODERS[kind](self.plan), start)
                if self.plan.encoder == "spectral":
                    spectrally_normalised(self.e)
            with context.seeded("latent_discriminator"):
                self.ld = initialised(LatentDiscriminator(self.plan.latent, latent), start)
                if LATENT[latent][2]:
                    spectrally_normalised(self.ld)

    def smaller(self, images: Tensor) -> Tensor:
        """Images (n, C, S, S) in [0, 1] at the generator's side."""
        size = self.plan.size
        if images.shape[-1] == size:
            return images
        return F.interpolate(images, (size, size), mode="bilinear", antialias=True).clamp(0, 1)

    def to_generator(self, images: Tensor) -> Tensor:
        """Images (n, C, S, S) in [0, 1] as discriminator and encoder see them: smaller, in the generator's range."""
        return sngan.from_unit_range(self.smaller(images), self.plan.activation)

    def from_generator(self, images: Tensor, side: int) -> Tensor:
        """The generator's images as the feature extractor sees real ones: in [0, 1], with `side` pixels."""
        unit = sngan.to_unit_range(images, self.plan.activation)
        if side == self.plan.size:
            return unit
        return F.interpolate(unit, (side, side), mode="bilinear", align_corners=False)

    def codes(self, images: Tensor, noise: Tensor | None) -> Tensor:
        """E(x) (n, d) of images in the generator's range; a Gaussian encoder's means where there is no noise."""
        codes: Tensor = self.e(images)
        if self.plan.encoder != "gaussian":
            return codes
        return codes.chunk(2, 1)[0] if noise is None else sngan.sampled(codes, noise)

    @torch.no_grad()
    def reconstructed(self, images: Tensor) -> Tensor:
        """G(E(x)) of images (n, C, S, S) in [0, 1], in evaluation mode, with the generator's side, in [0, 1]."""
        self.eval()
        reconstructions = self.g(self.codes(self.to_generator(images), None))
        return sngan.to_unit_range(reconstructions, self.plan.activation)

    @torch.no_grad()
    def generated(self, latents: Tensor) -> Tensor:
        """G(h) in evaluation mode, in [0, 1]."""
        self.eval()
        return sngan.to_unit_range(self.g(latents), self.plan.activation)
