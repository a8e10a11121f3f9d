"""Leakage: equal contents, photographs on both sides of a split, and pictures that only look alike (spec D31)."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from protocols.datasets.manifest import Dataset, Row
from protocols.errors import DataError
from protocols.io.parallel import parallel
from protocols.split import Split
from protocols.steps import Ids

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

Groups = tuple[Ids, ...]

DISTANCE = 4

_BLOCK = 128
_ADVICE = "pip install 'swanbench[audit]'"


@dataclass(frozen=True)
class Crossing:
    """Images that belong together although a split trains on some and tests on others; both lists sorted."""

    training: Ids
    test: Ids


@dataclass(frozen=True)
class Leaks:
    """What is on both sides of a split: `contents` of equal sha256, `photographs` of which several crops were cut."""

    contents: tuple[Crossing, ...]
    photographs: tuple[Crossing, ...]


def duplicates(dataset: Dataset) -> Groups:
    """The groups of ids with equal sha256, each sorted, in the order of their first ids."""
    groups = _by_key((row.sha256, row.id) for row in dataset.rows).values()
    return tuple(sorted(tuple(sorted(ids)) for ids in groups if len(ids) > 1))


def mislabelled(dataset: Dataset) -> Groups:
    """The groups of `duplicates` whose images carry different labels."""
    return tuple(group for group in duplicates(dataset) if len({dataset.row(id_).label for id_ in group}) > 1)


def across(split: Split, dataset: Dataset) -> Leaks:
    """What is on both sides of a split; with `deduplicate` no content is."""
    return between(split.train_normal + split.train_anomaly, split.test_normal + split.test_anomaly, dataset)


def between(training: Iterable[str], test: Iterable[str], dataset: Dataset) -> Leaks:
    """What is both in `training` and in `test`, two lists of ids."""
    rows = [dataset.row(id_) for id_ in training], [dataset.row(id_) for id_ in test]
    return Leaks(
        contents=_crossings(*([(row.sha256, row.id) for row in side] for side in rows)),
        photographs=_crossings(*([(row.group, row.id) for row in side if row.group] for side in rows)),
    )


def near_duplicates(dataset: Dataset, jobs: int, distance: int = DISTANCE) -> Groups:
    """Groups of ids whose perceptual hashes (imagehash.phash, 64 bits) differ in at most `distance` bits.

    A group is joined from pairs, so its ends may lie further apart. Equal contents stand in a group only beside
    another content. A hint for the eye, no proof: textures look alike to such a hash.

    Raises:
        DataError: imagehash is not installed, or an image cannot be read.
    """
    import numpy as np

    from protocols import decode

    hashed = _perceptual_hash()
    by_content: dict[str, list[Row]] = defaultdict(list)
    for row in dataset.rows:
        by_content[row.sha256].append(row)
    contents = list(by_content.values())
    reader = decode.Reader(dataset)
    with decode.quietly():
        found = list(parallel(lambda rows: hashed(reader.load(rows[0])), contents, jobs))
    codes = np.array([int(str(code), 16) for code in found], dtype=np.uint64)
    groups = [[row.id for place in places for row in contents[place]] for places in _joined(codes, distance)]
    return tuple(sorted(tuple(sorted(group)) for group in groups))


def _perceptual_hash() -> "Callable[[Image.Image], object]":
    try:
        import imagehash
    except ImportError as error:
        raise DataError(f"perceptual hashes need imagehash: {_ADVICE}") from error
    return imagehash.phash


def _joined(codes: "npt.NDArray[np.uint64]", distance: int) -> list[list[int]]:
    """The places of codes that a chain of near pairs joins; a block of rows is compared with the rest at a time."""
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    bits = np.array([value.bit_count() for value in range(1 << 16)], dtype=np.uint8)
    words = [(codes >> np.uint64(shift)).astype(np.uint16) for shift in (0, 16, 32, 48)]
    names = np.arange(len(codes))
    for start in range(0, len(codes), _BLOCK):
        differing = sum(bits[word[start : start + _BLOCK, np.newaxis] ^ word[np.newaxis, start:]] for word in words)
        one, other = (names[start + places] for places in np.nonzero(differing <= distance))
        if (one != other).any():
            pairs = coo_array((np.ones(len(one)), (one, other)), shape=(len(codes), len(codes)))
            names = connected_components(pairs, directed=False)[1][names]
    groups: dict[int, list[int]] = defaultdict(list)
    for place, name in enumerate(names.tolist()):
        groups[name].append(place)
    return [group for group in groups.values() if len(group) > 1]


def _crossings(training: Iterable[tuple[str, str]], test: Iterable[tuple[str, str]]) -> tuple[Crossing, ...]:
    seen, tested = _by_key(training), _by_key(test)
    both = (Crossing(tuple(sorted(seen[key])), tuple(sorted(tested[key]))) for key in seen.keys() & tested.keys())
    return tuple(sorted(both, key=lambda crossing: crossing.training))


def _by_key(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for key, id_ in pairs:
        found[key].append(id_)
    return found
