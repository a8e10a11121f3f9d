"""Canonical JSON and its SHA-256: the one way in which this project hashes a description."""

import hashlib
import json
from typing import Any

import msgspec

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def canonical(value: Any) -> bytes:
    """UTF-8 JSON with sorted keys, no spaces and the shortest float text.

    Raises:
        ValueError: a float is NaN or infinite.
    """
    return _ENCODER.encode(msgspec.to_builtins(value)).encode()


def digest(value: Any) -> str:
    """Hexadecimal SHA-256 of the canonical JSON of `value` (a struct, or what JSON can hold)."""
    return hashlib.sha256(canonical(value)).hexdigest()
