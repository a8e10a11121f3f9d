"""A prepared set of classes whose images are one array."""

from pathlib import Path

import numpy as np

from protocols.datasets.manifest import ARRAY_FILE, Dataset, Row, assemble_dataset, pixels_digest


def array_set(folder: Path, pixels: np.ndarray, name: str = "toyset") -> Dataset:
    """Half of the images (n, H, W, C) for test, half for training, in two classes by turns; no manifest is written."""
    folder.mkdir(parents=True)
    np.save(folder / ARRAY_FILE, pixels)
    ids = sorted(f"{half}/{i:05d}" for half in ("train", "test") for i in range(len(pixels) // 2))
    height, width, channels = pixels.shape[1:]
    rows = [
        Row(id_, ARRAY_FILE, str(place % 2), id_.split("/")[0], pixels_digest(image), width, height, channels)
        for place, (id_, image) in enumerate(zip(ids, pixels, strict=True))
    ]
    return assemble_dataset(name, folder, rows)
