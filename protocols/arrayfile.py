"""The file behind the image store: one uint8 array (N, S, S, C), images in the order of the manifest."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL

from protocols import decode
from protocols.folders import check_space, claimed, fresh
from protocols.manifest import Dataset, Row
from protocols.threads import parallel

ARRAY = "images.npy"
META = "meta.json"

VERSION = 1
_HEADER_LIMIT = 4096

Progress = Callable[[int, int], None]


def array_folder(dataset: Dataset, size: int, resize: str, parent: Path, jobs: int, progress: Progress | None) -> Path:
    """The folder that holds the array of `dataset` at this size, built where it is not there yet.

    Its name is the SHA-256 of everything that the pixels depend on.
    """
    meta: dict[str, str | int] = {
        "version": VERSION,
        "dataset": dataset.name,
        "dataset_fingerprint": dataset.fingerprint,
        "size": size,
        "resize": resize,
        "channels": dataset.channels,
        "pillow": PIL.__version__,
    }
    hashed = {name: value for name, value in meta.items() if name != "dataset"}
    folder = parent / hashlib.sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()
    shape = (len(dataset.rows), size, size, dataset.channels)
    if _is_complete(folder, shape):
        return folder
    with claimed(folder, "BENCH_CACHE"):
        if not _is_complete(folder, shape):
            check_space(parent, int(np.prod(shape)) + _HEADER_LIMIT, f"the images of {dataset.name}", "BENCH_CACHE")
            with fresh(folder) as building:
                _fill(building / ARRAY, dataset, shape, resize, jobs, progress)
                (building / META).write_text(json.dumps(meta, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return folder


def _is_complete(folder: Path, shape: tuple[int, ...]) -> bool:
    try:
        array = np.load(folder / ARRAY, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return False
    return array.shape == shape and array.dtype == np.uint8 and (folder / META).exists()


def _fill(
    path: Path, dataset: Dataset, shape: tuple[int, ...], resize: str, jobs: int, progress: Progress | None
) -> None:
    """Write the array. Threads write at their places with plain writes: a full disk is then an error, not a signal."""
    size, image_bytes = shape[1], int(np.prod(shape[1:]))
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.flush()
        start, descriptor = file.tell(), file.fileno()
        os.posix_fallocate(descriptor, 0, start + len(dataset.rows) * image_bytes)

        reader = decode.Reader(dataset)

        def write_one(item: tuple[int, Row]) -> None:
            position, row = item
            image = decode.resized(reader.load(row), size, resize)
            _write_all(descriptor, decode.pixels(image).tobytes(), start + position * image_bytes)

        with decode.quietly():
            for done, _ in enumerate(parallel(write_one, enumerate(dataset.rows), jobs), start=1):
                if progress is not None:
                    progress(done, len(dataset.rows))


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    left = memoryview(data)
    while left:
        written = os.pwrite(descriptor, left, offset)
        left, offset = left[written:], offset + written
