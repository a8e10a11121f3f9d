"""Blocks in which a network runs in bfloat16, and the way back to float32."""

import torch
from torch import Tensor


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """bfloat16 autocast for precision "bf16", none for "fp32"."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def full_precision(values: Tensor) -> Tensor:
    """bfloat16 as float32; float32 and float64 as they are."""
    return values.float() if values.dtype == torch.bfloat16 else values
