"""Small made-up pictures, and files of them."""

from pathlib import Path

import numpy as np
from PIL import Image


def noise(seed: int | list[int] | np.random.Generator, *shape: int, low: int = 0, high: int = 256) -> np.ndarray:
    """Pixels (uint8) of any shape from `low` to below `high`; a generator goes on where it was left."""
    return np.random.default_rng(seed).integers(low, high, shape, dtype=np.uint8)


def save_picture(path: Path, pixels: np.ndarray) -> Path:
    """Keep pixels (H, W) or (H, W, 3), in the format that the name says, in a folder that is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def right_order(anomalous: np.ndarray, normal: np.ndarray) -> float:
    """Share of the pairs of an anomalous and a normal score that are in the right order, ties half."""
    return float(np.mean((anomalous[:, None] > normal) + 0.5 * (anomalous[:, None] == normal)))
