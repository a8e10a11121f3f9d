"""Release files that become rows: read, hashed and put into a dataset, all but some of 16 bits unchanged."""

import contextlib
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from protocols.datasets.manifest import Row, pixels_digest
from protocols.errors import DataError
from protocols.images import decode, deep
from protocols.io.atomic_folders import link_or_copy
from protocols.io.parallel import Count, parallel
from protocols.release.builder import encode_png
from protocols.release.resume import ResumeLog
from protocols.text import first_few, plural

_SHORTEST = 2
_NAMED = 5
_TURNED = "with an EXIF orientation", "left as they are stored, not turned"


@dataclass(frozen=True, slots=True)
class SourceImage:
    """A file of a release, and what it becomes."""

    id: str
    path: Path
    label: str
    split: str = ""
    group: str = ""
    subclass: str = ""


@dataclass(frozen=True, slots=True)
class InspectedImage:
    """A row, its file and header; `range` is that of the values of an image of 16 bits.

    `scale`: the range by which such an image is scaled when it is put into the dataset. None: the file is taken as it
    is.
    """

    row: Row
    path: Path
    header: decode.ImageHeader
    range: deep.ValueRange | None
    scale: deep.ValueRange | None = None


def inspect_images(
    images: Sequence[SourceImage],
    jobs: int,
    *,
    verify: bool,
    resume_log: ResumeLog | None = None,
    count: Count | None = None,
) -> list[InspectedImage]:
    """Read and hash every image and look at its header, or if `verify` decode all of it.

    One image at a time is in memory for each of `jobs` threads. What `resume_log` holds is not read again. Images of 16
    bits are scaled together (`protocols.images.deep`): such a row's sha256 is that of the scaled pixels.

    Raises:
        DataError: two images of one id, files that cannot be read or decoded (after all were looked at), or 16 bits a
            channel of which too few are used.
    """
    refuse_equal_ids(images)
    inspected: list[InspectedImage] = []
    failed: list[tuple[str, DataError]] = []
    with decode.quiet_decoding():
        for source, image in zip(images, parallel(partial(_inspected, verify, resume_log), images, jobs), strict=True):
            if isinstance(image, DataError):
                failed.append((source.id, image))
            else:
                inspected.append(image)
            if count is not None:
                count(len(inspected) + len(failed), len(images))
        if failed:
            raise _all_failures(failed)
        return _scaled(inspected, jobs)


def conversion_sentences(images: Sequence[InspectedImage]) -> list[str]:
    """One sentence for each kind of image that is converted when it is decoded, or not turned as its EXIF data ask."""
    kinds = Counter(kind for kind in map(_conversion, images) if kind is not None)
    kinds += Counter(_TURNED for image in images if image.header.turned)
    return [
        plural(number, f"image {kind} is {done}", f"images {kind} are {done}")
        for (kind, done), number in sorted(kinds.items())
    ]


def place_images(images: Iterable[InspectedImage], folder: Path, *, move: bool) -> None:
    """Put the images into `folder`: as links, or if `move` as files of its own; what is scaled as PNG."""
    for image in images:
        target = folder / image.row.file
        target.parent.mkdir(parents=True, exist_ok=True)
        if image.scale is not None:
            target.write_bytes(encode_png(_scaled_pixels(image.path, image.scale)))
        elif move:
            link_or_copy(image.path.resolve(), target)
        else:
            target.symlink_to(image.path.resolve())


def read_pixels(path: Path) -> decode.Pixels:
    """The pixels (h, w, 1 | 3) of an image file, by the rule of `protocols.images.decode`; alpha is dropped.

    Raises:
        DataError: a file that cannot be read or decoded, or has 16 bits, whose range in the other files is not known.
    """
    with naming_file(path):
        data = decode.read_image_bytes(path)
        header = _checked(data)
        if header.conversion == decode.DEEP_CONVERSION:
            raise decode.DecodeError("has 16 bits, where images to be cut must have 8")
        return decode.image_array(decode.decode_image(data, header.channels))


def image_format(path: Path) -> str:
    """Pillow's name of an image file's format.

    Raises:
        DataError: it cannot be read.
    """
    with naming_file(path):
        return decode.read_header(decode.read_image_bytes(path)).form


def refuse_equal_ids(images: Iterable[SourceImage]) -> None:
    """Refuse files that would be the same image, such as names that differ in Unicode's form only."""
    paths: dict[str, Path] = {}
    for image in images:
        if image.id in paths:
            raise DataError(
                f"{paths[image.id]} and {image.path} are both the image '{image.id}' (in Unicode's NFC): rename one"
            )
        paths[image.id] = image.path


