"""The interface between the harness and a detector.

A detector sees arrays, never files, and in `fit` never a test image or a test label.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from methods.backbones.features import ComputedFeatures, FeatureSource
from methods.backbones.find import WeightsFile
from methods.devices import kept_generators
from methods.uploads import Uploads
from protocols.images.store import Images
from protocols.values import ParamValue


@dataclass(frozen=True)
class TrainData:
    """Data of a fit: training normals, labelled anomalies (maybe none), external pools by id, and the state of
    the source fit where this one fine-tunes another or has a base.

    `native` are the training normals at their own sizes, for the methods that ask for them.
    """

    normal: Images
    anomaly: Images
    pools: Mapping[str, Images]
    init: Mapping[str, torch.Tensor] | None = None
    native: Images | None = None


class Checkpoint(Protocol):
    """Store of a fit's state between steps: tensors, numbers, text, lists and dictionaries of these."""

    def load(self) -> dict[str, Any] | None: ...

    def save(self, state: Mapping[str, Any]) -> None: ...

    def due(self) -> bool:
        """True where enough time has passed since the last save for another to be worth its cost."""
        ...


class DeadlineReached(Exception):  # noqa: N818 - a stop that was asked for, not an error
    """The fit stopped at `FitContext.deadline`, after it saved a checkpoint."""


@dataclass
class FitContext:
    """Everything around a fit that is not data: seed, machine settings, weights, and ways to report back.

    `deadline` is on the clock of `time.monotonic`; it may come nearer while a fit is at work, so look at each step.
    `progress(done, total, **numbers)` takes the numbers of one epoch. `epoch_done`, where it is given, is called after
    each epoch and may score images with the detector as it is then; the training goes on as if it had not been called.
    `features` gives the maps of a frozen network, computed or kept from an earlier fit.
    """

    seed: int
    threads: int
    precision: str
    device: str
    weights: Mapping[str, WeightsFile]
    checkpoint: Checkpoint
    progress: Callable[..., None]
    artefact: Callable[[str, bytes], None]
    deadline: float | None = None
    epoch_done: Callable[[], None] | None = None
    features: FeatureSource = field(default_factory=ComputedFeatures)

    def backbone(self, arch: str, nodes: Sequence[str] = ()) -> nn.Module:
        """The trunk of `arch` with the weights that this run resolved: images (B, 3, S, S) -> deepest map (B, C, h, w).

        With `nodes`, names of `methods.backbones.table`, it gives the list of the maps there. Raises MethodError where
        there is no such trunk or node, its package is not installed, or the file does not hold it.
        """
        from methods.backbones.trunk import build_trunk

        with self.seeded(f"backbone.{arch}"):
            return build_trunk(arch, self.weights[arch], nodes)

    @cached_property
    def uploads(self) -> Uploads:
        """The images of this fit on its device: `uploads.take(images, index)` -> (k, S, S, C) uint8 there."""
        return Uploads(self.device)

    def generator(self, stream: str, *step: int) -> torch.Generator:
        """A fresh CPU generator for one draw, seeded by SHA-256 of (seed, stream, step): no state is carried along."""
        return torch.Generator().manual_seed(self._number(stream, *step))

    @contextlib.contextmanager
    def seeded(self, stream: str, *step: int) -> Iterator[None]:
        """Run a block that draws from torch's global generators (layer initialisation) from a stream of its own."""
        with kept_generators(self.device):
            torch.manual_seed(self._number(stream, *step))
            yield

    def _number(self, stream: str, *step: int) -> int:
        text = "\x1f".join([str(self.seed), stream, *map(str, step)])
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


class Detector(Protocol):
    """A method that learns from normals (and, where it uses them, labelled anomalies) and scores images.

    `history` holds one number an epoch under each name, such as `loss`. A class may have a static or class method
    `network_parameters(params, side, channels)` too: the parameters, a whole number, of the network that it would use
    for images of `side` pixels with so many channels, for papers that print it. One whose scores come from positions of
    an image may have the method of `HeatMaps`, one whose scores need more than `state` that of `SelfContained`.
    """

    history: dict[str, list[float]]

    def __init__(self, params: Mapping[str, ParamValue], context: FitContext) -> None: ...

    def fit(self, data: TrainData) -> None: ...

    def score(self, images: Images, batch: int | None = None) -> npt.NDArray[np.float64]:
        """Anomaly scores (n,), higher is more anomalous, in the order of `images`, `batch` images at a time.

        `batch` is given where the recipe has the parameter `evaluation.batch`, whose value None stands for; a detector
        without it needs no such argument.
        """
        ...

    def state(self) -> dict[str, torch.Tensor]: ...

    def load(self, state: Mapping[str, torch.Tensor]) -> None: ...


@runtime_checkable
class HeatMaps(Protocol):
    """A detector that says where an image is anomalous."""

    def maps(self, images: Images, batch: int | None = None) -> npt.NDArray[np.float32]:
        """Anomaly of each pixel (n, S, S), higher is more anomalous, at the side S of the images.

        Raises MethodError where the detector has none with its parameters.
        """
        ...


@runtime_checkable
class SelfContained(Protocol):
    """A detector that scores by drawing from its training images, which `state` does not hold."""

    def kept_state(self) -> dict[str, torch.Tensor]:
        """`state` with one fixed draw: what `load` makes of it scores any image by itself, always the same."""
        ...
