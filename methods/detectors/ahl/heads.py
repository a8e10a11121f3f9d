"""The heads that AHL learns on stored maps, with the losses and the score of each base (spec ahl 3)."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.detector import FitContext
from methods.detectors.ahl.params import AHLParams
from methods.detectors.dra.detector import HeadScores, LevelMaps, head_losses, total_score
from methods.devices import accumulated
from methods.errors import MethodError
from methods.nn.data.samplers import PSEUDO, SEEN, Indices
from methods.nn.networks.heads import CompositeHead, HolisticHead, TopK, TopKHead
from methods.nn.precision import autocast, full_precision
from methods.nn.training.losses import Criterion
from methods.uploads import upload

KERNEL = 3
"""Side of the released residual head's convolution, and its stride."""


class FixedNorm(nn.Module):
    """A batch norm with mean 0 and variance 1 for ever: division by sqrt(1 + 1e-5), weight and bias (spec ahl 3.1)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, maps: Tensor) -> Tensor:
        return maps * (self.weight / math.sqrt(1 + 1e-5))[:, None, None] + self.bias[:, None, None]


class ReleasedCompositeHead(nn.Module):
    """The released g_r: 3x3 convolution with stride 3 and no padding, fixed norm, ReLU, then as TopKHead (F1, F2)."""

    def __init__(self, channels: int, pool: TopK, precision: str = "fp32") -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, KERNEL, stride=KERNEL)
        self.bn = FixedNorm(channels)
        self.score = nn.Conv2d(channels, 1, 1)
        self.pool = pool
        self.precision = precision

    def forward(self, maps: Tensor) -> Tensor:
        """Residual maps (B, C, h, w) -> (B,); raises MethodError where a map is smaller than the kernel."""
        if min(maps.shape[2:]) < KERNEL:
            raise MethodError(
                f"the released residual head of AHL cannot read a map of {maps.shape[2]} x {maps.shape[3]} positions, "
                f"its kernel has {KERNEL} x {KERNEL}: give larger images, or set head.residual to dra or none"
            )
        with autocast(maps.device, self.precision):
            features = self.conv(maps)
        return self.pool(self.score(F.relu(self.bn(full_precision(features)))))


class AHLHeads(nn.Module, ABC):
    """Heads over the levels of stored maps; how they start, learn and score depends on the base."""

    reads_references: bool = False
    """True where a head compares with reference maps."""

    def learned(self) -> dict[str, nn.Parameter]:
        """The parameters that a loss can move, by name; the gradient of the others is 0."""
        return dict(self.named_parameters())

    @abstractmethod
    def forward(self, maps: LevelMaps, references: LevelMaps | None = None) -> HeadScores:
        """Maps (B, C, h, w) of each level, mean maps (1 | B, C, h, w) -> per head the level scores (levels, B)."""

    @abstractmethod
    def loss(self, scores: HeadScores, labels: Indices, criterion: Criterion, number: int) -> Tensor:
        """The loss of a batch with labels (B,); `number` names the draws of its normal reference."""

    @abstractmethod
    def total(self, scores: HeadScores) -> Tensor:
        """Level scores per head -> anomaly scores (B,) float64."""

    @abstractmethod
    def base_state(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Of a base fit's state the tensors of its heads, by their names here."""


