"""Digests of tensors."""

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over tensors, sorted by name, each with name, type and shape."""
    whole = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        content = value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
        whole.update(f"{name}\n{value.dtype}\n{tuple(value.shape)}\n".encode())
        whole.update(content.data)
    return whole.hexdigest()
