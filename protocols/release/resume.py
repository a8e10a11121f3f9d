"""Log of the finished steps of a preparation, with which the next one resumes after an interruption."""

import hashlib
import itertools
import json
import os
import threading
from pathlib import Path
from typing import Any

_LINES = "journal.jsonl"
_PIECES = "pieces"


class ResumeLog:
    """Lines `[key, value, digest]` in a file that only grows, beside the folder of the images that were cut.

    It belongs to one state of one source and one version of the code that reads it; the caller has a folder for each.
    A line that a kill cut short or that was damaged is dropped. Threads may write at once.
    """

    def __init__(self, folder: Path) -> None:
        self.pieces = folder / _PIECES
        self.pieces.mkdir(parents=True, exist_ok=True)
        self._path = folder / _LINES
        self._lock = threading.Lock()
        self._calls = itertools.count()
        self._done: dict[str, Any] = dict(self._read())

    def call(self) -> int:
        """The number of the next step; a preparation that is repeated takes the same steps in the same order."""
        return next(self._calls)

    def get(self, key: str) -> Any:
        """The value of `key`, or None."""
        return self._done.get(key)

    def put(self, key: str, value: Any) -> None:
        """Keep a value that JSON can hold."""
        line = json.dumps([key, value, _digest(key, value)]) + "\n"
        with self._lock, self._path.open("a", encoding="ascii") as file:
            file.write(line)

    def _read(self) -> list[tuple[str, Any]]:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return []
        whole = data.rpartition(b"\n")
        if whole[2]:
            os.truncate(self._path, len(whole[0]) + len(whole[1]))
        return [entry for line in whole[0].splitlines() if (entry := _entry(line)) is not None]


def _entry(line: bytes) -> tuple[str, Any] | None:
    """Key and value of a line; None where it is damaged."""
    try:
        key, value, digest = json.loads(line)
    except (ValueError, TypeError):
        return None
    return (key, value) if digest == _digest(key, value) else None


def _digest(key: str, value: Any) -> str:
    return hashlib.sha256(json.dumps([key, value]).encode()).hexdigest()
