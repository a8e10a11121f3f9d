"""Batch norm that knows AGAD's kinds of passes, and how its networks start (AGAD spec 3.3, 6)."""

import contextlib
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

INITIAL_STD = 0.02
AUXILIARY = "auxiliary"

Normalise = Callable[[nn.BatchNorm2d, Tensor], Tensor]


def _learning(norm: nn.BatchNorm2d, maps: Tensor) -> Tensor:
    """Batch statistics, which move the running ones; in evaluation mode the running ones."""
    normalised: Tensor = norm(maps)
    return normalised


def _running(norm: nn.BatchNorm2d, maps: Tensor) -> Tensor:
    return F.batch_norm(maps, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)


def _running_fixed(norm: nn.BatchNorm2d, maps: Tensor) -> Tensor:
    weight, bias = norm.weight.detach(), norm.bias.detach()
    return F.batch_norm(maps, norm.running_mean, norm.running_var, weight, bias, eps=norm.eps)


def _batch(norm: nn.BatchNorm2d, maps: Tensor) -> Tensor:
    return F.batch_norm(maps, None, None, norm.weight, norm.bias, training=True, eps=norm.eps)


def _bypass(_: nn.BatchNorm2d, maps: Tensor) -> Tensor:
    return maps


NORMALISERS: dict[str, Normalise] = {
    "learning": _learning,
    "running": _running,
    "running_affine_frozen": _running_fixed,
    "bypass": _bypass,
    "batch": _batch,
}
"""Kinds of passes by their work at batch norm; all but the first leave the running statistics alone (A20, A30)."""


class StreamNorm(nn.Module):
    """Batch norm with a second set of weight, bias and running statistics where `auxiliary` asks for it.

    `passing` says which set and which of `NORMALISERS` the passes in its block take.
    """

    def __init__(self, channels: int, *, auxiliary: bool) -> None:
        super().__init__()
        self.main = nn.BatchNorm2d(channels)
        self.auxiliary = nn.BatchNorm2d(channels) if auxiliary else None
        self.kind = "learning"
        self.on_auxiliary = False

    def forward(self, maps: Tensor) -> Tensor:
        norm = self.auxiliary if self.on_auxiliary and self.auxiliary is not None else self.main
        return NORMALISERS[self.kind](norm, maps)

    @torch.no_grad()
    def start(self, std: float) -> None:
        """Draw the weight from N(1, std) and set the bias to 0, alike in both sets."""
        self.main.weight.normal_(1, std)
        self.main.bias.zero_()
        if self.auxiliary is not None:
            self.auxiliary.weight.copy_(self.main.weight)
            self.auxiliary.bias.copy_(self.main.bias)


@contextlib.contextmanager
def passing(network: nn.Module, *, kind: str | None = None, auxiliary: bool | None = None) -> Iterator[None]:
    """Let the passes of the block be of a kind, or take the auxiliary set where there is one; None changes nothing."""
    norms = [module for module in network.modules() if isinstance(module, StreamNorm)]
    before = [(norm.kind, norm.on_auxiliary) for norm in norms]
    for norm in norms:
        norm.kind = norm.kind if kind is None else kind
        norm.on_auxiliary = norm.on_auxiliary if auxiliary is None else auxiliary
    try:
        yield
    finally:
        for norm, (old_kind, old_set) in zip(norms, before, strict=True):
            norm.kind, norm.on_auxiliary = old_kind, old_set


def initialise(network: nn.Module, kind: str) -> None:
    """Convolutions from N(0, 0.02), batch norm's weight from N(1, 0.02), biases 0; "default" is PyTorch's way (A15).

    Both sets of a batch norm start alike, and the main one as if there were no other; running statistics stay.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            if kind == "default":
                module.reset_parameters()
            else:
                nn.init.normal_(module.weight, std=INITIAL_STD)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        elif isinstance(module, StreamNorm):
            module.start(0.0 if kind == "default" else INITIAL_STD)


def without_auxiliary(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A network's state as inference needs it: without the auxiliary sets."""
    return {name: value for name, value in state.items() if f".{AUXILIARY}." not in name}
