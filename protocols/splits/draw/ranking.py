"""Draws without a generator: ids are ranked by hash, and a draw takes the first n (design section 4)."""

import hashlib
from collections.abc import Iterable, Sequence

from protocols.datasets.naming import base_id

SEPARATOR = "\x1f"


def rank(dataset: str, purpose: str, seed: str, id: str) -> str:  # noqa: A002 - the field's name
    """Hexadecimal SHA-256 of `swanbench`, `1`, dataset, purpose, seed and id, joined by U+001F.

    `purpose` is `normal` (seed empty), `anomaly` or `limit` (seed in decimal). Of a variant's name the part before
    the `@` counts.
    """
    return _digests(dataset, purpose, seed, [id])[0].hex()


def ranked_ids(dataset: str, purpose: str, seed: str, ids: Iterable[str]) -> list[str]:
    """The ids by rank, first drawn first."""
    listed = list(ids)
    return first_ids(dataset, purpose, seed, listed, len(listed))


def first_ids(dataset: str, purpose: str, seed: str, ids: Sequence[str], count: int) -> list[str]:
    """The first `count` ids by rank, first drawn first."""
    return [ids[position] for position in _first_positions(dataset, purpose, seed, ids, count)]


def divided_ids(
    dataset: str, purpose: str, seed: str, ids: Sequence[str], count: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The first `count` ids by rank and the others, both in the order in which they were given; no id twice."""
    drawn = set(_first_positions(dataset, purpose, seed, ids, count))
    return (
        tuple(id_ for position, id_ in enumerate(ids) if position in drawn),
        tuple(id_ for position, id_ in enumerate(ids) if position not in drawn),
    )


def list_fingerprint(ids: Iterable[str]) -> str:
    """SHA-256 over the ids in their order, each followed by LF."""
    return hashlib.sha256("\n".join((*ids, "")).encode()).hexdigest()


def _digests(dataset: str, purpose: str, seed: str, ids: Iterable[str]) -> list[bytes]:
    shared = SEPARATOR.join(["swanbench", "1", base_id(dataset), purpose, seed, ""]).encode()
    sha256 = hashlib.sha256
    return [sha256(shared + id_.encode()).digest() for id_ in ids]


def _first_positions(dataset: str, purpose: str, seed: str, ids: Sequence[str], count: int) -> list[int]:
    digests = _digests(dataset, purpose, seed, ids)
    return sorted(range(len(ids)), key=digests.__getitem__)[: max(count, 0)]
