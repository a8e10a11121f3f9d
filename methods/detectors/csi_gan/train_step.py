"""CSI-GAN's Algorithm 1: which network each of its lines moves, and what it minimises (CSI spec 7.2, 7.3)."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from methods.detectors.csi.base import CSILoss, feature_optimiser, set_rate
from methods.detectors.csi.losses import similarity
from methods.detectors.csi.views import AugmentationDraw, Views
from methods.detectors.csi_gan.losses import ADVERSARIAL, squared_error
from methods.detectors.csi_gan.networks import GANNetworks
from methods.detectors.csi_gan.params import CSIGANParams
from methods.nn.training.loop import Optimisers
from methods.nn.training.optimisers import new_adam

SAMPLES: dict[str, Callable[[int], int]] = {"batch": lambda n: n, "twice": lambda n: 2 * n, "512": lambda _: 512}
"""Number of latents for a batch of n images (C16)."""


@dataclass(frozen=True)
class TrainStepInputs:
    """Inputs of a block of the generative lines: real images (B, C, S, S) in [0, 1], their base views (2B, ...),
    latents (B_h, d), the noise of a Gaussian encoder (B, d), and the step.
    """

    real: Tensor
    base: Tensor
    latents: Tensor
    noise: Tensor
    step: int


class GANForward:
    """Outputs of the networks for the material, each computed when first asked for."""

    def __init__(self, networks: GANNetworks, material: TrainStepInputs) -> None:
        self._networks = networks
        self.material = material

    @cached_property
    def real(self) -> Tensor:
        """The real images as discriminator and encoder see them."""
        return self._networks.to_generator(self.material.real)

    @cached_property
    def synthetic(self) -> Tensor:
        """G(h)."""
        images: Tensor = self._networks.g(self.material.latents)
        return images

    @cached_property
    def codes(self) -> Tensor:
        """E(x)."""
        return self._networks.codes(self.real, self.material.noise)

    @cached_property
    def reconstruction(self) -> Tensor:
        """G(E(x))."""
        images: Tensor = self._networks.g(self.codes)
        return images


@dataclass(frozen=True)
class Line:
    """One line of the algorithm: its loss, and the letters of the networks that it moves."""

    name: str
    moves: tuple[str, ...]
    loss: Callable[[GANForward], Tensor]


class GANLosses:
    """The losses of the generative lines, each to be minimised."""

    def __init__(self, networks: GANNetworks, views: Views, params: CSIGANParams) -> None:
        self._networks = networks
        self._views = views
        self._csi = CSILoss.from_params(views, params)
        self._adversarial = ADVERSARIAL[params.gan.loss]
        self._weight = params.loss_lambda_rec
        self._pixels, self._latents = params.loss_pixel_reduction, params.loss_latent_reduction
        self._statistics = params.gan.feature_statistics
        self._output = params.score_output

    def lines(self) -> list[Line]:
        """The lines in their order; those with E or D' are absent without these networks (CSI spec 7.5)."""
        full = self._networks.full
        makers = ("g", "e") if full else ("g",)
        both = [
            Line("discriminator", ("d",), self.discriminator),
            Line("adversarial", makers, self.adversarial),
            Line("synthetic_csi", ("g",), self.synthetic_csi),
        ]
        encoding = [
            Line("latent_discriminator", ("ld",), self.latent_discriminator),
            Line("latent_adversarial", ("e",), self.latent_adversarial),
            Line("reconstruction", makers, self.reconstruction),
            Line("latent_reconstruction", ("e",), self.latent_reconstruction),
        ]
        return [*both, *(encoding if full else []), Line("joint_csi", ("f",), self.joint_csi)]

    def discriminator(self, forward: GANForward) -> Tensor:
        """-V_D: D tells real from synthetic and reconstructed (paper eq. 7)."""
        fake_images = [forward.synthetic, forward.reconstruction] if self._networks.full else [forward.synthetic]
        images = [forward.real, *(each.detach() for each in fake_images)]
        real, *fakes = self._networks.d(torch.cat(images)).split([len(each) for each in images])
        return self._adversarial.real(real) + sum_of(self._adversarial.fake(fake) for fake in fakes)

    def adversarial(self, forward: GANForward) -> Tensor:
        """G and E let D take synthetic and reconstructed for real; E has part in the second alone."""
        images = [forward.synthetic, forward.reconstruction] if self._networks.full else [forward.synthetic]
        logits = self._networks.d(torch.cat(images)).split([len(each) for each in images])
        return sum_of(self._adversarial.fooling(each) for each in logits)

    def synthetic_csi(self, forward: GANForward) -> Tensor:
        """L_CSI of synthetic images, by which G makes them differ and stand upright (paper eq. 6)."""
        draw = AugmentationDraw(self._views.context, "gan.synthetic", (forward.material.step,))
        base = self._views.base_of(self._seen(forward.synthetic, forward), 2, draw)
        with statistics(self._networks.f, self._statistics):
            return sum_of(self._csi(self._networks.f, base, draw).values())

    def latent_discriminator(self, forward: GANForward) -> Tensor:
        """-V_LD: D' tells drawn latents from codes (paper eq. 9)."""
        latents = forward.material.latents
        both = torch.cat([latents, forward.codes.detach()])
        drawn, codes = self._networks.ld(both).split([len(latents), len(both) - len(latents)])
        return self._adversarial.real(drawn) + self._adversarial.fake(codes)

    def latent_adversarial(self, forward: GANForward) -> Tensor:
        """E lets D' take codes for drawn latents."""
        return self._adversarial.fooling(self._networks.ld(forward.codes))

    def reconstruction(self, forward: GANForward) -> Tensor:
        """Pixels and features of x and G(E(x)), the latter of one augmentation each (paper eq. 8)."""
        step = forward.material.step
        pair = (forward.material.real, self._seen(forward.reconstruction, forward))
        augmented = []
        for number, images in enumerate(pair, start=1):
            draw = AugmentationDraw(self._views.context, f"gan.reconstruction.{number}", (step,))
            augmented.append(self._views.shifted(self._views.base_of(images, 1, draw), 1, draw, shifts=1))
        with statistics(self._networks.f, self._statistics):
            outputs = self._networks.f(torch.cat(augmented))
        vectors = outputs.features if self._output == "features" else outputs.z
        pixels = squared_error(forward.reconstruction, forward.real, self._pixels)
        return self._weight * pixels - similarity(*vectors.chunk(2)).mean()

    def latent_reconstruction(self, forward: GANForward) -> Tensor:
        """E(G(h)) against h; E moves alone (paper eq. 10)."""
        latents = forward.material.latents
        return squared_error(self._networks.codes(forward.synthetic.detach(), None), latents, self._latents)

    def joint_csi(self, forward: GANForward) -> Tensor:
        """L_CSI of real and synthetic images as one set (paper eq. 5)."""
        draw = AugmentationDraw(self._views.context, "gan.joint", (forward.material.step,))
        synthetic = self._views.base_of(self._seen(forward.synthetic, forward).detach(), 2, draw)
        both = [each.reshape(2, -1, *each.shape[1:]) for each in (forward.material.base, synthetic)]
        return sum_of(self._csi(self._networks.f, torch.cat(both, 1).flatten(0, 1), draw).values())

    def _seen(self, images: Tensor, forward: GANForward) -> Tensor:
        return self._networks.from_generator(images, forward.material.real.shape[-1])


