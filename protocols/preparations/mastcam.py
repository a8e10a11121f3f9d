"""Mastcam: multispectral images of Mars with the publishers' own split of the normals (spec 10.6)."""

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from protocols.datasets.manifest import Row
from protocols.datasets.naming import NORMAL, canonical_id, snake_case
from protocols.errors import DataError
from protocols.release.builder import DatasetBuilder, ImagePiece

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_TYPICAL = {"train_typical": "train", "test_typical": "test"}
_NOVEL = "test_novel"
_ALL = "all"
MASTCAM_CLASSES = (
    "bedrock",
    "broken-rock",
    "drill-hole",
    "drt",
    "dump-pile",
    "edge_cases",
    "float",
    "meteorite",
    "other",
    "scuff",
    "veins",
)
_SHAPE = (64, 64, 6)
_COLOURS = 3

# Python 3.11's parser, with which NumPy reads a header, fails at times when several threads call it.
_HEADERS = threading.Lock()


@dataclass(frozen=True)
class _Frame:
    """An array file, and what it becomes."""

    path: Path
    id: str
    label: str
    split: str


def prepare(builder: DatasetBuilder) -> list[Row]:
    """Cast the first three channels of each frame to 8 bits, cutting fractions off.

    `train_typical` and `test_typical` are the normals, every folder of `test_novel` but its folder `all` is an anomaly
    class; `validation_typical` is not used. The variant `distinct` takes the first by id of the frames of equal bytes
    in `test_novel`, `all` the frames of the folder `all` instead of the class folders (D32); `round` rounds to the
    nearest number, halves to even (D33).

    Raises:
        DataError: a folder is missing or not known, or a file is no 64 x 64 x 6 array of float64 within 0 and 255.
    """
    frames = {frame.path: frame for frame in [*_typical(builder.source), *_novel(builder)]}
    rounded = builder.variant == "round"
    return builder.pieces(list(frames), lambda path: [_piece(frames[path], rounded=rounded)])


def _typical(release: Path) -> list[_Frame]:
    from protocols.release.release_files import folder_named

    return [
        frame
        for name, split in _TYPICAL.items()
        for frame in _frames(folder_named(release, name), name, NORMAL, split, release)
    ]


def _novel(builder: DatasetBuilder) -> list[_Frame]:
    from protocols.release.release_files import find_entry, folder_named, list_folders

    root = folder_named(builder.source, _NOVEL)
    foreign = [folder for folder in list_folders(root) if folder.name.lower() not in {_ALL, *MASTCAM_CLASSES}]
    if foreign:
        raise DataError(f"{foreign[0]} is none of the release's classes: move it away")
    names = (_ALL,) if builder.variant == "all" else MASTCAM_CLASSES
    frames = [
        frame
        for name in names
        for frame in _frames(find_entry(root, name), f"{_NOVEL}/{name}", snake_case(name), "test", builder.source)
    ]
    return _distinct(frames) if builder.variant == "distinct" else frames


def _frames(folder: Path, prefix: str, label: str, split: str, release: Path) -> list[_Frame]:
    from protocols.release.release_files import list_files

    paths = list_files(folder, suffixes=(".npy",), root=release)
    return [_Frame(path, canonical_id(f"{prefix}/{path.stem}.npy"), label, split) for path in paths]


def _distinct(frames: list[_Frame]) -> list[_Frame]:
    first: dict[str, _Frame] = {}
    for frame in sorted(frames, key=lambda frame: frame.id):
        first.setdefault(hashlib.sha256(frame.path.read_bytes()).hexdigest(), frame)
    return list(first.values())


def _piece(frame: _Frame, *, rounded: bool) -> ImagePiece:
    import numpy as np

    channels = _array(frame.path)[:, :, :_COLOURS]
    pixels = (np.rint(channels) if rounded else channels).astype(np.uint8)
    return ImagePiece(frame.id, frame.label, pixels, frame.split)


def _array(path: Path) -> "npt.NDArray[np.float64]":
    import numpy as np

    try:
        with _HEADERS:
            array = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError, RecursionError, MemoryError) as error:
        raise DataError(f"{path} is not a readable array ({error}): get the release again") from error
    if array.shape != _SHAPE or array.dtype != np.float64:
        raise DataError(
            f"{path} is an array of {array.dtype} {array.shape}, not of float64 {_SHAPE}: get the release again"
        )
    if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 255):
        raise DataError(f"{path} has values that are not within 0 and 255: get the release again")
    return np.array(array)
