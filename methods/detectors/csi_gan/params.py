"""Parameters of CSI-GAN."""

from dataclasses import dataclass
from typing import Literal

from methods.detectors.csi.params import ContrastiveParams
from methods.measures.request import INCEPTION


@dataclass(frozen=True, slots=True)
class GANParams:
    """The generative networks, their losses, their optimisers, and when they move."""

    networks: Literal["full", "generator"]
    every: int
    phase: str
    samples: str
    kind: str
    size: int
    width: int
    latent: int
    activation: str
    normed_start: bool
    encoder: str
    latent_discriminator: str
    init: str
    loss: str
    forward: Literal["fresh", "once"]
    feature_statistics: str
    optimisers: Literal["network", "line"]
    lr: float
    beta1: float
    beta2: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CSIGANParams(ContrastiveParams):
    """CSI's parameters and the generator's; those of measures are there only where a run asks for one."""

    gan: GANParams
    loss_lambda_rec: float
    loss_pixel_reduction: str
    loss_latent_reduction: str
    score_neighbour: str
    score_output: Literal["z", "features"]
    measure_fid: bool = False
    measure_fid_trunk: str = INCEPTION
    measure_fid_images: int | None = None