class GenerativeBlock:
    """The generative lines of one batch, each followed by a step of the optimisers of the networks that it moves.

    With `fresh` the networks' images are computed anew for each line; else they, and all gradients, are computed
    before the first step (C17). `optimisers` are those of `optimisers_of`.
    """

    def __init__(self, networks: GANNetworks, lines: list[Line], optimisers: Optimisers, *, fresh: bool) -> None:
        self._networks = networks
        self._lines = lines
        self._optimisers = optimisers
        self._fresh = fresh

    def run(self, material: TrainStepInputs, feature_rate: float) -> dict[str, Tensor]:
        """Update the networks and return the losses of the lines, detached."""
        if self._fresh:
            return {line.name: self._one(line, material, feature_rate) for line in self._lines}
        shared = GANForward(self._networks, material)
        losses, gradients = {}, []
        for line in self._lines:
            losses[line.name] = self._backward(line, shared, keep=True)
            gradients.append([parameter.grad for parameter in self._moved(line)])
        for line, line_gradients in zip(self._lines, gradients, strict=True):
            for parameter, gradient in zip(self._moved(line), line_gradients, strict=True):
                parameter.grad = gradient
            self._step(line, feature_rate)
        return losses

    def _one(self, line: Line, material: TrainStepInputs, feature_rate: float) -> Tensor:
        loss = self._backward(line, GANForward(self._networks, material), keep=False)
        self._step(line, feature_rate)
        return loss

    def _moved(self, line: Line) -> list[nn.Parameter]:
        return [parameter for letter in line.moves for parameter in self._networks.get_submodule(letter).parameters()]

    def _backward(self, line: Line, forward: GANForward, *, keep: bool) -> Tensor:
        """Gradients of the moved networks alone: all others are frozen."""
        moved = self._moved(line)
        for parameter in moved:
            parameter.grad = None
        loss = line.loss(forward)
        torch.autograd.backward(loss, inputs=moved, retain_graph=keep)
        return loss.detach()

    def _step(self, line: Line, feature_rate: float) -> None:
        for letter in line.moves:
            optimiser = self._optimisers[f"{line.name}.{letter}"]
            if letter == "f":
                set_rate(optimiser, feature_rate)
            optimiser.step()


