"""Release files that become rows unchanged: read, hashed and put into a prepared dataset."""

import contextlib
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from protocols import decode
from protocols.errors import DataError
from protocols.folders import take
from protocols.journal import Journal
from protocols.manifest import Row
from protocols.threads import parallel

Count = Callable[[int, int], None]

_SHORTEST = 2


@dataclass(frozen=True, slots=True)
class RawImage:
    """A file of a release, and what it becomes."""

    id: str
    path: Path
    label: str
    split: str = ""
    group: str = ""
    subclass: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """A row, and the kind of its image and what is done to it where it is converted (`protocols.decode`)."""

    row: Row
    conversion: tuple[str, str] | None


def inspect(
    images: Sequence[RawImage],
    jobs: int,
    *,
    verify: bool,
    journal: Journal | None = None,
    count: Count | None = None,
) -> list[Seen]:
    """Read and hash every image and look at its header, or if `verify` decode all of it.

    One image at a time is in memory for each of `jobs` threads. What the journal holds is not read again.

    Raises:
        DataError: two images of one id, or a file that cannot be read or decoded.
    """
    refuse_equal_ids(images)
    seen: list[Seen] = []
    with decode.quietly():
        for found in parallel(partial(_seen, verify, journal), images, jobs):
            seen.append(found)
            if count is not None:
                count(len(seen), len(images))
    return seen


def conversions(seen: Iterable[Seen]) -> list[str]:
    """One sentence for each kind of image that is converted when it is decoded."""
    kinds = Counter(one.conversion for one in seen if one.conversion is not None)
    return [
        f"1 image {kind} is {done}" if number == 1 else f"{number} images {kind} are {done}"
        for (kind, done), number in sorted(kinds.items())
    ]


def place(images: Iterable[RawImage], folder: Path, *, move: bool) -> None:
    """Put the images into `folder` under their ids: as links, or if `move` as files of its own."""
    for image in images:
        target = folder / image.id
        target.parent.mkdir(parents=True, exist_ok=True)
        if move:
            take(image.path.resolve(), target)
        else:
            target.symlink_to(image.path.resolve())


def pixels(path: Path) -> decode.Pixels:
    """The pixels (h, w, 1 | 3) of an image file, by the rule of `protocols.decode`; alpha is dropped.

    Raises:
        DataError: a file that cannot be read or decoded.
    """
    with named(path):
        data = path.read_bytes()
        return decode.pixels(decode.decode(data, _checked(data).channels))


def refuse_equal_ids(images: Iterable[RawImage]) -> None:
    """Refuse files that would be the same image, such as names that differ in Unicode's form only."""
    taken: dict[str, Path] = {}
    for image in images:
        if image.id in taken:
            raise DataError(
                f"{taken[image.id]} and {image.path} are both the image '{image.id}' (in Unicode's NFC): rename one"
            )
        taken[image.id] = image.path


@contextlib.contextmanager
def named(path: Path) -> Iterator[None]:
    """Turn trouble with the image file `path` into a DataError that names it."""
    try:
        yield
    except decode.DecodeError as error:
        raise DataError(f"{path} {error}: replace or remove the file") from error
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror}): check the file's permissions") from error


def _seen(verify: bool, journal: Journal | None, image: RawImage) -> Seen:
    key = f"file {image.id}"
    known = journal.get(key) if journal else None
    sha256, header = known or _read(image.path, verify)
    if journal and not known:
        journal.put(key, (sha256, header))
    width, height, channels, conversion = header
    row = Row(
        image.id, image.id, image.label, image.split, sha256, width, height, channels, image.group, image.subclass
    )
    return Seen(row, tuple(conversion) if conversion else None)


def _read(path: Path, verify: bool) -> tuple[str, decode.Header]:
    with named(path):
        data = path.read_bytes()
        header = _checked(data)
        if verify:
            decode.decode(data, header.channels)
    return hashlib.sha256(data).hexdigest(), header


def _checked(data: bytes) -> decode.Header:
    header = decode.look(data)
    if min(header.width, header.height) < _SHORTEST:
        raise decode.DecodeError(f"is an image of {header.width} x {header.height} pixels, which shows nothing")
    return header
