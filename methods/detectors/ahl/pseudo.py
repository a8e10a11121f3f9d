"""The pseudo anomalies that tasks ask for: one version of each kind of a training normal, made once (spec ahl 2.5)."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from methods.detector import FitContext, TrainData
from methods.detectors.ahl.features import TRUNK_BATCH, FrozenTrunk, joined
from methods.detectors.ahl.params import AHLParams
from methods.detectors.ahl.tasks import MetaTask
from methods.detectors.dra.detector import LevelMaps
from methods.errors import MethodError
from methods.nn.data.transforms import normalise, rotate, rotation_angles, to_unit
from methods.nn.pseudo_anomalies.cutmix import uniform
from methods.nn.pseudo_anomalies.draem import Draem
from methods.nn.pseudo_anomalies.two_images import pasted_from
from protocols.images.decode import Pixels
from protocols.images.store import Images

Version = tuple[str, int]
"""Kind of a pseudo anomaly, and index of the training normal that it is made of."""


def needed_versions(tasks: Iterable[MetaTask]) -> list[Version]:
    """The versions that tasks hold, each once, sorted."""
    sets = [part for task in tasks for part in (task.support, task.query)]
    return sorted({(part.kind, int(index)) for part in sets if part.kind for index in part.pseudo})


class PseudoImages:
    """Makes versions of training normals as inputs of the trunk; each follows from seed, kind and index alone."""

    def __init__(self, data: TrainData, params: AHLParams, context: FitContext) -> None:
        self._data = data
        self._params = params
        self._context = context
        self._makers: dict[str, Callable[[int], Tensor]] = {
            "cutpaste": self._cutpaste,
            "cutmix_other": self._cutmix_other,
            "draem": self._draem,
        }
        self._draem_kind = Draem(redraw_empty=params.draem.empty == "redraw")

    def maps(self, trunk: FrozenTrunk, versions: Sequence[Version]) -> LevelMaps:
        """The maps of each level of these versions, at least one, in their order."""
        run = trunk.single_image_maps if self._params.features.bn == "single_image" else trunk.maps
        return joined([run(torch.stack(batch)) for batch in self._batches(versions)])

    def _batches(self, versions: Sequence[Version]) -> Iterator[list[Tensor]]:
        for start in range(0, len(versions), TRUNK_BATCH):
            yield [self.network_input(kind, index) for kind, index in versions[start : start + TRUNK_BATCH]]

    def network_input(self, kind: str, index: int) -> Tensor:
        """The input (3, S, S) float32 of one version."""
        return self._makers[kind](index)

    def _cutpaste(self, index: int) -> Tensor:
        image, generator = self._data.normal.one(index), self._context.generator("pseudo.cutpaste", index)
        return self._rotated(self._params.cutmix.draw(len(image), generator)(image), "cutpaste", index)

    def _cutmix_other(self, index: int) -> Tensor:
        """With a patch of another training normal, which may be the image itself."""
        image, generator = self._data.normal.one(index), self._context.generator("pseudo.cutmix_other", index)
        paste = self._params.cutmix.draw(len(image), generator)
        others = self._other_images()
        other = others.one(_any(len(others), generator))
        return self._rotated(pasted_from(paste, image, other), "cutmix_other", index)

    def _other_images(self) -> Images:
        if self._params.cutmix_other.crop == "resized":
            return self._data.normal
        if self._data.native is None:
            raise MethodError(
                "the run has no images of their own sizes, which cutmix_other.crop = native cuts patches from: "
                "set it to resized"
            )
        return self._data.native

    def _rotated(self, image: Pixels, kind: str, index: int) -> Tensor:
        pixels = torch.from_numpy(np.ascontiguousarray(image))[None]
        limit = self._params.pseudo.rotation
        if limit:
            angles = rotation_angles(1, limit, self._context.generator(f"pseudo.{kind}.angle", index))
            pixels = rotate(pixels, angles)
        return normalise(pixels)[0]

    def _draem(self, index: int) -> Tensor:
        """A textured image; as the released code has it, blue-green-red in [0, 1] (F15, H14)."""
        image, generator = self._data.normal.one(index), self._context.generator("pseudo.draem", index)
        textures = self._textures()
        textured = self._draem_kind(image, textures.one(_any(len(textures), generator)), generator)
        pixels = torch.from_numpy(textured)[None]
        return normalise(pixels)[0] if self._params.draem.normalise else to_unit(pixels)[0].flip(0)

    def _textures(self) -> Images:
        name = self._params.draem.texture
        if name == "self":
            return self._data.normal
        if name not in self._data.pools or not len(self._data.pools[name]):
            raise MethodError(f"no images of the pool {name!r}: prepare that dataset, or set draem.texture to self")
        return self._data.pools[name]


def _any(count: int, generator: torch.Generator) -> int:
    (unit,) = uniform(1, generator)
    return int(unit * count)
