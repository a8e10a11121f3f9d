"""Parts of preparations of class sets: numbered images, and the release's number of images a class."""

from collections import Counter
from collections.abc import Sequence

from protocols.datasets.info import DatasetInfo
from protocols.errors import DataError
from protocols.release.builder import ArrayImage


def numbered_images(split: str, labels: Sequence[str], subclasses: Sequence[str] | None = None) -> list[ArrayImage]:
    """The images of one part of an array set, in the order of its files: ids `train/00000`, `train/00001`, ..."""
    fine = subclasses or [""] * len(labels)
    return [
        ArrayImage(f"{split}/{number:05d}", label, split, subclass)
        for number, (label, subclass) in enumerate(zip(labels, fine, strict=True))
    ]


def check_class_counts(info: DatasetInfo, split: str, labels: Sequence[str]) -> None:
    """Refuse a part of a fixed release that has another number of images of a class than the release.

    Raises:
        DataError: naming the first class that differs.
    """
    released = info.releases[""][0].counts
    expected = {key.partition("/")[2]: number for key, number in released.items() if key.startswith(f"{split}/")}
    counts = Counter(labels)
    for label in [*expected, *sorted(counts.keys() - expected.keys())]:
        if counts[label] != expected.get(label, 0):
            raise DataError(
                f"{info.id} has {counts[label]} {split} images of class {label} where the release has "
                f"{expected.get(label, 0)}: get the release again"
            )
