"""Parameters of AGAD."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class AGADParams:
    """A fit is not given `evaluation.batch`: the run then says how many images are scored at a time."""

    generator: Literal["naive", "unet", "unetpp"]
    unet_width: int
    unet_style: Literal["double_conv", "pix2pix"]
    unet_pix2pix_width: int
    unetpp_deep_supervision: bool
    naive_width: int
    naive_nz: int
    naive_bottleneck: str
    network_output: Literal["tanh", "none", "sigmoid"]
    network_slope: float
    network_init: str
    discriminator_kind: str
    discriminator_width: int
    discriminator_delta: float
    discriminator_reset: Literal["keep_adam", "reset_adam", "none"]
    loss_lambda_adv: float
    loss_lambda_con: float
    loss_lambda_adcon: float
    loss_lambda_lat: float
    loss_contextual: Literal["on", "off_for_normals", "off"]
    loss_anomaly_pair: str
    loss_reduction: str
    loss_guard: str
    loss_reciprocal: str
    loss_joining: Literal["sum", "weighted", "alternating"]
    loss_stop_gradient: str
    adv_prop: bool
    adv_prop_discriminator: bool
    freeze_bn: bool
    freeze_bn_mode: str
    batch_norm_anomalies: Literal["joint", "separate"]
    batch_size: int
    batch_seen: int
    batch_composition: Literal["included", "on_top"]
    optim_lr: float
    optim_beta1: float
    optim_beta2: float
    budget_epochs: int
    budget_steps: int | None
    images_resize: str
    images_side: int
    images_scaling: Literal["half", "per_channel", "unit"]
    images_grey: Literal["one_channel", "three_channels"]
    eval_bn: Literal["running", "batch"]
    evaluation_batch: int = 64
