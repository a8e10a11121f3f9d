"""The optimiser of the neural detectors."""

import torch
from torch import nn

from methods.devices import KINDS


def new_adam(
    network: nn.Module, *, lr: float, betas: tuple[float, float] = (0.9, 0.999), weight_decay: float = 0.0
) -> torch.optim.Adam:
    """Adam over all parameters, eps 1e-8; in one kernel a step where their device has one."""
    is_fused = KINDS[next(network.parameters()).device.type].fused_adam
    return torch.optim.Adam(network.parameters(), lr=lr, betas=betas, weight_decay=weight_decay, fused=is_fused or None)
