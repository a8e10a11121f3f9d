"""Scoring a list of images over bare inference: the trunk's forward pass on ready tensors of the same batches."""

import itertools
from typing import Any

import torch

from methods.nn.neural_detector import NeuralDetector
from methods.nn.precision import autocast
from perf.fits import (
    PRECISIONS,
    SMALL_SIZE,
    StepSize,
    Work,
    made_train_data,
    new_detector,
    random_levels,
    torch_threads,
)
from perf.ratios import MeasurePlan, Ratios, processor_seconds, seconds_in_turns, timed_ratio

TITLE = "Scoring"
SAYS = (
    "The scores of a test list over bare inference, the forward pass of the same trunks on random tensors of the "
    "same batches, and over that of the whole network with its heads. DRA passes its reference images with each batch, "
    "bare inference as many."
)
DETECTORS = ("dra", "devnet", "mlep", "kdad")
BATCH = 48
"""Images that are scored: a batch of DRA's."""
BARE, NETWORK = "bare inference", "inference of its network on ready tensors"


def measure_ratios(plan: MeasurePlan) -> Ratios:
    for name, precision in itertools.product(DETECTORS, PRECISIONS):
        size = SMALL_SIZE if plan.is_quick else StepSize(normals=8 if name == "kdad" else BATCH)
        with torch_threads(1), made_train_data(size) as data:
            detector = new_detector(name, precision, size)
            if hasattr(detector.params, "reference"):
                detector.loss_terms(data)  # it draws reference images from the training set
            images, batch = data.normal, min(len(data.normal), detector.params.evaluation_batch or 64)
            ways: dict[str, Work] = {
                "ours": lambda detector=detector, images=images, batch=batch: detector.score(images, batch),
                BARE: bare_inference(detector, len(images), size.side, batch, precision),
            }
            if not hasattr(detector.network, "student"):
                ways[NETWORK] = network_inference(detector, len(images), size.side, batch)
            seconds = seconds_in_turns(ways, plan, processor_seconds)
        for over in ways:
            if over != "ours":
                yield timed_ratio(f"{name} {precision}", over, seconds["ours"], seconds[over])


def bare_inference(detector: NeuralDetector[Any, Any], images: int, side: int, batch: int, precision: str) -> Work:
    """Forward passes of the networks that see images, in batches of `batch`; of DRA with its references."""
    network, params = detector.network, detector.params
    is_pair = hasattr(network, "student")
    networks = [network.student, network.teacher] if is_pair else [network.trunk]
    counts = batch_counts(detector, images, batch)
    tensors = {count: random_levels(count, side, 1 if is_pair else params.pyramid.n_scales) for count in counts}

    def forward() -> None:
        network.eval()
        with torch.inference_mode(), autocast(torch.device("cpu"), precision):
            for count, part in itertools.product(counts, networks):
                for level in tensors[count]:
                    part(level)

    return forward


def network_inference(detector: NeuralDetector[Any, Any], images: int, side: int, batch: int) -> Work:
    """Forward passes of the whole network, which has its own blocks of lower precision, in batches of `batch`."""
    network, references = detector.network, reference_count(detector)
    counts = batch_counts(detector, images, batch)
    tensors = {count: random_levels(count, side, 1)[0] for count in counts}

    def forward() -> None:
        network.eval()
        with torch.inference_mode():
            for count in counts:
                network(tensors[count], *([references] if references else []))

    return forward


def batch_counts(detector: NeuralDetector[Any, Any], images: int, batch: int) -> list[int]:
    """Images that each forward pass takes, references among them."""
    return [min(batch, images - start) + reference_count(detector) for start in range(0, images, batch)]


def reference_count(detector: NeuralDetector[Any, Any]) -> int:
    return detector.params.reference.size if hasattr(detector.params, "reference") else 0
