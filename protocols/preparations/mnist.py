"""MNIST and Fashion-MNIST: 70,000 grey images of 28 pixels in ten classes each (AGAD spec 1.2, 2)."""

import gzip
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from protocols.datasets.info import DatasetInfo, KnownRelease
from protocols.datasets.manifest import Row
from protocols.errors import DataError
from protocols.io.download import Download
from protocols.release.builder import Building
from protocols.release.class_sets import check_counts, halves, indices, numbered

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
_COUNTS = {
    "mnist": {
        "train": (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
        "test": (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
    },
    "fashion_mnist": {"train": (6000,) * 10, "test": (1000,) * 10},
}


def prepare(building: Building) -> list[Row]:
    """Keep the images as one array, read by torchvision from the four files of the release, packed or unpacked.

    Raises:
        DataError: one of the four files is missing, cut short or not what its name says, or a class has another number
            of images than in the release.
    """
    import numpy as np

    reader = _READERS[building.name]
    with tempfile.TemporaryDirectory(dir=building.folder) as scratch:
        folder = Path(scratch, reader, "raw")
        folder.mkdir(parents=True)
        found = _files(building.source, reader)
        for name, path in found.items():
            (folder / name).write_bytes(_unpacked(path, _BYTES[name]))
        parts = {split: _read(found, scratch, reader, split) for split in ("train", "test")}
    images = []
    for split, (_, labels) in parts.items():
        expected = _COUNTS[building.name][split]
        check_counts(building.name, split, labels, dict(zip(indices(10), expected, strict=True)))
        images += numbered(split, labels)
    return building.array(images, np.concatenate([pixels for pixels, _ in parts.values()]))


def _files(release: Path, reader: str) -> dict[str, Path]:
    """The four files by torchvision's names, found under the first spelling that the release has."""
    from protocols.release.release_files import check_file, entry, find_root, folders

    problems: list[DataError] = []
    inner = [folder for folder in folders(release) if folder.name == reader] if release.is_dir() else []
    for idx, ending in _SPELLINGS:
        spelt = {name: name.replace("-idx", idx) + ending for name in _BYTES}
        try:
            root = find_root(inner[0] if inner else release, next(iter(spelt.values())))
        except DataError as error:
            problems.append(error)
        else:
            return {name: check_file(entry(root, file), release.resolve()) for name, file in spelt.items()}
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


def _read(found: dict[str, Path], scratch: str, reader: str, split: str) -> "tuple[npt.NDArray[np.uint8], list[str]]":
    """Pixels (n, 28, 28, 1) and labels of one part."""
    import numpy as np
    import torchvision.datasets

    try:
        part = getattr(torchvision.datasets, reader)(scratch, train=split == "train")
        pixels: npt.NDArray[np.uint8] = part.data.numpy()[..., np.newaxis]
        if pixels.shape != (len(part.targets), 28, 28, 1):
            raise ValueError(f"images of {pixels.shape} for {len(part.targets)} labels")
    except (AssertionError, KeyError, RuntimeError, TypeError, ValueError) as error:
        folder = next(iter(found.values())).parent
        raise DataError(
            f"the {split} files in {folder} are not those of {reader} ({error!r}): get them again"
        ) from error
    return pixels, [str(label) for label in part.targets.tolist()]


def _downloads(mirror: str, sha256: tuple[str, ...]) -> tuple[Download, ...]:
    return tuple(
        Download(f"{mirror}{name}.gz", f"{name}.gz", digest) for name, digest in zip(_BYTES, sha256, strict=True)
    )


def _release(name: str, fingerprint: str = "") -> KnownRelease:
    return KnownRelease(halves(**_COUNTS[name]), sides=(28, 28), channels=1, fingerprint=fingerprint)


DATASETS = {
    "mnist": DatasetInfo(
        id="mnist",
        title="MNIST",
        kind="classes",
        image_size=32,
        published=None,
        licence="none stated with the files; often given as CC BY-SA 3.0",
        citation="LeCun et al., Gradient-based learning applied to document recognition, Proceedings of the IEEE 1998",
        source="http://yann.lecun.com/exdb/mnist",
        size="12 MB",
        downloads=_downloads(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            (
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
        ),
        normal_classes=indices(10),
        releases={"": (_release("mnist"),)},
        prepare=prepare,
    ),
    "fashion_mnist": DatasetInfo(
        id="fashion_mnist",
        title="Fashion-MNIST",
        kind="classes",
        image_size=32,
        published=None,
        licence="MIT",
        citation=(
            "Xiao, Rasul and Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking machine learning "
            "algorithms, arXiv 1708.07747, 2017"
        ),
        source="https://github.com/zalandoresearch/fashion-mnist",
        size="31 MB",
        downloads=_downloads(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            (
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ),
        normal_classes=indices(10),
        releases={"": (_release("fashion_mnist", "40413f7e433426ac763d23e9a76439f6affb0fa6acd93f12b0117bb49c631f88"),)},
        prepare=prepare,
    ),
}
