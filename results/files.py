"""Atomic writes, after which a crash leaves the old file or the new one, and bounded reads of plain files."""

import contextlib
import os
import secrets
import socket
import stat
from pathlib import Path

from results.errors import ResultsError


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` to a unique temporary file beside `path`, flush it to the disk, and rename it into place.

    Raises:
        ResultsError: the folder cannot be written (read-only, a file in the way, no space left).
    """
    temporary = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        make_folder(path.parent)
        with temporary.open("xb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        reason = error.strerror or error
        raise ResultsError(
            f"cannot write {path}: {reason}; make room or choose another folder with --results, then run again"
        ) from error


def make_folder(path: Path) -> None:
    """Make a folder and its missing parents, each with the write access of its folder."""
    if path.is_dir():
        return
    make_folder(path.parent)
    try:
        path.mkdir()
    except FileExistsError:
        if not path.is_dir():
            raise
        return
    inherit_write_access(path)


def inherit_write_access(path: Path) -> None:
    """Give a path of ours its folder's write bits for group and others, whatever the umask; not in a sticky folder."""
    parent_state, state = path.parent.stat(), path.stat()
    bits = 0 if parent_state.st_mode & stat.S_ISVTX else parent_state.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if state.st_gid != parent_state.st_gid:
        bits &= ~stat.S_IWGRP
    if bits & ~state.st_mode and state.st_uid == os.geteuid():
        path.chmod(stat.S_IMODE(state.st_mode | bits))


def read_bounded(path: Path, most: int) -> bytes:
    """Content of a plain file of at most `most` bytes; a pipe or a device is not opened, a larger file not read.

    Raises:
        ResultsError: it is no plain file, or larger; the text continues a sentence that starts with the path.
        OSError: it does not exist or cannot be read.
    """
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise ResultsError("is no file but a folder, a pipe or a device")
    with path.open("rb") as handle:
        # To read `most` bytes at once would reserve room for them.
        data = handle.read(min(state.st_size, most) + 1)
        if len(data) > state.st_size:
            data += handle.read(most + 1 - len(data))
    if len(data) > most:
        raise ResultsError(f"is larger than {most / 2**20:.0f} MiB")
    return data


def disk_size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; a link counts itself, a file that is gone nothing."""
    if path.is_dir() and not path.is_symlink():
        return sum(_file_size(Path(parent, file)) for parent, _, files in os.walk(path) for file in files)
    return _file_size(path)


def _file_size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
