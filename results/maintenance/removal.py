"""Removal of listed files, under the lock of their fit and only if they are as they were listed."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from results.errors import ResultsError
from results.files import disk_size
from results.locks import claim

_Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class RemovableItem:
    """Something that can be removed: `files`, or folders, in the order of their removal.

    `size` in bytes; `lock` is held meanwhile, where there is one; `stamp` tells the first file from one that was
    written since it was listed.
    """

    kind: str
    name: str
    files: tuple[Path, ...]
    size: int
    stamp: _Stamp | None
    lock: Path | None = None


def removable_item(kind: str, name: str, *files: Path, lock: Path | None = None) -> RemovableItem:
    """An item of these files as they are now."""
    return RemovableItem(kind, name, files, sum(map(disk_size, files)), _stamp(files[0]), lock)


def remove_item(item: RemovableItem) -> str | None:
    """Remove an item. Returns why it was left instead: a process is at work on it, or changed it since it was listed.

    Folders around its files stay: a process may be about to write there.

    Raises:
        ResultsError: it cannot be removed.
    """
    try:
        with _held(item.lock) as mine:
            if not mine:
                return "a living process is at work on it"
            if _stamp(item.files[0]) != item.stamp:
                return "another process changed it meanwhile"
            for path in item.files:
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
    except OSError as error:
        raise ResultsError(
            f"cannot remove {item.files[0]}: {error.strerror or error}; mend that, then the same command goes on"
        ) from error
    return None


@contextlib.contextmanager
def _held(lock: Path | None) -> Iterator[bool]:
    if lock is None:
        yield True
        return
    with claim(lock) as mine:
        yield mine


def _stamp(path: Path) -> _Stamp | None:
    try:
        state = path.lstat()
    except OSError:
        return None
    return state.st_ino, state.st_mtime_ns, state.st_size
