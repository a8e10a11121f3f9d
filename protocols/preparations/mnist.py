"""MNIST and Fashion-MNIST: 70,000 grey images of 28 pixels in ten classes each (AGAD spec 1.2, 2)."""

import gzip
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from protocols.datasets.manifest import Row
from protocols.errors import DataError
from protocols.release.builder import DatasetBuilder
from protocols.release.class_sets import check_class_counts, numbered_images

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_BYTES = {
    "train-images-idx3-ubyte": 16 + 60_000 * 28 * 28,
    "train-labels-idx1-ubyte": 8 + 60_000,
    "t10k-images-idx3-ubyte": 16 + 10_000 * 28 * 28,
    "t10k-labels-idx1-ubyte": 8 + 10_000,
}
_SPELLINGS = (("-idx", ".gz"), (".idx", ".gz"), (".idx", ""), ("-idx", ""))
_READERS = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}


def prepare(builder: DatasetBuilder) -> list[Row]:
    """Keep the images as one array, read by torchvision from the four files of the release, packed or unpacked.

    Raises:
        DataError: one of the four files is missing, cut short or not what its name says, or a class has another number
            of images than in the release.
    """
    import numpy as np

    reader = _READERS[builder.name]
    with tempfile.TemporaryDirectory(dir=builder.folder) as scratch:
        folder = Path(scratch, reader, "raw")
        folder.mkdir(parents=True)
        paths = _files(builder.source, reader)
        for name, path in paths.items():
            (folder / name).write_bytes(_unpacked(path, _BYTES[name]))
        parts = {split: _read(paths, scratch, reader, split) for split in ("train", "test")}
    images = []
    for split, (_, labels) in parts.items():
        check_class_counts(builder.info, split, labels)
        images += numbered_images(split, labels)
    return builder.array(images, np.concatenate([pixels for pixels, _ in parts.values()]))


def _files(release: Path, reader: str) -> dict[str, Path]:
    """The four files by torchvision's names, paths under the first spelling that the release has."""
    from protocols.release.release_files import check_file, find_entry, find_root, list_folders

    problems: list[DataError] = []
    inner = [folder for folder in list_folders(release) if folder.name == reader] if release.is_dir() else []
    for idx, ending in _SPELLINGS:
        spelt = {name: name.replace("-idx", idx) + ending for name in _BYTES}
        try:
            root = find_root(inner[0] if inner else release, next(iter(spelt.values())))
        except DataError as error:
            problems.append(error)
        else:
            return {name: check_file(find_entry(root, file), release.resolve()) for name, file in spelt.items()}
    raise problems[0]


def _unpacked(path: Path, size: int) -> bytes:
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            data = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"cannot read {path} ({error}): get the release again") from error
    if len(data) != size:
        raise DataError(f"{path} does not hold the {size} bytes that the release has there: get the release again")
    return data


def _read(paths: dict[str, Path], scratch: str, reader: str, split: str) -> "tuple[npt.NDArray[np.uint8], list[str]]":
    """Pixels (n, 28, 28, 1) and labels of one part."""
    import numpy as np
    import torchvision.datasets

    try:
        part = getattr(torchvision.datasets, reader)(scratch, train=split == "train")
        pixels: npt.NDArray[np.uint8] = part.data.numpy()[..., np.newaxis]
        if pixels.shape != (len(part.targets), 28, 28, 1):
            raise ValueError(f"images of {pixels.shape} for {len(part.targets)} labels")
    except (AssertionError, KeyError, RuntimeError, TypeError, ValueError) as error:
        folder = next(iter(paths.values())).parent
        raise DataError(
            f"the {split} files in {folder} are not those of {reader} ({error!r}): get them again"
        ) from error
    return pixels, [str(label) for label in part.targets.tolist()]
