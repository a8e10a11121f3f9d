"""Release files that become rows unchanged: read, hashed and linked into a prepared dataset."""

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from protocols import decode
from protocols.errors import DataError
from protocols.manifest import Row
from protocols.threads import parallel


@dataclass(frozen=True, slots=True)
class RawImage:
    """A file of a release, and what it becomes."""

    id: str
    path: Path
    label: str
    split: str = ""
    group: str = ""
    subclass: str = ""


def inspect(images: Iterable[RawImage], jobs: int, *, verify: bool) -> list[Row]:
    """Read and hash every image and look at its header, or if `verify` decode all of it.

    One image at a time is in memory for each of `jobs` threads.

    Raises:
        DataError: a file that cannot be read or decoded.
    """
    with decode.quietly():
        return list(parallel(partial(_row, verify), images, jobs))


def link(images: Iterable[RawImage], folder: Path) -> None:
    """Link the images into `folder` under their ids."""
    for image in images:
        target = folder / image.id
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(image.path.resolve())


def _row(verify: bool, image: RawImage) -> Row:
    with _named(image.path):
        data = image.path.read_bytes()
        width, height, channels = decode.header(data)
        if verify:
            decode.decode(data, channels)
    sha256 = hashlib.sha256(data).hexdigest()
    return Row(
        image.id, image.id, image.label, image.split, sha256, width, height, channels, image.group, image.subclass
    )


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except decode.DecodeError as error:
        raise DataError(f"{path} {error}: replace or remove the file") from error
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror}): check the file's permissions") from error
