"""An easy task that no untrained detector solves: noise of any brightness, and in anomalies a bright square."""

import numpy as np
from pictures import noise, right_order

from methods.checks import ArrayImages
from methods.detector import TrainData

SIZE = 32


def pictures(n, seed, *, anomalous, channels=1):
    """(n, SIZE, SIZE, channels); the brightness differs by far more than a square adds to the mean."""
    generator = np.random.default_rng([seed, anomalous])
    brightness = generator.integers(0, 60, (n, 1, 1, 1))
    pixels = (brightness + generator.integers(30, 80, (n, SIZE, SIZE, channels))).astype(np.uint8)
    side = SIZE // 4
    for image in pixels:
        y, x = generator.integers(0, SIZE - side, 2)
        if anomalous:
            image[y : y + side, x : x + side] = 250
    return ArrayImages(pixels)


def training_data(pools=(), channels=1):
    """24 normal and 6 anomalous images, and for each pool ten coarse patterns in colour."""
    patterns = noise(9, 10, 4, 4, 3)
    pool = ArrayImages(patterns.repeat(SIZE // 4, axis=1).repeat(SIZE // 4, axis=2))
    normal, anomaly = (pictures(n, 0, anomalous=n < 24, channels=channels) for n in (24, 6))
    return TrainData(normal=normal, anomaly=anomaly, pools=dict.fromkeys(pools, pool))


def auc(detector):
    """Share of the pairs of 40 new anomalous and 40 new normal images that are in the right order, ties half."""
    return right_order(*(detector.score(pictures(40, 1, anomalous=wanted)) for wanted in (True, False)))