def optimisers_of(networks: GANNetworks, lines: list[Line], params: CSIGANParams) -> dict[str, torch.optim.Optimizer]:
    """The optimiser of each line and network as `line.letter`, and that of CSI's own line as `csi.f`.

    `gan.optimisers` "network" gives all lines of a network one and the same, "line" each its own (C20).
    """
    optimisers: dict[str, torch.optim.Optimizer] = {}
    by_line: dict[str, torch.optim.Optimizer] = {}
    for name, letter in [("csi", "f"), *((line.name, letter) for line in lines for letter in line.moves)]:
        key = letter if params.gan.optimisers == "network" else f"{name}.{letter}"
        if key not in optimisers:
            network = networks.get_submodule(letter)
            optimisers[key] = feature_optimiser(network, params) if letter == "f" else gan_adam(network, params)
        by_line[f"{name}.{letter}"] = optimisers[key]
    return by_line


def distinct(optimisers: Optimisers) -> dict[str, torch.optim.Optimizer]:
    """Each optimiser once, by the first of its names."""
    first: dict[int, tuple[str, torch.optim.Optimizer]] = {}
    for name, optimiser in optimisers.items():
        first.setdefault(id(optimiser), (name, optimiser))
    return dict(first.values())


def gan_adam(network: nn.Module, params: CSIGANParams) -> torch.optim.Adam:
    """Adam at a constant rate, as the paper has it for every network."""
    betas = params.gan.beta1, params.gan.beta2
    return new_adam(network, lr=params.gan.lr, betas=betas)


def is_due(step: int, every: int, phase: str) -> bool:
    """True where the batch of `step`, from 0, has a block: with "last" batches N, 2N, ..., else 1, N + 1, ... (C15)."""
    return (step + 1) % every == 0 if phase == "last" else step % every == 0


def sum_of(values: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(values)).sum()


@contextlib.contextmanager
def statistics(network: nn.Module, kind: str) -> Iterator[None]:
    """Set the statistics that batch norm of a frozen network in training mode takes in the block (C18).

    "batch" takes the batch's statistics and leaves the running ones alone, "running" is evaluation mode, "update" is
    plain training mode.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.track_running_stats = kind != "batch"
        norm.train(kind != "running")
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
            norm.train()
