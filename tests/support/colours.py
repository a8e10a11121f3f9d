"""An easy task for methods that learn what is where: two coloured halves, which in anomalies have other colours."""

import numpy as np
from pictures import noise, right_order

from methods.checks import ArrayImages
from methods.detector import TrainData

SIZE = 16
RED, GREEN, BLUE = range(3)


def pictures(n, seed, *, anomalous):
    """(n, SIZE, SIZE, 3) noise, red over blue, or green over red in anomalous ones."""
    pixels = noise([seed, anomalous], n, SIZE, SIZE, 3, high=60)
    top, bottom = (GREEN, RED) if anomalous else (RED, BLUE)
    pixels[:, : SIZE // 2, :, top] += 150
    pixels[:, SIZE // 2 :, :, bottom] += 150
    return ArrayImages(pixels)


def training_data():
    """24 normal images and no anomalous one."""
    none = ArrayImages(np.empty((0, SIZE, SIZE, 3), np.uint8))
    return TrainData(normal=pictures(24, 0, anomalous=False), anomaly=none, pools={})


def auc(detector):
    """Share of the pairs of 40 new anomalous and 40 new normal images that are in the right order, ties half."""
    return right_order(*(detector.score(pictures(40, 1, anomalous=wanted)) for wanted in (True, False)))
