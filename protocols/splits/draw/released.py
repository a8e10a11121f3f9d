"""Draws of DRA's released code, by NumPy's legacy generator, whose stream is the same in every version of NumPy."""

import functools
import math

from protocols.datasets.registry import dataset_info
from protocols.errors import DataError

_SEEDS = 2**32
"""Seeds that the generator takes, from 0."""


def shuffled(listing: tuple[str, ...], seed: int) -> tuple[str, ...]:
    """Anomalies in the order in which the authors' code draws them from a listing (spec 11.2); its own seed is 42.

    Raises:
        DataError: the generator takes no such seed.
    """
    import numpy as np

    if seed >= _SEEDS:
        raise DataError(f"anomaly_draw cannot be 'released' with split seed {seed}: give one below {_SEEDS}")
    order = list(listing)
    np.random.RandomState(seed).shuffle(order)
    return tuple(order)


def drawn_normals(name: str, parts: set[str], ids: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The authors' draw: scikit-learn's `train_test_split(test_size=0.25, random_state=42)` (spec 10.0).

    It permutes the positions with NumPy's legacy generator; the first ceil(n / 4) are test, the rest train.
    """
    import numpy as np

    order = _label_order(name, ids) if parts == {""} else None
    if order is None:
        raise DataError(
            f"normal_split cannot be 'released' for {name}: the label file's order is not known; use 'ranked'"
        )
    permuted = [order[position] for position in np.random.RandomState(42).permutation(len(order))]
    n_test = math.ceil(len(order) * 0.25)
    return tuple(sorted(permuted[n_test:])), tuple(sorted(permuted[:n_test]))


def _label_order(name: str, ids: tuple[str, ...]) -> tuple[str, ...] | None:
    """Ids in the order of the release's label file; None where that is not known, or has a value that an id lacks."""
    info = dataset_info(name)
    if info is None or info.label_order is None:
        return None
    try:
        return tuple(sorted(ids, key=functools.partial(_label_key, info.label_order)))
    except ValueError:
        return None


def _label_key(values: tuple[tuple[str, ...], ...], id_: str) -> tuple[list[int], list[str]]:
    """Place of each part of an id among its `values`, then the rest of the id; ValueError: a part is none of them."""
    parts = id_.split("/", len(values))
    return [choices.index(part) for choices, part in zip(values, parts, strict=False)], parts[len(values) :]
