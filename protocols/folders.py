"""Folders that are written whole or not at all, by one process at a time."""

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from protocols.errors import DataError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextlib.contextmanager
def claimed(folder: Path, variable: str) -> Iterator[None]:
    """Hold the lock of `folder`, which need not exist yet, and clear what killed writers left beside it.

    The lock dies with its process. `variable` names the setting that chooses the parent folder, for error messages.

    Raises:
        DataError: the parent folder cannot be written, or the disk is full.
    """
    from filelock import FileLock

    with _disk_errors(folder.parent, variable):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / f".{folder.name}.lock"):
            for leftover in folder.parent.glob(f".{folder.name}.*.tmp"):
                shutil.rmtree(leftover)
            yield


@contextlib.contextmanager
def fresh(folder: Path) -> Iterator[Path]:
    """An empty folder that takes the place of `folder` when the block ends well and is removed when it does not.

    To be used while `claimed`.
    """
    building = _sibling(folder)
    building.mkdir()
    try:
        yield building
        _sync(building)
        if folder.exists():
            old = _sibling(folder)
            folder.rename(old)
            building.rename(folder)
            shutil.rmtree(old)
        else:
            building.rename(folder)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    _sync_file(folder.parent)


@contextlib.contextmanager
def _disk_errors(folder: Path, variable: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DataError(f"no space left in {folder}: free some, or set {variable} to another folder") from error
        raise DataError(f"cannot write in {folder} ({error.strerror}): set {variable} to another folder") from error


def _sibling(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.{os.uname().nodename}.{os.getpid()}.{secrets.token_hex(4)}.tmp")


def _sync(folder: Path) -> None:
    for parent, _, files in os.walk(folder):
        for file in files:
            path = Path(parent, file)
            if not path.is_symlink():
                _sync_file(path)
        _sync_file(Path(parent))


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
