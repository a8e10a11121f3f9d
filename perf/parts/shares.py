"""Shares of a training step of DRA: what it does, piece by piece, over the whole step.

The trunk and the heads are forward and backward; a head learns from maps that the trunk would give. Next to them stand
what could be saved at most: all work on images before the step, by a thread beside it; and clipping that takes all
gradients at once, over clipping as it is.
"""

import itertools

import torch
from torch import Tensor, nn

from methods.detector import TrainData
from methods.detectors.dra.detector import DRANetwork, DRAParams, mean_maps
from methods.devices import CPU
from methods.nn.data.loader import Feed
from methods.nn.data.transforms import join, normalise
from methods.nn.neural_detector import NeuralDetector
from methods.nn.training.optimisers import new_adam
from perf.fits import SMALL_SIZE, StepSize, Work, made_train_data, new_detector, random_levels, torch_threads
from perf.parts.step import our_step, sum_of_means
from perf.ratios import MeasurePlan, Ratios, processor_seconds, seconds_in_turns, timed_ratio

TITLE = "Shares of a step"
SAYS = (
    "Pieces of a training step of DRA in the native precision, 48 images of 224 px and 5 references, over the whole "
    "step on one thread: what bounds it, and what each piece could save at most."
)
WHOLE = "the whole step"
FOREACH, CLIPPING = "clipping of all gradients at once", "clipping"


def measure_ratios(plan: MeasurePlan) -> Ratios:
    size = SMALL_SIZE if plan.is_quick else StepSize()
    with torch_threads(1), made_train_data(size) as data:
        detector = new_detector("dra", CPU.native_precision, size)
        ways = {WHOLE: our_step(new_detector("dra", CPU.native_precision, size), data), **pieces(detector, data)}
        seconds = seconds_in_turns(ways, plan, processor_seconds)
    for name in ways:
        if name not in {WHOLE, FOREACH}:
            yield timed_ratio(name, WHOLE, seconds[name], seconds[WHOLE])
    yield timed_ratio(FOREACH, CLIPPING, seconds[FOREACH], seconds[CLIPPING])


def pieces(detector: NeuralDetector[DRAParams, DRANetwork], data: TrainData) -> dict[str, Work]:
    """Each piece by its name, on images and maps of a real step's shapes."""
    params, network = detector.params, detector.network.train()
    references, side = params.reference.size, data.normal.size
    feed = Feed(data, params.pseudo(data), params.quotas, params.augment_rotation, detector.context, "batch")
    steps = itertools.count()
    images, _ = feed.batch(0)
    pixels = join(images[:references], images)
    ready = normalise(pixels)
    shapes = [level.shape for level in network.maps(ready)]
    maps = [torch.randn(shape).contiguous(memory_format=torch.channels_last).requires_grad_() for shape in shapes]
    parameters = list(network.parameters())
    optimiser = new_adam(network, lr=0.0)

    def learn(letters: list[str]) -> None:
        batch, means = [level[references:] for level in maps], mean_maps([level[:references] for level in maps])
        scores: list[Tensor] = []
        for letter in letters:
            inputs = [mean - level for mean, level in zip(means, batch, strict=True)] if letter == "r" else batch
            scores += [network.head(letter)(level) for level in inputs]
        sum_of_means(scores).backward()

    def trunk() -> None:
        sum_of_means(network.maps(random)).backward()

    (random,) = random_levels(len(pixels), side, 1)
    learn(network.letters)
    trunk()
    return {
        "trunk": trunk,
        "residual head": lambda: learn(["r"]),
        "the other heads": lambda: learn([letter for letter in network.letters if letter != "r"]),
        "images sampled, CutMix, rotated": lambda: feed.batch(next(steps)),
        "normalisation": lambda: normalise(pixels),
        CLIPPING: lambda: nn.utils.clip_grad_norm_(parameters, 1.0),
        FOREACH: lambda: nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True),
        "Adam": optimiser.step,
    }