class DRAHeads(AHLHeads):
    """g_n, g_s, g_p and, unless there is none, g_r, as DRA has them but for the parameters `head.*` (spec ahl 3.1).

    The released g_r is dead: norm and bias start at 0, so that it gives 0 and has no gradient, whatever it is given.
    With `released_dead` nothing of it is computed.
    """

    def __init__(self, channels: int, params: AHLParams, precision: str) -> None:
        super().__init__()
        pool, residual = params.topk.pool, params.head.residual
        self.g_n = HolisticHead(channels, absolute=params.head.n_abs)
        self.g_s = TopKHead(channels, pool)
        self.g_p = TopKHead(channels, pool)
        self.is_dead = residual == "released_dead"
        self.reads_references = residual in {"released_live", "dra"}
        if residual == "dra":
            self.g_r: nn.Module = CompositeHead(channels, pool, precision)
        elif residual != "none":
            self.g_r = ReleasedCompositeHead(channels, pool, precision)

    def forward(self, maps: LevelMaps, references: LevelMaps | None = None) -> HeadScores:
        scores = {
            letter: torch.stack([head(level) for level in maps])
            for letter, head in (("n", self.g_n), ("s", self.g_s), ("p", self.g_p))
        }
        if self.is_dead:
            scores["r"] = torch.zeros_like(scores["s"].detach())
        elif references is not None:
            scores["r"] = self.residual_scores(maps, references)
        return scores

    def learned(self) -> dict[str, nn.Parameter]:
        named = super().learned()
        return {name: value for name, value in named.items() if not (self.is_dead and name.startswith("g_r."))}

    def residual_scores(self, maps: LevelMaps, references: LevelMaps) -> Tensor:
        """Level scores of g_r (levels, B): residual = the references' mean map - the image's."""
        return torch.stack([self.g_r(mean - level) for mean, level in zip(references, maps, strict=True)])

    def loss(self, scores: HeadScores, labels: Indices, criterion: Criterion, number: int) -> Tensor:
        return torch.stack([*head_losses(scores, labels, criterion, number).values()]).sum()

    def total(self, scores: HeadScores) -> Tensor:
        return total_score(scores)

    def base_state(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: value for name, value in state.items() if name in self.state_dict()}


class DevNetHeads(AHLHeads):
    """One 1x1 convolution with top-K, DevNet's (spec ahl 3.2); seen and pseudo anomalies are both its target 1."""

    def __init__(self, channels: int, params: AHLParams) -> None:
        super().__init__()
        self.score = nn.Conv2d(channels, 1, 1)
        self._pool = params.topk.pool
        self._has_two_terms = params.devnet_loss == "two_terms"

    def forward(self, maps: LevelMaps, references: LevelMaps | None = None) -> HeadScores:  # noqa: ARG002 - none here
        return {"score": torch.stack([self._pool(self.score(level)) for level in maps])}

    def loss(self, scores: HeadScores, labels: Indices, criterion: Criterion, number: int) -> Tensor:
        """One mean over the batch, or the released two, in each of which the other anomalies' score is 1 (H19)."""
        values, targets = scores["score"].mean(0), torch.from_numpy(labels > 0)
        if not self._has_two_terms:
            return criterion(values, targets, number, "score")
        terms = [
            criterion(
                values.masked_fill(upload(torch.from_numpy(labels == other), values.device), 1.0), targets, number, head
            )
            for other, head in ((SEEN, "pseudo"), (PSEUDO, "seen"))
        ]
        return torch.stack(terms).sum()

    def total(self, scores: HeadScores) -> Tensor:
        return accumulated(scores["score"]).mean(0)

    def base_state(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {f"score.{part}": state[f"head.score.{part}"] for part in ("weight", "bias")}


def start_heads(heads: AHLHeads, params: AHLParams, base: Mapping[str, Tensor], context: FitContext) -> None:
    """Give new heads their first values: `head.init` (H2), and the dead norm of the released g_r (F1).

    Raises MethodError where the base's heads have other shapes.
    """
    if params.head.init == "base":
        try:
            heads.load_state_dict({**heads.state_dict(), **heads.base_state(base)})
        except RuntimeError:
            raise MethodError(
                "the base's heads have other shapes than AHL's, so head.init cannot be base: set head.init to "
                "torch_default"
            ) from None
    elif params.head.init == "kaiming_zero_bias":
        with context.seeded("head.init"):
            _kaiming_zero_bias(heads)
    if params.head.residual == "released_dead":
        norm = heads.get_submodule("g_r.bn")
        for value in norm.parameters():
            nn.init.zeros_(value)


def _kaiming_zero_bias(heads: nn.Module) -> None:
    for layer in heads.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
