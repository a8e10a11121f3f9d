"""Looking into a results folder, or a file of records, without changing anything: no record is set aside here."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from results.errors import ResultsError
from results.files import read_bounded
from results.locks import is_locked
from results.record import LARGEST, DamagedRecordError, Record, decode


@dataclass(frozen=True)
class Seen:
    """A record where it lies, or why it cannot be read: `problem` goes on a sentence that starts with `where`.

    `damaged` is False for a record that a newer version of this project wrote.
    """

    where: str
    record: Record | None
    problem: str = ""
    damaged: bool = False


def records(root: Path) -> Iterator[tuple[Path, Seen]]:
    """The files of records in a folder, sorted by key, with what is in each."""
    for path in sorted((root / "records").glob("??/*.json")):
        seen = record(path)
        if seen is not None:
            yield path, seen


def record(path: Path) -> Seen | None:
    """What is in the file of one record; None where there is no such file."""
    try:
        data = read_bounded(path, LARGEST)
    except ResultsError as error:
        return Seen(str(path), None, str(error), damaged=True)
    except FileNotFoundError:
        return Seen(str(path), None, "is a link to nothing", damaged=True) if path.is_symlink() else None
    except OSError as error:
        return Seen(str(path), None, f"cannot be read: {error.strerror or error}")
    seen = _decoded(data, str(path))
    if seen.record is not None and seen.record.key != path.stem:
        return Seen(str(path), None, "lies under another key", damaged=True)
    return seen


def lines(path: Path) -> Iterator[Seen]:
    """The records of a file as `results.export.lines` writes it, one a line.

    Raises:
        ResultsError: it cannot be read at all.
    """
    try:
        if not path.is_file():
            raise ResultsError(f"cannot read {path}: it is no file; give another")
        with path.open("rb") as handle:
            for number, line in enumerate(_bounded(handle), 1):
                if len(line) > LARGEST or line.strip():
                    yield _decoded(line, f"{path}:{number}")
    except OSError as error:
        raise ResultsError(f"cannot read {path}: {error.strerror or error}; give another file") from error


def is_at_work(root: Path) -> bool:
    """Whether any fit of a results folder is claimed by a living process."""
    return any(is_locked(lock) for lock in (root / "locks").glob("*.lock"))


def size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; links count themselves, what is gone counts nothing."""
    if path.is_dir() and not path.is_symlink():
        return sum(_file_size(Path(parent, file)) for parent, _, files in os.walk(path) for file in files)
    return _file_size(path)


def _bounded(handle: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; of one that is longer than a record may be, only so much that it is seen to be."""
    while line := handle.readline(LARGEST + 1):
        yield line
        while len(line) > LARGEST and not line.endswith(b"\n"):
            line = handle.readline(LARGEST + 1)


def _file_size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def _decoded(data: bytes, where: str) -> Seen:
    try:
        return Seen(where, decode(data))
    except DamagedRecordError as error:
        return Seen(where, None, str(error), damaged=True)
    except ResultsError as error:
        return Seen(where, None, str(error))
