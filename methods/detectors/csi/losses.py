"""CSI's two losses: contrast between shifted instances, and recognition of the shift (CSI spec 4)."""

import torch
import torch.nn.functional as F
from torch import Tensor

EPS = 1e-8
"""Added to norms, to the sum over the negatives and inside the logarithm, as in the released code."""


def unit(vectors: Tensor) -> Tensor:
    """Vectors (..., d) over their length."""
    lengths: Tensor = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    return vectors / (lengths + EPS)


def anchor_losses(similarities: Tensor, positives: Tensor, temperature: float) -> Tensor:
    """-log(exp(s_pos / t) / sum over all others of exp(s / t)) of each anchor (N,).

    `similarities` (N, N), of which the diagonal is left out; `positives` (N,) the place of each anchor's positive.
    """
    weights = (similarities / temperature).exp()
    others = weights * (1 - torch.eye(len(weights), device=weights.device, dtype=weights.dtype))
    positive = others.gather(1, positives[:, None]).squeeze(1)
    return -(positive / (others.sum(1) + EPS) + EPS).log()


def nt_xent(vectors: Tensor, temperature: float) -> Tensor:
    """Losses (N,) of vectors (N, d) whose first half is one view and whose second half the other, in the same order."""
    normed = unit(vectors)
    places = torch.arange(len(vectors), device=vectors.device)
    return anchor_losses(normed @ normed.T, places.roll(len(vectors) // 2), temperature)


def shift_targets(images: int, shifts: int, views: int, device: torch.device) -> Tensor:
    """The shift of each row in the order view, shift, image: (views * shifts * images,)."""
    return torch.arange(shifts, device=device).repeat_interleave(images).repeat(views)


def shift_losses(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy (N,) of the shift classifier's logits (N, K)."""
    return F.cross_entropy(logits, targets, reduction="none")


def similarity(first: Tensor, second: Tensor) -> Tensor:
    """Cosines (n,) of rows (n, d)."""
    return (unit(first) * unit(second)).sum(1)
