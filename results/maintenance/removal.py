"""Removing files that a list has named: under the lock of who may be at work on them, and only as they were listed."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from results.errors import ResultsError
from results.files import disk_size
from results.locks import claim

Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class Item:
    """Something that can be removed: `files`, or folders, in the order of their removal.

    `size` in bytes; `lock` is held meanwhile, where there is one; `stamp` tells the first file from one that was
    written since it was listed.
    """

    kind: str
    name: str
    files: tuple[Path, ...]
    size: int
    stamp: Stamp | None
    lock: Path | None = None


def item(kind: str, name: str, *files: Path, lock: Path | None = None) -> Item:
    """An item of these files as they are now."""
    return Item(kind, name, files, sum(map(disk_size, files)), _stamp(files[0]), lock)


def remove(one: Item) -> str | None:
    """Remove an item; the reason where it is left instead: somebody is at work on it, or was since it was listed.

    Folders around its files stay: somebody may be about to write there.

    Raises:
        ResultsError: it cannot be removed.
    """
    try:
        with _held(one.lock) as mine:
            if not mine:
                return "a living process is at work on it"
            if _stamp(one.files[0]) != one.stamp:
                return "another process changed it meanwhile"
            for path in one.files:
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
    except OSError as error:
        raise ResultsError(
            f"cannot remove {one.files[0]}: {error.strerror or error}; mend that, then the same command goes on"
        ) from error
    return None


@contextlib.contextmanager
def _held(lock: Path | None) -> Iterator[bool]:
    if lock is None:
        yield True
        return
    with claim(lock) as mine:
        yield mine


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
