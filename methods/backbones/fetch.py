"""Downloading a genuine file of weights; nothing else here uses the network."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.error import HTTPError
from urllib.request import urlopen

from methods.backbones.table import BACKBONES, GenuineFile
from methods.errors import MethodError
from protocols.text import near_miss

TIMEOUT = 5.0
"""Seconds to wait for a connection, and for the next bytes."""

_CHUNK = 1 << 20

ByteProgress = Callable[[int, int], None]


def fetch(arch: str, hub_dir: Path, *, progress: ByteProgress | None = None) -> Path:
    """The genuine file of an architecture in torch's hub cache, downloaded where it is missing or another file.

    The file appears whole or not at all. `progress(done, total)` counts bytes, with total 0 where it is not known.

    Raises:
        MethodError: no such architecture, no network, or what came has another SHA-256 than the genuine file.
    """
    published = {row.id: row.genuine[0] for row in BACKBONES.values() if row.genuine}
    if arch not in published:
        raise MethodError(f"no weights to fetch for '{arch}': {near_miss(arch, sorted(published))}")
    file = published[arch]
    target = hub_dir / "checkpoints" / file.name
    try:
        if target.is_file() and _is_genuine(target, file):
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        _download(file, target, progress)
    except HTTPError as error:
        error.close()
        raise _not_fetched(file.url, target, error) from None
    except (OSError, HTTPException) as error:
        raise _not_fetched(file.url, target, getattr(error, "reason", error)) from None
    return target


def _not_fetched(url: str, target: Path, reason: object) -> MethodError:
    text = "download it elsewhere and set BENCH_WEIGHTS to the file"
    return MethodError(f"{url} could not be fetched into {target.parent} ({reason}): {text}")


def _is_genuine(path: Path, file: GenuineFile) -> bool:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256


def _download(file: GenuineFile, target: Path, progress: ByteProgress | None) -> None:
    with urlopen(file.url, timeout=TIMEOUT) as response:  # noqa: S310 - the address is one of the table
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f"{target.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as stream:
                length = response.headers.get("Content-Length", "")
                digest = _copy(response, stream, int(length) if length.isdigit() else 0, progress)
                os.fsync(stream.fileno())
            if digest != file.sha256:
                text = f"has the SHA-256 {digest}, not {file.sha256}"
                raise MethodError(f"what {file.url} sent {text}: try again, or set BENCH_WEIGHTS to a good copy")
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


def _copy(source: IO[bytes], sink: IO[bytes], total: int, progress: ByteProgress | None) -> str:
    digest, done = hashlib.sha256(), 0
    while chunk := source.read(_CHUNK):
        sink.write(chunk)
        digest.update(chunk)
        done += len(chunk)
        if progress is not None:
            progress(done, total)
    sink.flush()
    return digest.hexdigest()
