"""Training steps of four detectors over bare ones: the trunk alone, and the whole network on ready tensors.

Ours is the step of a fit: images sampled, taken from a memory map, pseudo anomalies, rotation, normalisation, pyramid,
heads, losses, backward, clipping, Adam. Bare is forward, backward and fused Adam on random tensors of the same batch,
layout and precision. KDAD's network is its student; the teacher's maps are computed before the first step. Its two
losses compare 13 million values each, most of what a step has beside the student: so the third bare step has them too.
"""

import copy
import itertools
from typing import Any

import torch
from torch import Tensor

from methods.detector import TrainData
from methods.detectors.kdad import KDADParams, PoolMaps, direction, value
from methods.nn.neural_detector import NeuralDetector
from methods.nn.precision import full_precision
from methods.nn.training.supervised import TrainSettings, minimiser
from perf.fits import (
    PRECISIONS,
    SMALL_SIZE,
    StepSize,
    Work,
    bare_step,
    made_train_data,
    new_detector,
    random_levels,
    torch_threads,
)
from perf.ratios import MeasurePlan, Ratios, processor_seconds, seconds_in_turns, timed_ratio

TITLE = "Training step"
SAYS = (
    "A training step of a detector over a bare step: forward, backward and Adam on random tensors. Grey images of "
    "224 px, in batches of 18; of DRA in 48 and 5 references. One thread."
)
DETECTORS = ("devnet", "mlep", "kdad", "dra")
SMALL_BATCH = StepSize(params={"batch.size": 18, "batch.seen": 6, "batch.triplets": 6})
SIZES = {"dra": StepSize(), "kdad": StepSize(normals=18, params=SMALL_BATCH.params)}
TRUNK, NETWORK = "a step of its trunk alone", "a step of its network on ready tensors"
LOSSES = "a step of its network and losses on ready tensors"


def measure_ratios(plan: MeasurePlan) -> Ratios:
    for name, precision in itertools.product(DETECTORS, PRECISIONS):
        size = SMALL_SIZE if plan.is_quick else SIZES.get(name, SMALL_BATCH)
        with torch_threads(1), made_train_data(size) as data:
            detector = new_detector(name, precision, size)
            ways = {"ours": our_step(detector, data), **bare_steps(detector, size, precision)}
            seconds = seconds_in_turns(ways, plan, processor_seconds)
        for over in ways:
            if over != "ours":
                yield timed_ratio(f"{name} {precision}", over, seconds["ours"], seconds[over])


def our_step(detector: NeuralDetector[Any, Any], data: TrainData) -> Work:
    terms = detector.loss_terms(data)
    network = detector.network
    network.train()
    trained = getattr(network, "student", network)
    _, advance = minimiser(trained, terms, TrainSettings.from_params(detector.params, 1000))
    steps = itertools.count()
    return lambda: advance(next(steps))


def bare_steps(detector: NeuralDetector[Any, Any], size: StepSize, precision: str) -> dict[str, Work]:
    """The bare steps of a detector by what they are of; copies of its networks, so that ours is left alone."""
    params, network = detector.params, detector.network
    if hasattr(network, "student"):
        student = copy.deepcopy(network.student)
        (images,) = random_levels(min(params.batch_size, size.normals), size.side, 1)
        with torch.no_grad():
            after_pools = student(images)
        maps = {pool: torch.rand_like(after_pools[pool - 1]) for pool in params.taps_train}
        both = copy.deepcopy(student)
        return {
            NETWORK: bare_step(student, lambda: sum_of_means(student(images)), precision),
            LOSSES: bare_step(both, lambda: imitation_loss(both(images), maps, params), precision),
        }
    references = params.reference.size if hasattr(params, "reference") else 0
    count = references + (3 * params.batch_triplets if hasattr(params, "batch_triplets") else params.batch_size)
    levels = random_levels(count, size.side, params.pyramid.n_scales)
    trunk, whole = copy.deepcopy(network.trunk), copy.deepcopy(network)
    more = (references,) if hasattr(params, "reference") else ()
    return {
        TRUNK: bare_step(trunk, lambda: sum_of_means([trunk(level) for level in levels]), precision),
        NETWORK: bare_step(whole, lambda: sum_of_scores(whole(levels[0], *more)), "fp32"),
    }


def imitation_loss(student: list[Tensor], teacher: PoolMaps, params: KDADParams) -> Tensor:
    """KDAD's two losses of the maps after all pools of the student and those of `teacher`."""
    maps = {pool: full_precision(student[pool - 1]) for pool in teacher}, teacher
    return direction(*maps, teacher).mean() + params.lambda_ * value(*maps, teacher).mean()


def sum_of_means(maps: list[Tensor]) -> Tensor:
    return torch.stack([level.float().mean() for level in maps]).sum()


def sum_of_scores(scores: Tensor | dict[str, Tensor]) -> Tensor:
    """Of all heads; the network has its own blocks of lower precision."""
    return sum_of_means(list(scores.values()) if isinstance(scores, dict) else [scores])
