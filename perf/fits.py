"""Detectors, images and bare networks that several parts measure: made in memory, weights at random."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from methods.backbones.find import RANDOM, WeightsFile
from methods.detector import FitContext, TrainData
from methods.nn.neural_detector import NeuralDetector
from methods.nn.precision import autocast
from methods.registry import installed
from methods.registry.recipe import resolve
from protocols.values import ParamValue

Work = Callable[[], object]
PRECISIONS = ("fp32", "bf16")
LEARNING_RATE, WEIGHT_DECAY = 2e-4, 1e-5


class MappedImages:
    """Random images in a memory-mapped file, as the image store has them."""

    def __init__(self, folder: Path, name: str, count: int, size: int, channels: int = 1) -> None:
        shape = (count, size, size, channels)
        pixels = np.memmap(folder / name, np.uint8, "w+", shape=shape)
        pixels[:] = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        pixels.flush()
        self._pixels = np.memmap(folder / name, np.uint8, "r", shape=shape)
        self.ids = tuple(map(str, range(count)))
        self.size, self.channels = size, channels

    def __len__(self) -> int:
        return len(self._pixels)

    def take(self, index: np.ndarray) -> np.ndarray:
        return self._pixels[index]

    def one(self, i: int) -> np.ndarray:
        return self._pixels[i]

    def select(self, index: np.ndarray) -> "MappedImages":
        raise NotImplementedError(f"no part selects among its images, asked for {len(index)}")


class NoCheckpoint:
    """Of a fit that saves nothing."""

    def load(self) -> None:
        return None

    def save(self, state: object) -> None:
        raise NotImplementedError("a step that is measured saves no checkpoint")

    def due(self) -> bool:
        return False


@dataclass(frozen=True)
class StepSize:
    """Side of an image in pixels, normals and anomalies at hand, and parameters other than the official ones."""

    side: int = 224
    normals: int = 300
    anomalies: int = 10
    params: Mapping[str, ParamValue] = field(default_factory=dict)


SMALL_SIZE = StepSize(32, 12, 4, {"batch.size": 6, "batch.seen": 2, "batch.triplets": 2})


def new_detector(name: str, precision: str, size: StepSize) -> NeuralDetector[Any, Any]:
    """A built detector of the official recipe for ELPV."""
    info = installed.get(name)
    own = {param: value for param, value in size.params.items() if param in info.params}
    params = resolve(info, "official", "elpv", own).params
    context = FitContext(
        seed=0,
        threads=1,
        precision=precision,
        device="cpu",
        weights={arch: WeightsFile(arch, None, RANDOM, RANDOM) for arch in info.backbones(params)},
        checkpoint=NoCheckpoint(),
        progress=lambda *_, **__: None,
        artefact=lambda *_: None,
    )
    detector: NeuralDetector[Any, Any] = installed.load(info)(params, context)
    detector.build()
    return detector


@contextlib.contextmanager
def made_train_data(size: StepSize) -> Iterator[TrainData]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        normal = MappedImages(folder, "normal", size.normals, size.side)
        yield TrainData(normal, MappedImages(folder, "anomaly", size.anomalies, size.side), {})


def random_levels(count: int, side: int, levels: int) -> list[Tensor]:
    """Tensors (count, 3, side / 2^level, side / 2^level), channels last."""
    return [
        torch.randn(count, 3, side >> level, side >> level).contiguous(memory_format=torch.channels_last)
        for level in range(levels)
    ]


def bare_step(network: nn.Module, forward: Callable[[], Tensor], precision: str) -> Work:
    """Forward to a number, backward, and Adam in one kernel; no sampling, no clipping, no schedule."""
    optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)
    network.train()

    def step() -> None:
        with autocast(torch.device("cpu"), precision):
            loss = forward()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    return step


@contextlib.contextmanager
def torch_threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
