"""A training step of DRA as its authors' release makes it, over ours.

Written from the specification: float32, contiguous layout, and each image of a batch opened, resized and rotated by
Pillow in one of two worker processes of a torch DataLoader, the reference images by a loader of their own; CutMix,
network, losses and Adam are ours. Ours takes the images from a memory map. One thread computes in either.
"""

import itertools
import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler

from methods.detectors.dra.detector import DRA, head_losses
from methods.devices import CPU
from methods.nn.data.samplers import NORMAL, PSEUDO, SEEN
from methods.nn.data.transforms import IMAGENET_MEAN, IMAGENET_STD
from methods.nn.pseudo_anomalies.cutmix import CutMix
from methods.nn.training.losses import Criterion
from perf.fits import (
    LEARNING_RATE,
    SMALL_SIZE,
    WEIGHT_DECAY,
    StepSize,
    Work,
    made_train_data,
    new_detector,
    torch_threads,
)
from perf.houses import new_house
from perf.parts.step import our_step
from perf.ratios import MeasurePlan, Ratios, timed_ratio

TITLE = "The authors' way"
SAYS = (
    "A training step of DRA on 24 images and 5 references of 224 px in float32 and contiguous layout, with each image "
    "decoded, resized and rotated in one of two loader processes, over ours; of all processes' processor time, and of "
    "the time that passes."
)
WORKERS, REFERENCES = 2, 5
FILE_SIDE = 300
"""Pixels of a photograph, as ELPV's."""
Item = tuple[str, int]
"""A file and its label."""


def measure_ratios(plan: MeasurePlan) -> Ratios:
    size = SMALL_SIZE if plan.is_quick else StepSize(params={"batch.size": 24, "batch.seen": 8})
    precisions = dict.fromkeys(("fp32", CPU.native_precision))
    with ExitStack() as stack:
        house = stack.enter_context(new_house())
        stack.enter_context(torch_threads(1))
        house.adopt_noise(30 if plan.is_quick else 120, FILE_SIDE)
        ways: dict[str, Work] = {"authors": authors_step(house.root / "raw", size)}
        for precision in precisions:
            data = stack.enter_context(made_train_data(size))
            ways[precision] = our_step(new_detector("dra", precision, size), data)
        rounds = [{name: both_clocks(work) for name, work in ways.items()} for _ in range(plan.rounds + 1)][1:]
        del ways
    for precision, (clock, name) in itertools.product(precisions, enumerate(("processor", "elapsed"))):
        upper, lower = ([taken[way][clock] for taken in rounds] for way in ("authors", precision))
        yield timed_ratio(f"authors' step, {name}", f"ours in {precision}", upper, lower)


def both_clocks(work: Work) -> tuple[float, float]:
    """Processor time of this process and its children, and elapsed time."""
    start = time.perf_counter(), time.process_time() + workers_seconds()
    work()
    return time.process_time() + workers_seconds() - start[1], time.perf_counter() - start[0]


def workers_seconds() -> float:
    """Processor time so far of the children that live, by Linux's clock of 10 ms."""
    ticks = 0
    for child in multiprocessing.active_children():
        fields = Path(f"/proc/{child.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


class TrainingFiles(Dataset[tuple[Tensor, int]]):
    """Each item opened and transformed when it is asked for: resize, CutMix where it is pseudo, rotation, tensor."""

    def __init__(self, items: list[Item], side: int) -> None:
        self.items = items
        self.side = side

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        file, label = self.items[number]
        image = Image.open(file).convert("RGB").resize((self.side, self.side), Image.Resampling.BILINEAR)
        if label == PSEUDO:
            generator = torch.Generator().manual_seed(int(torch.randint(2**31, ())))
            image = Image.fromarray(CutMix().draw(self.side, generator)(np.asarray(image)))
        image = image.rotate(float(torch.rand(()) * 360 - 180), Image.Resampling.NEAREST)
        unit = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div(255)
        mean, std = (torch.tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
        return (unit - mean) / std, label


class EndlessBatches(Sampler[list[int]]):
    """Batches of so many items of each group of indices, drawn anew, without end."""

    def __init__(self, *groups: tuple[range, int]) -> None:
        self.groups = groups

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng(0)
        while True:
            yield [int(number) for group, count in self.groups for number in rng.choice(group, count)]


def authors_step(folder: Path, size: StepSize) -> Work:
    detector = cast("DRA", new_detector("dra", "fp32", size))
    network = detector.network.to(memory_format=torch.contiguous_format).train()
    batches, references = file_loaders(folder, size.side, detector.params.batch_size)
    criterion = Criterion(detector.params.loss, detector.params.focal, detector.context)
    optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    steps = itertools.count()

    def step() -> None:
        (images, labels), (more, _) = next(batches), next(references)
        scores = network(torch.cat([more, images]), len(more))
        loss = torch.stack([*head_losses(scores, labels.numpy(), criterion, next(steps)).values()]).sum()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()

    return step


def file_loaders(folder: Path, side: int, batch: int) -> tuple[Iterator[list[Tensor]], Iterator[list[Tensor]]]:
    """Endless batches of a third each of normal, pseudo and seen images, and of the reference images."""
    normal, seen = (sorted(map(str, (folder / place).iterdir())) for place in ("train/good", "test/cut"))
    items = [(file, label) for label, files in ((NORMAL, normal), (PSEUDO, normal), (SEEN, seen)) for file in files]
    starts = [0, len(normal), 2 * len(normal), len(items)]
    groups = [range(*pair) for pair in itertools.pairwise(starts)]
    shares = [batch - 2 * (batch // 3), batch // 3, batch // 3]
    samplers: list[EndlessBatches] = [
        EndlessBatches(*zip(groups, shares, strict=True)),
        EndlessBatches((groups[0], REFERENCES // 2), (groups[1], REFERENCES - REFERENCES // 2)),
    ]
    files = TrainingFiles(items, side)
    first, second = (iter(DataLoader(files, batch_sampler=sampler, num_workers=WORKERS)) for sampler in samplers)
    return first, second
