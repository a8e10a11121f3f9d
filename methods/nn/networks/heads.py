"""Scoring heads: feature maps (B, C, h, w) -> one score an image (B,)."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.nn.precision import autocast, full_precision

ROUNDING: dict[str, Callable[[float], int]] = {"floor": math.floor, "round": round, "ceil": math.ceil}


@dataclass(frozen=True)
class TopK:
    """Mean of the K highest position scores (paper eq. 3; spec 2.2, D2, D18); at rate 0 of all, signed (spec 3)."""

    rate: float = 0.1
    rounding: str = "floor"
    absolute: bool = True

    def count(self, positions: int) -> int:
        """K of a map: the float64 product of positions and rate, rounded, at least 1; `round` is half to even."""
        return min(max(ROUNDING[self.rounding](positions * self.rate), 1), positions)

    def compared(self, position_scores: Tensor) -> Tensor:
        """The values by which positions are ranked, or whose mean is taken; any shape."""
        return position_scores.abs() if self.absolute and self.rate else position_scores

    def __call__(self, position_scores: Tensor) -> Tensor:
        """(B, 1, h, w) -> (B,)."""
        flat = position_scores.flatten(1)
        if self.rate == 0:
            return flat.mean(1)
        return torch.topk(self.compared(flat), self.count(flat.shape[1]), dim=1, sorted=False).values.mean(1)


class TopKHead(nn.Module):
    """1x1 convolution to one score a position, then top-K (spec 2.1: g_s, g_p; spec 3)."""

    def __init__(self, channels: int, pool: TopK) -> None:
        super().__init__()
        self.score = nn.Conv2d(channels, 1, 1)
        self.pool = pool

    def positions(self, maps: Tensor) -> Tensor:
        """(B, C, h, w) -> the scores (B, 1, h, w) that are pooled."""
        scores: Tensor = self.score(maps)
        return scores

    def forward(self, maps: Tensor) -> Tensor:
        return self.pool(self.positions(maps))


class CompositeHead(nn.Module):
    """3x3 convolution, batch norm, ReLU, then as TopKHead (spec 2.1: g_r).

    The convolution costs as much as a layer of the trunk and runs in the trunk's precision, the rest in float32.
    """

    def __init__(self, channels: int, pool: TopK, precision: str = "fp32") -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn = nn.BatchNorm2d(channels)
        self.score = nn.Conv2d(channels, 1, 1)
        self.pool = pool
        self.precision = precision

    def positions(self, maps: Tensor) -> Tensor:
        """(B, C, h, w) -> the scores (B, 1, h, w) that are pooled."""
        with autocast(maps.device, self.precision):
            features = self.conv(maps)
        scores: Tensor = self.score(F.relu(self.bn(full_precision(features))))
        return scores

    def forward(self, maps: Tensor) -> Tensor:
        return self.pool(self.positions(maps))


class HolisticHead(nn.Module):
    """Global average pooling and two linear layers C-256-1 (paper B.1; spec 2.1: g_n; D17)."""

    def __init__(self, channels: int, *, absolute: bool) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, 256)
        self.fc2 = nn.Linear(256, 1)
        self.absolute = absolute

    def forward(self, maps: Tensor) -> Tensor:
        scores: Tensor = self.fc2(F.relu(self.fc1(maps.mean((2, 3))))).squeeze(1)
        return scores.abs() if self.absolute else scores


def head_positions(head: nn.Module, maps: Tensor) -> Tensor:
    """The values that a top-K head ranks: maps (B, C, h, w) -> (B, h, w)."""
    if not isinstance(head, TopKHead | CompositeHead):
        raise TypeError(f"{type(head).__name__} has no positions")
    return head.pool.compared(head.positions(maps))[:, 0]
