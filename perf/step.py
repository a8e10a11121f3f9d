"""DRA's training step over a bare one, measured in turns in one process.

Ours: 48 + 5 images sampled, taken from a memory map, CutMix, rotated, normalised, two scales, four heads, losses,
backward, gradient clipping, Adam. Bare: the trunk alone on random tensors of the same batch, layout and precision,
both scales in two passes, backward, fused Adam. Prints the seconds of every pair and the median ratio.
"""

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from methods.backbones.find import RANDOM, WeightsFile
from methods.backbones.trunk import build_trunk
from methods.detector import FitContext, TrainData
from methods.detectors.dra.detector import DRA
from methods.nn.precision import autocast
from methods.nn.training.supervised import TrainSettings, minimiser
from methods.registry.installed import get
from methods.registry.recipe import resolve

WEIGHTS = WeightsFile("resnet18", None, RANDOM, RANDOM)


class MappedImages:
    """Random images in a memory-mapped file, as the image store has them."""

    def __init__(self, folder: Path, name: str, count: int, size: int, channels: int) -> None:
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
        raise NotImplementedError


class NoCheckpoint:
    def load(self) -> None:
        return None

    def save(self, state: object) -> None:
        raise NotImplementedError

    def due(self) -> bool:
        return False


def our_step(folder: Path, options: argparse.Namespace) -> Callable[[], None]:
    context = FitContext(
        seed=0,
        threads=options.threads,
        precision=options.precision,
        device="cpu",
        weights={"resnet18": WEIGHTS},
        checkpoint=NoCheckpoint(),
        progress=lambda *_, **__: None,
        artefact=lambda *_: None,
    )
    params = resolve(get("dra"), "official", "elpv", {}).params
    normal = MappedImages(folder, "normal", 300, options.size, options.channels)
    anomaly = MappedImages(folder, "anomaly", 10, options.size, options.channels)
    detector = DRA(params, context)
    detector.build()
    terms = detector.loss_terms(TrainData(normal, anomaly, {}))
    detector.network.train()
    _, advance = minimiser(detector.network, terms, TrainSettings.from_params(detector.params))
    steps = itertools.count()
    return lambda: advance(next(steps))


def bare_step(options: argparse.Namespace) -> Callable[[], None]:
    trunk = build_trunk("resnet18", WEIGHTS).to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.Adam(trunk.parameters(), lr=2e-4, weight_decay=1e-5, fused=True)
    levels = [
        torch.randn(53, 3, size, size).contiguous(memory_format=torch.channels_last)
        for size in (options.size, options.size // 2)
    ]

    def step() -> None:
        with autocast(torch.device("cpu"), options.precision):
            loss = sum(trunk(level).mean() for level in levels)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    return step


def seconds(step: Callable[[], None]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--repeats", type=int, default=5, help="pairs that count, after one warm-up pair")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--channels", type=int, choices=[1, 3], default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        ours, bare = our_step(Path(folder), options), bare_step(options)
        pairs = [(seconds(ours), seconds(bare)) for _ in range(options.repeats + 1)][1:]
    for one, other in pairs:
        print(f"ours {one:.3f} s   bare {other:.3f} s   ratio {one / other:.3f}")
    print(f"median ratio {statistics.median(one / other for one, other in pairs):.3f}")


if __name__ == "__main__":
    main()
