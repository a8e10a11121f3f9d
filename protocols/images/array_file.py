"""Files of the image store: one uint8 array (N, S, S, C), images in the order of the manifest, and its digests.

`images.npy` is the array, `images.sha256` the SHA-256 of each image's pixels (32 bytes an image), `meta.json` what the
pixels were made of and the SHA-256 of `images.sha256`. An array with a damaged file is built again.
"""

import hashlib
import io
import json
import os
from functools import cached_property
from pathlib import Path
from typing import Any

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


def array_folder(
    dataset: Dataset,
    size: int,
    resize: str,
    parent: Path,
    *,
    jobs: int,
    every_pixel: bool,
    progress: Count | None,
    notify: Notify | None,
) -> Path:
    """The folder that holds the array of `dataset` at this size, built where it is not there yet or damaged.

    Its name is the SHA-256 of everything that the pixels depend on. `every_pixel` compares all images with their
    digests now; else only the file sizes, the header and the digests are checked.
    """
    meta: _Meta = {
        "version": STORE_VERSION,
        "dataset": dataset.name,
        "dataset_fingerprint": dataset.fingerprint,
        "size": size,
        "resize": resize,
        "channels": dataset.channels,
        "pillow": PIL.__version__,
    }
    hashed = {name: value for name, value in meta.items() if name != "dataset"}
    folder = parent / hashlib.sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()
    shape = (len(dataset.rows), size, size, dataset.channels)

    def damage() -> str | None:
        problem = _damage(folder, hashed, shape)
        return _pixel_damage(folder, dataset, jobs) if problem is None and every_pixel else problem

    if folder.exists() and damage() is None:
        return folder
    with claimed_folder(folder, "BENCH_CACHE", notify):
        problem = damage() if folder.exists() else None
        if folder.exists() and problem is None:
            return folder
        if problem is not None and notify is not None:
            notify(f"the decoded images of {dataset.name} at {size} px are damaged and made again: {folder}: {problem}")
        bytes_needed = len(_header(shape)) + len(dataset.rows) * _DIGEST_BYTES + int(np.prod(shape))
        check_space(parent, bytes_needed, f"the images of {dataset.name}", "BENCH_CACHE")
        with fresh_folder(folder) as building:
            digests = _fill(building / STORE_ARRAY, dataset, shape, resize, jobs, progress)
            (building / STORE_DIGESTS).write_bytes(digests)
            sealed = meta | {"digests": hashlib.sha256(digests).hexdigest()}
            (building / STORE_META).write_text(json.dumps(sealed, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return folder


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


def _fill(path: Path, dataset: Dataset, shape: _Shape, resize: str, jobs: int, progress: Count | None) -> bytes:
    """Write the array. Returns the digests of its images, one after another.

    Threads write at their offsets with plain writes: a full disk is then an error, not a signal.
    """
    size, image_bytes = shape[1], int(np.prod(shape[1:]))
    digests = bytearray()
    with path.open("wb") as file:
        start, descriptor = file.write(_header(shape)), file.fileno()
        file.flush()
        os.posix_fallocate(descriptor, 0, start + len(dataset.rows) * image_bytes)

        reader = decode.ImageReader(dataset)

        def write_one(item: tuple[int, Row]) -> bytes:
            position, row = item
            pixels = decode.image_array(decode.resize_image(reader.load(row), size, resize)).tobytes()
            _write_all(descriptor, pixels, start + position * image_bytes)
            return hashlib.sha256(pixels).digest()

        with decode.quiet_decoding():
            for done, digest in enumerate(parallel(write_one, enumerate(dataset.rows), jobs), start=1):
                digests += digest
                if progress is not None:
                    progress(done, len(dataset.rows))
    return bytes(digests)


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written
