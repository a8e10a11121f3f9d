"""Looking into a results folder, or a file of records, without changing anything: no record is set aside here."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from results.errors import ResultsError
from results.locks import is_locked
from results.record import DamagedRecordError, Record, decode


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
        data = path.read_bytes()
    except FileNotFoundError:
        return None
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
        data = path.read_bytes()
    except OSError as error:
        raise ResultsError(f"cannot read {path}: {error.strerror or error}; give another file") from error
    for number, line in enumerate(data.splitlines(), 1):
        if line.strip():
            yield _decoded(line, f"{path}:{number}")


def is_at_work(root: Path) -> bool:
    """Whether any fit of a results folder is claimed by a living process."""
    return any(is_locked(lock) for lock in (root / "locks").glob("*.lock"))


def size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; links count themselves, what is gone counts nothing."""
    if path.is_dir() and not path.is_symlink():
        return sum(_file_size(Path(parent, file)) for parent, _, files in os.walk(path) for file in files)
    return _file_size(path)


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
