"""Index of a results folder: its verified records beside the states of their files, so that both are read at once.

A record counts only while its file has the very state in which it was read and verified, and only for the code that
verified it. What is not in the index, or lies there damaged, is read anew.
"""

import contextlib
import hashlib
import os
import sys
import time
from pathlib import Path

import msgspec

from protocols import coordinates, values
from results import record, spec
from results.errors import ResultsError
from results.files import write_atomic
from results.record import Record

INDEXES = "records"
"""Folder of the indexes in the cache."""
FEWEST_NEW = 100
"""New records that are worth writing an index."""
SETTLED_NS = 2 * 10**9
"""Age from which a further change moves the times of a file on any file system."""


_FileState = tuple[int, int, int, int]
"""Times of its content and of its node, size and inode of a file: any change moves one of them."""

_Held = dict[str, tuple[_FileState, Record]]


class RecordIndex:
    """Index of the records of a results folder, kept in `file`; a file that cannot be read or written is no error."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._held = _read(file)
        self._current: _Held = {}
        self._new = 0

    def get(self, entry: os.DirEntry[str]) -> Record | None:
        """The record in a file, verified in the state that it has now; None where it is to be read."""
        name, state = _name(entry), _state(entry)
        held = self._held.get(name)
        if held is None or held[0] != state:
            return None
        self._current[name] = held
        return held[1]

    def add(self, entry: os.DirEntry[str], verified: Record) -> None:
        """Note a record that was read after `get` did not have it: the state of its file is that from before."""
        state = _state(entry)
        if state and time.time_ns() - max(state[:2]) > SETTLED_NS:
            self._current[_name(entry)] = state, verified
            self._new += 1

    def write(self) -> None:
        """Keep what was got and added, where enough of it is new."""
        if self._new >= FEWEST_NEW:
            # What JSON holds and this form does not, such as an int beyond 64 bits, is read anew each time.
            with contextlib.suppress(ResultsError, OSError, ValueError, OverflowError):
                body = msgspec.msgpack.encode(self._current)
                write_atomic(self._file, _digest(body) + body)


def index_file(folder: Path, root: Path) -> Path:
    """The file of the index of a results folder, in a folder of indexes."""
    return folder / f"{hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:32]}.index"


def _name(entry: os.DirEntry[str]) -> str:
    """The path of a file below the folder of records, `ab/abcd.json`."""
    return entry.path[-len(entry.name) - 3 :]


def _state(entry: os.DirEntry[str]) -> _FileState | None:
    """The state of a file when it was first asked for; None where there is none."""
    try:
        now = entry.stat()
    except OSError:
        return None
    return now.st_mtime_ns, now.st_ctime_ns, now.st_size, now.st_ino


def _read(file: Path) -> _Held:
    """The content of an index; nothing of one that is damaged or made by other code."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        content = memoryview(file.read_bytes())
        if content[:32] == _digest(content[32:]):
            return msgspec.msgpack.decode(content[32:], type=_Held)
    return {}


def _digest(body: bytes | memoryview) -> bytes:
    """SHA-256 of the body of an index and of the code that verified its records."""
    whole = hashlib.sha256(f"{sys.version} {msgspec.__version__}".encode())
    for module in (coordinates, values, spec, record, sys.modules[__name__]):
        whole.update(Path(str(module.__file__)).read_bytes())
    whole.update(body)
    return whole.digest()
