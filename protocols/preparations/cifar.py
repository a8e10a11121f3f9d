"""CIFAR-10 and CIFAR-100: 60,000 colour images of 32 pixels in ten classes or twenty superclasses (CSI spec 1)."""

import pickle
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protocols.datasets.manifest import Row
from protocols.datasets.naming import canonical_id
from protocols.errors import DataError
from protocols.release.builder import ArrayImage, DatasetBuilder
from protocols.release.class_sets import check_class_counts, numbered_images

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_CLASS_FOLDERS = "class_folders"
_CSI_CODE = "csi_code"

_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_SUPERCLASSES = (
    (4, 30, 55, 72, 95),
    (1, 32, 67, 73, 91),
    (54, 62, 70, 82, 92),
    (9, 10, 16, 28, 61),
    (0, 51, 53, 57, 83),
    (22, 39, 40, 86, 87),
    (5, 20, 25, 84, 94),
    (6, 7, 14, 18, 24),
    (3, 42, 43, 88, 97),
    (12, 17, 37, 68, 76),
    (23, 33, 49, 60, 71),
    (15, 19, 21, 31, 38),
    (34, 63, 64, 66, 75),
    (26, 45, 77, 79, 99),
    (2, 11, 35, 46, 98),
    (27, 29, 44, 78, 93),
    (36, 50, 65, 74, 80),
    (47, 52, 56, 59, 96),
    (8, 13, 48, 58, 90),
    (41, 69, 81, 85, 89),
)
_SPLITS = ("train", "test")


@dataclass(frozen=True)
class _Part:
    """Training or test images (n, 32, 32, 3), their labels (CIFAR-100: fine) and CIFAR-100's superclasses."""

    split: str
    pixels: "npt.NDArray[np.uint8]"
    labels: list[int]
    coarse: list[int]


def prepare_cifar10(builder: DatasetBuilder) -> list[Row]:
    """Keep the images as one array, read by torchvision from the release's batches or their archive.

    The variant `class_folders` links the images of `train/<class>` and `test/<class>` instead, however many there are.

    Raises:
        DataError: a file or class is missing, or a file is not the release's by its MD5, which is checked before
            anything is unpickled.
    """
    if builder.variant == _CLASS_FOLDERS:
        return _class_folders(builder)
    parts = _read(builder, "CIFAR10")
    images = []
    for part in parts:
        labels = [str(label) for label in part.labels]
        check_class_counts(builder.info, part.split, labels)
        images += numbered_images(part.split, labels)
    return _array(builder, images, parts)


def prepare_cifar100(builder: DatasetBuilder) -> list[Row]:
    """Keep the images as one array under their superclasses, the fine label as `subclass`; else as CIFAR-10.

    The variant `csi_code` takes the superclasses of the released code of CSI, whose list is shifted (CSI spec 1, C24).

    Raises:
        DataError: as for CIFAR-10, or a coarse label is not that of the published list.
    """
    released = {fine: label for label, members in enumerate(_SUPERCLASSES) for fine in members}
    parts = _read(builder, "CIFAR100")
    images = []
    for part in parts:
        for fine, coarse in zip(part.labels, part.coarse, strict=True):
            if released.get(fine) != coarse:
                raise DataError(f"{builder.name} has fine label {fine} in superclass {coarse}: get the release again")
        fine_labels = [_unshifted(fine) for fine in part.labels] if builder.variant == _CSI_CODE else part.labels
        labels = [str(released[fine]) for fine in fine_labels]
        check_class_counts(builder.info, part.split, labels)
        images += numbered_images(part.split, labels, [str(fine) for fine in part.labels])
    return _array(builder, images, parts)


def _unshifted(fine: int) -> int:
    """The fine label in whose place CSI's list has `fine`: 25 to 38 stand there as the next one, 39 as 25."""
    if fine == 25:
        return 39
    return fine - 1 if 26 <= fine <= 39 else fine


def _array(builder: DatasetBuilder, images: Sequence[ArrayImage], parts: Sequence[_Part]) -> list[Row]:
    import numpy as np

    return builder.array(images, np.concatenate([part.pixels for part in parts]))


def _class_folders(builder: DatasetBuilder) -> list[Row]:
    from protocols.release.image_files import SourceImage
    from protocols.release.release_files import find_entry, find_root, list_files

    root = find_root(builder.source, *_SPLITS)
    return builder.unchanged(
        SourceImage(canonical_id(f"{split}/{name}/{path.name}"), path, str(index), split)
        for split in _SPLITS
        for index, name in enumerate(_CLASSES)
        for path in list_files(find_entry(find_entry(root, split), name), root=builder.source)
    )


def _read(builder: DatasetBuilder, name: str) -> list[_Part]:
    import torchvision.datasets

    reader = getattr(torchvision.datasets, name)
    parts = []
    with tempfile.TemporaryDirectory(dir=builder.folder) as scratch:
        batches = Path(scratch, reader.base_folder)
        batches.mkdir()
        _provide(builder.source, reader, batches)
        for split in _SPLITS:
            part = reader(scratch, train=split == "train")
            coarse = _coarse_labels(batches / split) if name == "CIFAR100" else []
            parts.append(_Part(split, part.data, part.targets, coarse))
    return parts


def _coarse_labels(path: Path) -> list[int]:
    """The superclasses in a file that torchvision has just checked and read; its reader leaves them out."""
    with path.open("rb") as file:
        labels: list[int] = pickle.load(file, encoding="latin1")["coarse_labels"]  # noqa: S301 - the MD5 was checked
    return labels


def _provide(release: Path, reader: Any, batches: Path) -> None:
    """Put the files that torchvision's `reader` unpickles into `batches`, each checked against the release's MD5."""
    from protocols.release.release_files import check_file, find_entry, find_root

    meta = reader.meta["filename"]
    checked = {**dict(reader.train_list), **dict(reader.test_list), meta: reader.meta["md5"]}
    try:
        root = find_root(release, next(iter(checked)), meta)
    except DataError as problem:
        _extract(release, reader, batches, checked, problem)
    else:
        for name in checked:
            (batches / name).symlink_to(check_file(find_entry(root, name), release.resolve()))
    for name, md5 in checked.items():
        _check_md5(batches / name, md5)


def _extract(release: Path, reader: Any, batches: Path, names: Iterable[str], problem: DataError) -> None:
    """Take the files out of the release's own archive; `problem` is raised where there is none."""
    import tarfile

    from protocols.release.release_files import check_file, find_entry, find_root

    try:
        root = find_root(release, reader.filename)
    except DataError:
        raise problem from None
    path = check_file(find_entry(root, reader.filename), release.resolve())
    _check_md5(path, reader.tgz_md5)
    with tarfile.open(path) as archive:
        for name in names:
            archive.extract(f"{reader.base_folder}/{name}", batches.parent, filter="data")


def _check_md5(path: Path, md5: str) -> None:
    from torchvision.datasets.utils import check_integrity

    if not check_integrity(path, md5):
        raise DataError(f"{path.resolve()} is not the release's file, whose MD5 is {md5}: get the release again")
