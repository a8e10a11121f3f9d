"""Pictures that only look alike, found by perceptual hashes (spec D31)."""

import functools
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING

from protocols.datasets.manifest import Dataset, Row
from protocols.errors import DataError
from protocols.io.parallel import parallel
from protocols.splits.leakage import IdGroups

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

DISTANCE = 4

_BLOCK = 128
_ADVICE = "pip install 'swanbench[audit]'"


def near_duplicates(dataset: Dataset, jobs: int, distance: int = DISTANCE) -> IdGroups:
    """Groups of ids whose perceptual hashes (imagehash.phash, 64 bits) differ in at most `distance` bits.

    A group is joined from pairs, so its ends may lie further apart. Equal contents stand in a group only beside
    another content. A hint for the eye, no proof: textures look alike to such a hash.

    Raises:
        DataError: imagehash is not installed, or an image cannot be read.
    """
    import numpy as np

    from protocols.images import decode

    hashed = _perceptual_hash()
    by_content: dict[str, list[Row]] = defaultdict(list)
    for row in dataset.rows:
        by_content[row.sha256].append(row)
    contents = list(by_content.values())
    reader = decode.ImageReader(dataset)
    with decode.quiet_decoding():
        hashes = list(parallel(lambda rows: hashed(reader.load(rows[0])), contents, jobs))
    codes = np.array([int(str(code), 16) for code in hashes], dtype=np.uint64)
    groups = [[row.id for index in indices for row in contents[index]] for indices in _joined(codes, distance)]
    return tuple(sorted(tuple(sorted(group)) for group in groups))


def _perceptual_hash() -> "Callable[[Image.Image], object]":
    try:
        import imagehash
    except ImportError as error:
        raise DataError(f"perceptual hashes need imagehash: {_ADVICE}") from error
    return imagehash.phash


def _joined(codes: "npt.NDArray[np.uint64]", distance: int) -> list[list[int]]:
    """Groups of indices of codes (n,) uint64 that chains of near pairs join, compared block by block."""
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    bits = np.array([value.bit_count() for value in range(1 << 16)], dtype=np.uint8)
    words = [(codes >> np.uint64(shift)).astype(np.uint16) for shift in (0, 16, 32, 48)]
    names = np.arange(len(codes))
    for start in range(0, len(codes), _BLOCK):
        counts = (bits[word[start : start + _BLOCK, np.newaxis] ^ word[np.newaxis, start:]] for word in words)
        differing = functools.reduce(np.add, counts)
        first, second = (names[start + indices] for indices in np.nonzero(differing <= distance))
        if (first != second).any():
            pairs = coo_array((np.ones(len(first)), (first, second)), shape=(len(codes), len(codes)))
            names = connected_components(pairs, directed=False)[1][names]
    groups: dict[int, list[int]] = defaultdict(list)
    for index, name in enumerate(names.tolist()):
        groups[name].append(index)
    return [group for group in groups.values() if len(group) > 1]
