"""Draws without a generator: ids are ranked by hash, and a draw takes the first n (design section 4)."""

import hashlib
from collections.abc import Callable, Iterable

from protocols.naming import base_id

SEPARATOR = "\x1f"


def rank(dataset: str, purpose: str, seed: str, id: str) -> str:  # noqa: A002 - the field's name
    """Hexadecimal SHA-256 of `swanbench`, `1`, dataset, purpose, seed and id, joined by U+001F.

    `purpose` is `normal` (seed empty), `anomaly` or `limit` (seed in decimal). Of a variant's name the part before
    the `@` counts.
    """
    return _digester(dataset, purpose, seed)(id).hex()


def ranked(dataset: str, purpose: str, seed: str, ids: Iterable[str]) -> list[str]:
    """The ids by rank, first drawn first."""
    digest = _digester(dataset, purpose, seed)
    return [id_ for _, id_ in sorted((digest(id_), id_) for id_ in ids)]


def list_fingerprint(ids: Iterable[str]) -> str:
    """SHA-256 over the ids in their order, each followed by LF."""
    hashed = hashlib.sha256()
    for id_ in ids:
        hashed.update(f"{id_}\n".encode())
    return hashed.hexdigest()


def _digester(dataset: str, purpose: str, seed: str) -> Callable[[str], bytes]:
    shared = hashlib.sha256(SEPARATOR.join(["swanbench", "1", base_id(dataset), purpose, seed, ""]).encode())

    def digest(id_: str) -> bytes:
        hashed = shared.copy()
        hashed.update(id_.encode())
        return hashed.digest()

    return digest
