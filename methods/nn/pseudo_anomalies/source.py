"""Pseudo anomalies: made from normal images, or images of an external pool (spec 2.9)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import torch

from methods.detector import TrainData
from methods.errors import MethodError
from methods.nn.pseudo_anomalies.cp_scar import CPScar, Scar
from methods.nn.pseudo_anomalies.cutmix import CutMix, Paste, uniform
from protocols.images.decode import Pixels
from protocols.images.store import Images


@dataclass(frozen=True)
class InTurn:
    """Two changes, the second of what the first made."""

    first: Paste
    second: Scar

    def __call__(self, image: Pixels) -> Pixels:
        return self.second(self.first(image))


Change = Paste | Scar | InTurn


class Maker(Protocol):
    """Maker of pseudo anomalies: it draws the change of a normal image whose side is `size` pixels."""

    def draw(self, size: int, generator: torch.Generator) -> Change: ...


@dataclass(frozen=True)
class CPMix:
    """CutMix or CP-Scar by a fair coin, or CutMix and then CP-Scar (spec 2.9, D58)."""

    mode: Literal["coin", "sequential"]
    cutmix: CutMix
    cp_scar: CPScar

    def draw(self, size: int, generator: torch.Generator) -> Change:
        """Draw the coin first, or first all of CutMix."""
        if self.mode == "sequential":
            return InTurn(self.cutmix.draw(size, generator), self.cp_scar.draw(size, generator))
        (unit,) = uniform(1, generator)
        return self.cutmix.draw(size, generator) if unit < 0.5 else self.cp_scar.draw(size, generator)


@dataclass(frozen=True)
class Pseudo:
    """Source of pseudo anomalies: normal images that `maker` changes, or without one a pool's as they are."""

    images: Images
    maker: Maker | None


def pseudo_source(data: TrainData, source: str, makers: Mapping[str, Maker]) -> Pseudo:
    """The pseudo anomalies that `source` names: by one of the makers, or of a pool.

    Raises MethodError where the run was given no such pool.
    """
    if source in makers:
        return Pseudo(data.normal, makers[source])
    if source not in data.pools or not len(data.pools[source]):
        raise MethodError(f"no images of the pool {source!r}: prepare that dataset, or set pseudo.source to 'cutmix'")
    return Pseudo(data.pools[source], None)
