"""Draws without a generator: ids are ranked by hash, and a draw takes the first n (design section 4)."""

import hashlib
import math
from collections.abc import Iterable, Sequence

from protocols.datasets.naming import base_id

SEPARATOR = "\x1f"

_FEW = 1000


def rank(dataset: str, purpose: str, seed: str, id: str) -> str:  # noqa: A002 - the field's name
    """Hexadecimal SHA-256 of `swanbench`, `1`, dataset, purpose, seed and id, joined by U+001F.

    `purpose` is `normal` (seed empty), `anomaly` or `limit` (seed in decimal). Of a variant's name the part before
    the `@` counts.
    """
    return _digests(dataset, purpose, seed, [id])[0].hex()


def ranked_ids(dataset: str, purpose: str, seed: str, ids: Iterable[str]) -> list[str]:
    """The ids by rank, first drawn first."""
    listed = list(ids)
    digests = _digests(dataset, purpose, seed, listed)
    return [listed[position] for position in sorted(range(len(listed)), key=digests.__getitem__)]


def first_ids(dataset: str, purpose: str, seed: str, ids: Sequence[str], count: int) -> list[str]:
    """The first `count` ids by rank, first drawn first."""
    digests = _digests(dataset, purpose, seed, ids)
    last = _smallest(digests, count)
    return [id_ for _, id_ in sorted((digest, id_) for digest, id_ in zip(digests, ids, strict=True) if digest <= last)]


def divided_ids(
    dataset: str, purpose: str, seed: str, ids: Sequence[str], count: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The first `count` ids by rank and the others, both in the order in which they were given; no id twice."""
    digests = _digests(dataset, purpose, seed, ids)
    last = _smallest(digests, count)
    drawn = tuple(id_ for digest, id_ in zip(digests, ids, strict=True) if digest <= last)
    return drawn, tuple(id_ for digest, id_ in zip(digests, ids, strict=True) if digest > last)


def list_fingerprint(ids: Iterable[str]) -> str:
    """SHA-256 over the ids in their order, each followed by LF."""
    return hashlib.sha256("\n".join((*ids, "")).encode()).hexdigest()


def _digests(dataset: str, purpose: str, seed: str, ids: Iterable[str]) -> list[bytes]:
    shared = SEPARATOR.join(["swanbench", "1", base_id(dataset), purpose, seed, ""]).encode()
    sha256 = hashlib.sha256
    return [sha256(shared + id_.encode()).digest() for id_ in ids]


def _smallest(digests: Sequence[bytes], count: int) -> bytes:
    """The largest of the `count` smallest digests; no bytes where `count` is 0.

    Digests spread evenly, so the result lies near count / n of their range: of many, only those within six standard
    deviations are sorted, if it is among them.
    """
    n = len(digests)
    if count < 1 or count >= n:
        return max(digests, default=b"") if count > 0 else b""
    if n > _FEW:
        low, high = (_border(count + 3 * side * math.isqrt(n), n) for side in (-1, 1))
        near = sorted(digest for digest in digests if low <= digest < high)
        position = count - 1 - sum(digest < low for digest in digests)
        if 0 <= position < len(near):
            return near[position]
    return sorted(digests)[count - 1]


def _border(count: int, n: int) -> bytes:
    """The first 8 bytes of the value at count / n of the range of digests."""
    return min(max(count * 2**64 // n, 0), 2**64 - 1).to_bytes(8, "big")
