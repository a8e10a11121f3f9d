"""Downloading a genuine file of weights; nothing else here uses the network."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.error import HTTPError
from urllib.request import urlopen

from methods.backbones.table import GENUINE, Genuine
from methods.errors import MethodError
from protocols.text import near_miss

TIMEOUT = 5.0
"""Seconds to wait for a connection, and for the next bytes."""

_CHUNK = 1 << 20

Progress = Callable[[int, int], None]


def fetch(
    arch: str,
    hub_dir: Path,
    *,
    genuine: Sequence[Genuine] = GENUINE,
    base_url: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """The genuine file of an architecture in torch's hub cache, downloaded where it is missing or another file.

    The file appears whole or not at all; it comes from below `base_url` where one is given. `progress(done, total)`
    counts bytes, with total 0 where it is not known.

    Raises:
        MethodError: no such architecture, no network, or what came has another SHA-256 than the genuine file.
    """
    known = next((known for known in genuine if known.arch == arch), None)
    if known is None:
        names = sorted({known.arch for known in genuine})
        raise MethodError(f"no weights to fetch for '{arch}': {near_miss(arch, names)}")
    target = hub_dir / "checkpoints" / known.name
    url = (base_url or known.base) + known.name
    try:
        if target.is_file() and _is_genuine(target, known):
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        _download(url, target, known, progress)
    except HTTPError as error:
        error.close()
        raise _not_fetched(url, target, error) from None
    except (OSError, HTTPException) as error:
        raise _not_fetched(url, target, getattr(error, "reason", error)) from None
    return target


def _not_fetched(url: str, target: Path, reason: object) -> MethodError:
    text = "download it elsewhere and set BENCH_WEIGHTS to the file"
    return MethodError(f"{url} could not be fetched into {target.parent} ({reason}): {text}")


def _is_genuine(path: Path, known: Genuine) -> bool:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == known.sha256


def _download(url: str, target: Path, known: Genuine, progress: Progress | None) -> None:
    with urlopen(url, timeout=TIMEOUT) as response:  # noqa: S310 - the address is one of the table
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f"{target.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as stream:
                length = response.headers.get("Content-Length", "")
                digest = _copy(response, stream, int(length) if length.isdigit() else 0, progress)
                os.fsync(stream.fileno())
            if digest != known.sha256:
                text = f"has the SHA-256 {digest}, not {known.sha256}"
                raise MethodError(f"what {url} sent {text}: try again, or set BENCH_WEIGHTS to a good copy")
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


def _copy(source: IO[bytes], sink: IO[bytes], total: int, progress: Progress | None) -> str:
    digest, done = hashlib.sha256(), 0
    while chunk := source.read(_CHUNK):
        sink.write(chunk)
        digest.update(chunk)
        done += len(chunk)
        if progress is not None:
            progress(done, total)
    sink.flush()
    return digest.hexdigest()
