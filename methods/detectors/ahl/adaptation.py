"""Inner and outer gradients: a base model adapted to its support set, and its query loss (spec ahl 4)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import functional_call

from methods.detectors.ahl.heads import AHLHeads
from methods.detectors.ahl.params import InnerParams
from methods.detectors.dra.detector import LevelMaps
from methods.devices import KINDS
from methods.nn.data.samplers import Indices
from methods.nn.training.losses import Criterion

Tensors = Sequence[Tensor]
Statistics = dict[str, Tensor]


class MapBatch(NamedTuple):
    """One batch of stored maps: levels (B, C, h, w), labels (B,), mean reference maps, the number of its draws."""

    maps: LevelMaps
    labels: Indices
    references: LevelMaps | None
    number: int


@dataclass(frozen=True)
class BatchLoss:
    """The loss of a batch under given learned parameters of the heads, which are not changed.

    Batch norms read the batch. They update the statistics that are given, else those of the heads.
    """

    heads: AHLHeads
    criterion: Criterion

    def __call__(self, parameters: Tensors, batch: MapBatch, statistics: Statistics | None = None) -> Tensor:
        named = dict(zip(self.heads.learned(), parameters, strict=True))
        scores = functional_call(self.heads, {**(statistics or {}), **named}, (batch.maps, batch.references))
        return self.heads.loss(scores, batch.labels, self.criterion, batch.number)


@dataclass(frozen=True)
class BaseModel:
    """A base model after its inner steps: parameters, the first and last loss, and what the outer gradient passes.

    `start` are the unified parameters, `differentiable` the end of the steps that are differentiated through.
    """

    parameters: list[Tensor]
    start: list[Tensor]
    differentiable: list[Tensor] | None
    first_loss: Tensor
    last_loss: Tensor

    def outer_gradient(self, query_gradient: Tensors) -> list[Tensor]:
        """The gradient for the unified parameters, from that at the adapted ones (H20)."""
        if self.differentiable is None:
            return list(query_gradient)
        return list(torch.autograd.grad(self.differentiable, self.start, query_gradient, materialize_grads=True))


def adapted(
    parameters: Iterable[Tensor], batches: Callable[[int], MapBatch], steps: int, loss: BatchLoss, inner: InnerParams
) -> BaseModel:
    """Inner steps over the support batches, `inner.passes` times `steps` of them by their index.

    With `first_pass` "last_batch" each batch of the first pass starts at the unified parameters again, so that only its
    last one counts, and the others are not computed (F7).
    """
    start = [value.detach().clone().requires_grad_() for value in parameters]
    current, differentiable, losses = start, None, []
    scratch = {name: value.clone() for name, value in loss.heads.named_buffers()}
    update = _Adam(inner.lr) if inner.optimiser == "adam" else _SGD(inner.lr)
    first = 0 if inner.is_chained else steps - 1
    for index in range(first, inner.passes * steps):
        is_kept = inner.order == "second_all" or (inner.order == "second_first_step" and index == first)
        value = loss(current, batches(index), scratch)
        gradients = torch.autograd.grad(value, current, create_graph=is_kept, materialize_grads=True)
        current = update(current, gradients)
        if is_kept:
            differentiable = current
        else:
            current = [tensor.detach().requires_grad_() for tensor in current]
        losses.append(value.detach())
    return BaseModel(current, start, differentiable, losses[0], losses[-1])


def query_gradient(model: BaseModel, batches: Iterable[MapBatch], loss: BatchLoss) -> tuple[list[Tensor], Tensor]:
    """The gradient of the summed query losses at the adapted parameters, and that sum."""
    total: Tensor | None = None
    gradient: list[Tensor] = []
    for batch in batches:
        value = loss(model.parameters, batch)
        parts = torch.autograd.grad(value, model.parameters, materialize_grads=True)
        gradient = [a + b for a, b in zip(gradient, parts, strict=True)] if gradient else list(parts)
        total = value.detach() if total is None else total + value.detach()
    if total is None:
        raise ValueError("a query set without a batch has no gradient")
    return gradient, total


def flattened(tensors: Iterable[Tensor]) -> Tensor:
    """All values in one vector (P,)."""
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


def shaped(vector: Tensor, like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The parts of a vector (P,) in the shapes and layouts of `like`, by name."""
    parts = torch.split(vector, [tensor.numel() for tensor in like.values()])
    return {
        name: torch.empty_like(tensor).copy_(part.reshape(tensor.shape))
        for (name, tensor), part in zip(like.items(), parts, strict=True)
    }


@dataclass(frozen=True)
class _SGD:
    """Plain gradient steps: no momentum, decay or clipping."""

    lr: float

    def __call__(self, parameters: list[Tensor], gradients: Tensors) -> list[Tensor]:
        return [value - self.lr * gradient for value, gradient in zip(parameters, gradients, strict=True)]


class _Adam:
    """Adam whose state lives for one task and epoch: no decay, no clipping. It moves copies of its first parameters."""

    def __init__(self, lr: float) -> None:
        self._lr = lr
        self._optimiser: torch.optim.Adam | None = None
        self._values: list[Tensor] = []

    def __call__(self, parameters: list[Tensor], gradients: Tensors) -> list[Tensor]:
        if self._optimiser is None:
            self._values = [value.detach().clone() for value in parameters]
            is_fused = KINDS[self._values[0].device.type].fused_adam
            self._optimiser = torch.optim.Adam(self._values, lr=self._lr, fused=is_fused or None)
        for value, gradient in zip(self._values, gradients, strict=True):
            value.grad = torch.empty_like(value).copy_(gradient)
        self._optimiser.step()
        return self._values
