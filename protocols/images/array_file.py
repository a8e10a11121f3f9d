"""Files of the image store: one uint8 array (N, S, S, C), images in the order of the manifest, and its digests.

`images.npy` is the array, `images.sha256` the SHA-256 of each image's pixels (32 bytes an image), `meta.json` what the
pixels were made of and the SHA-256 of `images.sha256`. An array with a damaged file is built again.
"""

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import PIL

from protocols.datasets.manifest import Dataset, Row
from protocols.errors import DataError
from protocols.images import decode
from protocols.images.decode import Pixels
from protocols.io.atomic_folders import check_space, claimed_folder, fresh_folder
from protocols.io.parallel import Count, Notify, parallel

STORE_ARRAY = "images.npy"
STORE_DIGESTS = "images.sha256"
STORE_META = "meta.json"

STORE_VERSION = 1
_DIGEST_BYTES = 32
_BLOCK = 4 << 20

_Meta = dict[str, str | int]
_Shape = tuple[int, int, int, int]


class ArrayFile:
    """An array whose images are compared with their digests when they are first taken in this process.

    All images that are selected from a store share one; a pickle holds its folder only.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder}

    @property
    def shape(self) -> _Shape:
        count, height, width, channels = self._mapped.shape
        return count, height, width, channels

    def take(self, rows: npt.NDArray[np.intp]) -> Pixels:
        """A copy of the images at `rows` (k,), uint8 (k, S, S, C).

        Raises:
            DataError: the file changed since it was opened.
        """
        images: Pixels = self._mapped[rows]
        for index in np.flatnonzero(~self._checked[rows]):
            if _digest(images[index]) != self._digests[rows[index]].tobytes():
                raise self._changed()
            self._checked[rows[index]] = True
        return images

    @cached_property
    def _mapped(self) -> Pixels:
        try:
            return np.asarray(np.load(self.folder / STORE_ARRAY, mmap_mode="r"), dtype=np.uint8)
        except (OSError, ValueError, EOFError) as error:
            raise self._changed() from error

    @cached_property
    def _digests(self) -> npt.NDArray[np.uint8]:
        try:
            return np.fromfile(self.folder / STORE_DIGESTS, np.uint8).reshape(len(self._mapped), _DIGEST_BYTES)
        except (OSError, ValueError) as error:
            raise self._changed() from error

    @cached_property
    def _checked(self) -> npt.NDArray[np.bool_]:
        return np.zeros(len(self._mapped), dtype=np.bool_)

    def _changed(self) -> DataError:
        return DataError(
            f"the image store {self.folder} was damaged while it was used: the same command makes it again"
        )


class ArrayForm(NamedTuple):
    """Side in pixels and resize of an array; see `protocols.images.decode`."""

    size: int
    resize: str


class _Target(NamedTuple):
    """An array to be: its folder, whose name is the SHA-256 of everything that the pixels depend on, and its header."""

    form: ArrayForm
    folder: Path
    meta: _Meta
    shape: _Shape

    @property
    def hashed(self) -> _Meta:
        return {name: value for name, value in self.meta.items() if name != "dataset"}

    @property
    def bytes_needed(self) -> int:
        return len(_header(self.shape)) + self.shape[0] * _DIGEST_BYTES + int(np.prod(self.shape))


def array_folders(
    dataset: Dataset,
    forms: Sequence[ArrayForm],
    parent: Path,
    *,
    jobs: int,
    every_pixel: bool,
    progress: Count | None,
    notify: Notify | None,
) -> list[Path]:
    """The folder that holds the array of `dataset` for each of `forms`.

    Those that are not there yet or damaged are built together: each image is decoded once for all of them.
    `every_pixel` compares all images with their digests now; else only the file sizes, the header and the digests are
    checked.
    """
    targets = {form: _target(dataset, form, parent) for form in forms}

    def damage(target: _Target) -> str | None:
        problem = _damage(target.folder, target.hashed, target.shape)
        return _pixel_damage(target.folder, dataset, jobs) if problem is None and every_pixel else problem

    def is_whole(target: _Target) -> bool:
        return target.folder.exists() and damage(target) is None

    lacking = sorted((target for target in targets.values() if not is_whole(target)), key=lambda target: target.folder)
    with contextlib.ExitStack() as claims:  # in one order everywhere, so that no two processes wait for each other
        for target in lacking:
            claims.enter_context(claimed_folder(target.folder, "BENCH_CACHE", notify))
        problems = {target.form: damage(target) if target.folder.exists() else "" for target in lacking}
        lacking = [target for target in lacking if problems[target.form] is not None]
        for target in lacking:
            if notify is not None and problems[target.form]:
                notify(
                    f"the decoded images of {dataset.name} at {target.form.size} px are damaged and made again: "
                    f"{target.folder}: {problems[target.form]}"
                )
        if lacking:
            bytes_needed = sum(target.bytes_needed for target in lacking)
            check_space(parent, bytes_needed, f"the images of {dataset.name}", "BENCH_CACHE")
            _build(dataset, lacking, jobs, progress)
    return [targets[form].folder for form in forms]


def _target(dataset: Dataset, form: ArrayForm, parent: Path) -> _Target:
    meta: _Meta = {
        "version": STORE_VERSION,
        "dataset": dataset.name,
        "dataset_fingerprint": dataset.fingerprint,
        "size": form.size,
        "resize": form.resize,
        "channels": dataset.channels,
        "pillow": PIL.__version__,
    }
    shape = (len(dataset.rows), form.size, form.size, dataset.channels)
    target = _Target(form, parent, meta, shape)
    name = hashlib.sha256(json.dumps(target.hashed, sort_keys=True).encode()).hexdigest()
    return target._replace(folder=parent / name)


def _build(dataset: Dataset, targets: Sequence[_Target], jobs: int, progress: Count | None) -> None:
    """Make the folders, which are claimed."""
    with contextlib.ExitStack() as stack:
        buildings = [stack.enter_context(fresh_folder(target.folder)) for target in targets]
        digests = _fill([building / STORE_ARRAY for building in buildings], dataset, targets, jobs, progress)
        for building, target, own in zip(buildings, targets, digests, strict=True):
            (building / STORE_DIGESTS).write_bytes(own)
            sealed = target.meta | {"digests": hashlib.sha256(own).hexdigest()}
            (building / STORE_META).write_text(json.dumps(sealed, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _damage(folder: Path, hashed: _Meta, shape: _Shape) -> str | None:
    """A sentence on the file that is not as it was written, pixels aside; None where all are."""
    header = _header(shape)
    try:
        meta = json.loads((folder / STORE_META).read_bytes())
        digests = (folder / STORE_DIGESTS).read_bytes()
        with (folder / STORE_ARRAY).open("rb") as file:
            start, size = file.read(len(header)), os.fstat(file.fileno()).st_size
    except OSError as error:
        return f"{Path(error.filename or STORE_META).name} cannot be read ({error.strerror})"
    except ValueError:
        return f"{STORE_META} is no JSON"
    if not isinstance(meta, dict) or any(meta.get(name) != value for name, value in hashed.items()):
        return f"{STORE_META} describes another array"
    if len(digests) != shape[0] * _DIGEST_BYTES or meta.get("digests") != hashlib.sha256(digests).hexdigest():
        return f"{STORE_DIGESTS} does not match its own digest in {STORE_META}"
    if start != header:
        return f"{STORE_ARRAY} has another header"
    expected = len(header) + int(np.prod(shape))
    return None if size == expected else f"{STORE_ARRAY} has {size} bytes instead of {expected}"


def _pixel_damage(folder: Path, dataset: Dataset, jobs: int) -> str | None:
    """A sentence with the number of images that do not match their digests and the first of them; None if all do."""
    array = np.load(folder / STORE_ARRAY, mmap_mode="r")
    digests = np.fromfile(folder / STORE_DIGESTS, np.uint8).reshape(len(array), _DIGEST_BYTES)
    count = max(1, _BLOCK // array[0].nbytes)

    def differing(start: int) -> list[int]:
        positions = range(start, min(start + count, len(array)))
        return [i for i in positions if _digest(array[i]) != digests[i].tobytes()]

    damaged = [position for block in parallel(differing, range(0, len(array), count), jobs) for position in block]
    if not damaged:
        return None
    first = dataset.rows[damaged[0]].id
    return f"{STORE_ARRAY} holds other pixels for {len(damaged)} of {len(array)} images, the first is '{first}'"


def _digest(pixels: Pixels) -> bytes:
    return hashlib.sha256(pixels.data.cast("B")).digest()


def _header(shape: _Shape) -> bytes:
    written = io.BytesIO()
    np.lib.format.write_array_header_1_0(written, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return written.getvalue()


def _fill(
    paths: Sequence[Path], dataset: Dataset, targets: Sequence[_Target], jobs: int, progress: Count | None
) -> list[bytes]:
    """Write the arrays. Returns for each the digests of its images, one after another.

    Threads write at their offsets with plain writes: a full disk is then an error, not a signal.
    """
    digests = [bytearray() for _ in targets]
    reader = decode.ImageReader(dataset)
    with contextlib.ExitStack() as files:
        arrays = []
        for path, target in zip(paths, targets, strict=True):
            file = files.enter_context(path.open("wb"))
            start, image_bytes = file.write(_header(target.shape)), int(np.prod(target.shape[1:]))
            file.flush()
            os.posix_fallocate(file.fileno(), 0, start + len(dataset.rows) * image_bytes)
            arrays.append((file.fileno(), target.form, start, image_bytes))

        def write_one(item: tuple[int, Row]) -> list[bytes]:
            position, row = item
            image, written = reader.load(row), []
            for descriptor, form, start, image_bytes in arrays:
                pixels = decode.image_array(decode.resize_image(image, *form)).tobytes()
                _write_all(descriptor, pixels, start + position * image_bytes)
                written.append(hashlib.sha256(pixels).digest())
            return written

        with decode.quiet_decoding():
            for done, written in enumerate(parallel(write_one, enumerate(dataset.rows), jobs), start=1):
                for own, digest in zip(digests, written, strict=True):
                    own.extend(digest)
                if progress is not None:
                    progress(done, len(dataset.rows))
    return list(map(bytes, digests))


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written