@contextlib.contextmanager
def naming_file(path: Path) -> Iterator[None]:
    """A block whose errors with the image file `path` become a DataError that names it."""
    try:
        yield
    except decode.DecodeError as error:
        raise DataError(f"{path} {error}: replace or remove the file") from error
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror}): check the file's permissions") from error


def _all_failures(failed: Sequence[tuple[str, DataError]]) -> DataError:
    """What is wrong with the first file, and the ids of the next ones."""
    (_, first), *others = failed
    if not others:
        return first
    names = first_few((id_ for id_, _ in others), _NAMED)
    return DataError(f"{first}; {plural(len(others), 'more file')} cannot be read: {names}")


def _inspected(verify: bool, resume_log: ResumeLog | None, image: SourceImage) -> InspectedImage | DataError:
    key = f"image {image.id}"
    logged = resume_log.get(key) if resume_log else None
    try:
        sha256, header, range_ = _facts(logged) if logged else _read(image.path, verify)
    except DataError as error:
        return error
    if resume_log and not logged:
        resume_log.put(key, (sha256, header, range_))
    width, height, channels, *_ = header
    row = Row(
        image.id, image.id, image.label, image.split, sha256, width, height, channels, image.group, image.subclass
    )
    return InspectedImage(row, image.path, header, range_)


def _facts(logged: list[Any]) -> tuple[str, decode.ImageHeader, deep.ValueRange | None]:
    """SHA-256, header and range of an image from its log entry, in which tuples are lists."""
    sha256, (width, height, channels, conversion, form_, turned), range_ = logged
    header = decode.ImageHeader(width, height, channels, tuple(conversion) if conversion else None, form_, turned)
    return sha256, header, deep.ValueRange(*range_) if range_ else None


def _read(path: Path, verify: bool) -> tuple[str, decode.ImageHeader, deep.ValueRange | None]:
    with naming_file(path):
        data = decode.read_image_bytes(path)
        header = _checked(data)
        if verify:
            decode.decode_image(data, header.channels)
        range_ = deep.value_range(decode.deep_values(data)) if header.conversion == decode.DEEP_CONVERSION else None
    return hashlib.sha256(data).hexdigest(), header, range_


def _checked(data: bytes) -> decode.ImageHeader:
    header = decode.read_header(data)
    if min(header.width, header.height) < _SHORTEST:
        raise decode.DecodeError(f"is an image of {header.width} x {header.height} pixels, which shows nothing")
    return header


def _scaled(images: list[InspectedImage], jobs: int) -> list[InspectedImage]:
    """The images, those of 16 bits with a `scale` where the range of all of them is narrow."""
    high_bytes = [image for image in images if image.range is not None and image.range.bits == 8]
    if high_bytes:
        common = deep.joined_range(image.range for image in high_bytes if image.range)
        if not common.is_wide:
            raise DataError(
                f"{high_bytes[0].path} has 16 bits a channel, of which all {len(high_bytes)} such images use the high "
                f"bytes {common.least} to {common.greatest} only: save them with 8 bits a channel"
            )
    grey = [image for image in images if image.range is not None and image.range.bits == 16]
    if not grey or (common := deep.joined_range(image.range for image in grey if image.range)).is_wide:
        return images
    by_id = {image.row.id: image for image in parallel(partial(_scaled_row, common), grey, jobs)}
    scaled = [by_id.get(image.row.id, image) for image in images]
    files = Counter(image.row.file for image in scaled)
    for image in scaled:
        if files[image.row.file] > 1:
            raise DataError(f"{image.path} would be {image.row.file} as another image is, once it is scaled: rename it")
    return scaled


def _scaled_row(scale: deep.ValueRange, image: InspectedImage) -> InspectedImage:
    digest = pixels_digest(_scaled_pixels(image.path, scale))
    file = str(PurePosixPath(image.row.id).with_suffix(".png"))
    return replace(image, row=replace(image.row, sha256=digest, file=file), scale=scale)


def _scaled_pixels(path: Path, scale: deep.ValueRange) -> decode.Pixels:
    with naming_file(path):
        return scale.scaled(decode.deep_values(decode.read_image_bytes(path)))[:, :, None]


def _conversion(image: InspectedImage) -> tuple[str, str] | None:
    if image.scale is None:
        return image.header.conversion
    return "of 16 bits", f"scaled to 8 by the range of all their values, {image.scale.least} to {image.scale.greatest}"
