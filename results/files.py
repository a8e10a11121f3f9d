"""Writing files so that a crash leaves the old one or the new one, never half of one."""

import contextlib
import os
import secrets
import socket
from pathlib import Path

from results.errors import ResultsError


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` to a unique temporary file beside `path`, flush it to the disk, and rename it into place.

    Raises:
        ResultsError: the folder cannot be written (read-only, a file in the way, no space left).
    """
    temporary = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
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


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
