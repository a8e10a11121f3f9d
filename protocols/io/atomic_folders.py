"""Folders that are written whole or not at all, by one process at a time."""

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from protocols.errors import DataError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_HARD_LINKS = {errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOSYS, errno.EOPNOTSUPP}
_SYNC_THREADS = 16


@contextlib.contextmanager
def claimed_folder(folder: Path, variable: str, notify: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lock of `folder`, which need not exist yet, and clear what killed writers left beside it.

    The lock dies with its process. `variable` names the setting that chooses the parent folder, for error messages;
    `notify` gets a line if another process has the lock and this one waits.

    Raises:
        DataError: the parent folder cannot be written, or the disk is full.
    """
    from filelock import FileLock, Timeout

    with _disk_errors(folder.parent, variable):
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.parent / f".{folder.name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if notify is not None:
                notify(f"waiting for another process that builds {folder}{_holder(Path(lock.lock_file))}")
            lock.acquire()
        try:
            for leftover in folder.parent.glob(f".{folder.name}.*.tmp"):
                shutil.rmtree(leftover)
            yield
        finally:
            lock.release()


def _holder(lock: Path) -> str:
    """The holder of a lock, as the end of a sentence; empty but where filelock's file stands for a missing lock."""
    try:
        process, host = lock.read_text(encoding="utf-8").splitlines()[:2]
    except (OSError, ValueError):
        return ""
    return f": process {process} on {host.partition('?')[0]}; there are no locks, if it is gone remove {lock}"


@contextlib.contextmanager
def fresh_folder(folder: Path) -> Iterator[Path]:
    """An empty folder that takes the place of `folder` when the block ends well and is removed when it does not.

    To be used while the folder is claimed.
    """
    building = _sibling(folder)
    building.mkdir()
    try:
        yield building
        sync_folder(building)
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


def link_or_copy(source: Path, target: Path) -> None:
    """Put a file of our own under a second name: a hard link, or a copy where the file system has none."""
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        shutil.copyfile(source, target)


def check_space(folder: Path, needed: int, what: str, variable: str) -> None:
    """Refuse what needs more bytes than are free where `folder` lies.

    Raises:
        DataError: too few are free.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DataError(
            f"{what} need {needed / 2**20:.1f} MiB in {folder}, {free / 2**20:.1f} MiB are free: "
            f"free some, or set {variable} to another folder"
        )


def sync_folder(folder: Path) -> None:
    """Wait until every file in `folder` is on the disk."""
    from protocols.io.parallel import parallel

    listed = [(Path(parent), [Path(parent, file) for file in files]) for parent, _, files in os.walk(folder)]
    plain = (file for _, files in listed for file in files if not file.is_symlink())
    for _ in parallel(_sync_file, plain, _SYNC_THREADS):
        pass
    for parent, _ in listed:
        _sync_file(parent)


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


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
