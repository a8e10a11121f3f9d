"""Detectors of classes whose head answers the same everywhere."""

import torch


def answering(detector, logits):
    """The detector with a head that gives every position these logits (normal, seen, pseudo)."""
    with torch.no_grad():
        detector.network.head.score.weight.zero_()
        detector.network.head.score.bias.copy_(torch.tensor(logits))
    return detector
