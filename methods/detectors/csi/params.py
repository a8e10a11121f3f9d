"""Parameters of CSI that CSI-GAN has too."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastiveParams:
    """A fit is not given `evaluation.batch`: the run then says how many images are scored at a time."""

    network_width: int
    network_stem: str
    input_grey: Literal["three_channels", "one_channel"]
    shift_kind: str
    augment_hue_formula: str
    augment_blur: bool
    augment_jitter_prob: float
    augment_brightness: float
    augment_contrast: float
    augment_saturation: float
    augment_hue: float
    augment_grey_prob: float
    augment_crop_min: float
    views_source: str
    views_size: int
    loss_temperature: float
    loss_reduction: str
    batch_size: int
    budget_epochs: int
    optim_kind: Literal["lars", "adam"]
    optim_lr: float
    optim_schedule: str
    optim_warmup_epochs: int
    optim_warmup_factor: float
    optim_momentum: float
    optim_weight_decay: float
    lars_trust: float
    score_ensemble: Literal["augmented", "plain"]
    score_draws: int
    score_flips: Literal["per_image", "per_shift"]
    score_crop: float
    features_batch: int
    evaluation_batch: int = 64
