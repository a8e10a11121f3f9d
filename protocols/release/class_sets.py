"""What the preparations of class sets share: numbered images, and the release's number of images a class."""

from collections import Counter
from collections.abc import Mapping, Sequence

from protocols.errors import DataError
from protocols.release.builder import ArrayImage


def indices(count: int) -> tuple[str, ...]:
    """The labels of a set of `count` classes: `0`, `1`, ..."""
    return tuple(str(index) for index in range(count))


def halves(train: Sequence[int], test: Sequence[int]) -> dict[str, int]:
    """The images of each class in the training and the test half, as `KnownRelease.counts` has them."""
    return {
        f"{split}/{label}": count
        for split, counts in (("train", train), ("test", test))
        for label, count in enumerate(counts)
    }


def numbered(split: str, labels: Sequence[str], subclasses: Sequence[str] | None = None) -> list[ArrayImage]:
    """The images of one part of an array set, in the order of its files: ids `train/00000`, `train/00001`, ..."""
    fine = subclasses or [""] * len(labels)
    return [
        ArrayImage(f"{split}/{number:05d}", label, split, subclass)
        for number, (label, subclass) in enumerate(zip(labels, fine, strict=True))
    ]


def check_counts(name: str, split: str, labels: Sequence[str], expected: Mapping[str, int]) -> None:
    """Refuse a part of a fixed release that has another number of images of a class than the release.

    Raises:
        DataError: naming the first class that differs.
    """
    counts = Counter(labels)
    for label in [*expected, *sorted(counts.keys() - expected.keys())]:
        if counts[label] != expected.get(label, 0):
            raise DataError(
                f"{name} has {counts[label]} {split} images of class {label} where the release has "
                f"{expected.get(label, 0)}: get the release again"
            )
