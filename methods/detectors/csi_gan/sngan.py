"""CSI-GAN's generative networks after SNGAN's plain CNN, for sides of 4 or 7 times a power of two (CSI spec 7.1)."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.utils import parametrizations

WIDEST = 16
"""Channels grow by two a stage up to this many times the width."""
ENCODER_SLOPE = 0.2
DISCRIMINATOR_SLOPE = 0.1
WEIGHT_STD = 0.02
LATENT: dict[str, tuple[tuple[int, int], float, bool]] = {
    "relu_1000": ((1000, 1000), 0.0, False),
    "leaky_512": ((512, 256), ENCODER_SLOPE, False),
    "spectral": ((1000, 1000), 0.0, True),
}
"""Of each latent discriminator the hidden widths, the slope of its ReLU, and whether it is spectrally normalised."""


@dataclass(frozen=True)
class GANPlan:
    """Common plan of the generative networks: side and channels of the images, latent size, width of a layer at
    full size, and switches.

    `activation` "tanh" or "sigmoid" bounds the generator's images (C6), `normed_start` puts batch norm and ReLU after
    its first layer (C7), `encoder` is "mirror", "spectral" or "gaussian" (C8).
    """

    size: int
    channels: int
    latent: int
    width: int
    activation: str
    normed_start: bool
    encoder: str

    @property
    def start(self) -> int:
        """The side of the smallest maps."""
        return 7 if self.size % 7 == 0 else 4

    @property
    def stages(self) -> int:
        """Doublings of the side between the smallest maps and the image."""
        return (self.size // self.start).bit_length() - 1

    @property
    def widths(self) -> list[int]:
        """Channels at each side, full size first: 64, 128, 256, 512 at 32 pixels."""
        return [self.width * min(1 << stage, WIDEST) for stage in range(self.stages + 1)]

    @property
    def codes(self) -> int:
        """Outputs of the encoder: two for each latent dimension where it is Gaussian."""
        return 2 * self.latent if self.encoder == "gaussian" else self.latent


class CNNGenerator(nn.Module):
    """Latents (n, d) -> images (n, C, S, S)."""

    def __init__(self, plan: GANPlan) -> None:
        super().__init__()
        widths = plan.widths[::-1]
        self._shape = (widths[0], plan.start, plan.start)
        self.first = nn.Linear(plan.latent, widths[0] * plan.start**2)
        layers: list[nn.Module] = [nn.BatchNorm2d(widths[0]), nn.ReLU()] if plan.normed_start else []
        for before, after in pairwise(widths):
            layers += [nn.ConvTranspose2d(before, after, 4, 2, 1), nn.BatchNorm2d(after), nn.ReLU()]
        self.rest = nn.Sequential(*layers, nn.Conv2d(widths[-1], plan.channels, 3, padding=1), bounded(plan))

    def forward(self, latents: Tensor) -> Tensor:
        images: Tensor = self.rest(self.first(latents).reshape(-1, *self._shape))
        return images


class CNNEncoder(nn.Module):
    """The generator's mirror: images (n, C, S, S) -> codes (n, d), or (n, 2 d) where it is Gaussian."""

    def __init__(self, plan: GANPlan) -> None:
        super().__init__()
        widths, spectral = plan.widths, plan.encoder == "spectral"
        convs = [nn.Conv2d(plan.channels, widths[0], 3, padding=1)]
        convs += [nn.Conv2d(before, after, 4, 2, 1) for before, after in pairwise(widths)]
        layers: list[nn.Module] = []
        for conv in convs:
            norm = [] if spectral else [nn.BatchNorm2d(conv.out_channels)]
            layers += [conv, *norm, nn.LeakyReLU(ENCODER_SLOPE)]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1] * plan.start**2, plan.codes))

    def forward(self, images: Tensor) -> Tensor:
        codes: Tensor = self.layers(images)
        return codes


class CNNDiscriminator(nn.Module):
    """Images (n, C, S, S) -> logits (n,); no batch norm."""

    def __init__(self, plan: GANPlan) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = plan.channels
        for width in plan.widths[:-1]:
            for conv in (nn.Conv2d(before, width, 3, padding=1), nn.Conv2d(width, width, 4, 2, 1)):
                layers += [conv, nn.LeakyReLU(DISCRIMINATOR_SLOPE)]
            before = width
        last = plan.widths[-1]
        layers += [nn.Conv2d(before, last, 3, padding=1), nn.LeakyReLU(DISCRIMINATOR_SLOPE), nn.Flatten()]
        self.layers = nn.Sequential(*layers, nn.Linear(last * plan.start**2, 1))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layers(images)
        return logits.squeeze(1)


class LatentDiscriminator(nn.Module):
    """Latents (n, d) -> logits (n,), of the two hidden widths and the slope of `LATENT` (C9)."""

    def __init__(self, latent: int, kind: str) -> None:
        super().__init__()
        (first, second), slope, _ = LATENT[kind]
        activation: Callable[[], nn.Module] = (lambda: nn.LeakyReLU(slope)) if slope else nn.ReLU
        self.layers = nn.Sequential(
            nn.Linear(latent, first), activation(), nn.Linear(first, second), activation(), nn.Linear(second, 1)
        )

    def forward(self, latents: Tensor) -> Tensor:
        logits: Tensor = self.layers(latents)
        return logits.squeeze(1)


def bounded(plan: GANPlan) -> nn.Module:
    return nn.Tanh() if plan.activation == "tanh" else nn.Sigmoid()


def initialised(network: nn.Module, kind: str) -> nn.Module:
    """Weights of convolutions and linear layers from N(0, 0.02), Xavier uniform, or as PyTorch has them (C11).

    But for the last, biases are 0; batch norm starts at 1 and 0 in any case.
    """
    for layer in network.modules():
        if kind != "default" and isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            if kind == "normal":
                nn.init.normal_(layer.weight, std=WEIGHT_STD)
            else:
                nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network


def spectrally_normalised(network: nn.Module) -> nn.Module:
    """Every convolution and linear layer divided by its largest singular value, by one power iteration a forward."""
    for layer in list(network.modules()):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            parametrizations.spectral_norm(layer)
    return network


def sampled(codes: Tensor, noise: Tensor) -> Tensor:
    """A Gaussian encoder's latents: mean + exp(log variance / 2) noise, from codes (n, 2 d)."""
    mean, log_variance = codes.chunk(2, 1)
    return mean + (log_variance / 2).exp() * noise


def to_unit_range(images: Tensor, activation: str) -> Tensor:
    """The generator's images as [0, 1], which the feature extractor sees (C6)."""
    return (images + 1) / 2 if activation == "tanh" else images


def from_unit_range(images: Tensor, activation: str) -> Tensor:
    """Images in [0, 1] in the generator's range, which discriminator and encoder see."""
    return images * 2 - 1 if activation == "tanh" else images
