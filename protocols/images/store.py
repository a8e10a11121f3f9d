"""Images as arrays: decoded and resized once, kept in a memory-mapped file that all processes share."""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from protocols.datasets.manifest import ARRAY_FILE as RELEASE_ARRAY
from protocols.datasets.manifest import Dataset
from protocols.errors import DataError
from protocols.images import decode
from protocols.images.array_file import ArrayFile, ArrayForm, array_folders
from protocols.images.decode import Pixels
from protocols.text import near_miss

Index = npt.NDArray[Any]


class Images(Protocol):
    """Images without labels, read-only, in a fixed order. `channels` is 1 (grey) or 3; `size` is the side S, or 0 where
    the images keep their own sizes.
    """

    @property
    def ids(self) -> tuple[str, ...]: ...

    @property
    def channels(self) -> int: ...

    @property
    def size(self) -> int: ...

    def __len__(self) -> int: ...

    def take(self, index: Index) -> Pixels:
        """The images at positions `index` (k,) as uint8 (k, S, S, C), a new contiguous array."""
        ...

    def one(self, i: int) -> Pixels:
        """One image as uint8 (h, w, C)."""
        ...

    def select(self, index: Index) -> "Images":
        """The images at positions `index` (k,), in that order."""
        ...


class StoredImages:
    """Images of one size in a memory-mapped array. A pickle holds the array's folder and reopens it."""

    def __init__(self, array: ArrayFile, ids: tuple[str, ...], rows: npt.NDArray[np.intp]) -> None:
        self.ids = ids
        self.rows = rows
        """Place of each image in the array (n,)."""
        self._array = array

    @property
    def folder(self) -> Path:
        """The array's folder, named by the SHA-256 of all that its pixels depend on."""
        return self._array.folder

    @property
    def stored(self) -> int:
        """Number of images in the array."""
        return self._array.shape[0]

    @property
    def channels(self) -> int:
        return self._array.shape[3]

    @property
    def size(self) -> int:
        return self._array.shape[1]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, index: Index) -> Pixels:
        return self._array.take(self.rows[_positions(index)])

    def one(self, i: int) -> Pixels:
        image: Pixels = self._array.take(self.rows[[i]])[0]
        return image

    def select(self, index: Index) -> "StoredImages":
        positions = _positions(index)
        return StoredImages(self._array, tuple(self.ids[i] for i in positions), self.rows[positions])


class FileImages:
    """Images of their own sizes, decoded from their files at each use."""

    size = 0

    def __init__(self, dataset: Dataset, ids: tuple[str, ...], channels: int) -> None:
        self.ids = ids
        self.channels = channels
        self._dataset = dataset

    @cached_property
    def _reader(self) -> decode.ImageReader:
        return decode.ImageReader(self._dataset)

    @cached_property
    def _sizes(self) -> set[tuple[int, int]]:
        return {(row.height, row.width) for row in map(self._dataset.row, self.ids)}

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in {"_reader", "_sizes"}}

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, index: Index) -> Pixels:
        ids = [self.ids[i] for i in _positions(index)]
        if len(self._sizes) > 1:
            raise DataError(
                f"images of {self._dataset.name} differ in size and cannot be stacked: give a size to resize to"
            )
        return np.stack([self._decoded(id_) for id_ in ids])

    def one(self, i: int) -> Pixels:
        return self._decoded(self.ids[i])

    def select(self, index: Index) -> "FileImages":
        return FileImages(self._dataset, tuple(self.ids[i] for i in _positions(index)), self.channels)

    def _decoded(self, id_: str) -> Pixels:
        return decode.image_array(self._reader.load(self._dataset.row(id_))).copy()


class ImageStore:
    """All images of a dataset at one size."""

    def __init__(self, dataset: Dataset, folder: Path | None) -> None:
        self._dataset = dataset
        self._array = ArrayFile(folder) if folder is not None else None

    @classmethod
    def open(
        cls,
        dataset: Dataset,
        *,
        size: int,
        resize: str = "squash",
        cache_dir: Path,
        jobs: int = 1,
        every_pixel: bool = False,
        progress: Callable[[int, int], None] | None = None,
        notify: Callable[[str], None] | None = None,
    ) -> "ImageStore":
        """The store of `dataset` under `cache_dir/images`, built by `jobs` threads where it is not there or damaged.

        An image is compared with its digest when it is first taken, or with `every_pixel` now, so that damage is
        mended; `notify` is told of it. `resize` is `squash`, `shorter_side` (see `protocols.images.decode`) or
        `none`, which ignores `size` and keeps the images in their files; those of an array set come from a store of
        their size.

        Raises:
            DataError: an image that cannot be read, too little space, or a wrong size or resize.
        """
        (store,) = cls.open_all(
            dataset,
            [ArrayForm(size, resize)],
            cache_dir=cache_dir,
            jobs=jobs,
            every_pixel=every_pixel,
            progress=progress,
            notify=notify,
        )
        return store

    @classmethod
    def open_all(
        cls,
        dataset: Dataset,
        forms: Sequence[ArrayForm],
        *,
        cache_dir: Path,
        jobs: int = 1,
        every_pixel: bool = False,
        progress: Callable[[int, int], None] | None = None,
        notify: Callable[[str], None] | None = None,
    ) -> "list[ImageStore]":
        """The store of each of `forms`, as `open` gives it; an image is decoded once for all that are built."""
        wanted = [_array_form(dataset, form) for form in forms]
        arrays = [form for form in wanted if form is not None]
        folders = array_folders(
            dataset,
            arrays,
            (cache_dir / "images").absolute(),
            jobs=jobs,
            every_pixel=every_pixel,
            progress=progress,
            notify=notify,
        )
        folder_of = dict(zip(arrays, folders, strict=True))
        return [cls(dataset, folder_of[form] if form is not None else None) for form in wanted]

    @cached_property
    def _position(self) -> dict[str, int]:
        return {row.id: position for position, row in enumerate(self._dataset.rows)}

    def images(self, ids: Iterable[str]) -> Images:
        """The images of these ids in their order.

        Raises:
            DataError: the dataset has no image of an id.
        """
        listed = tuple(ids)
        for id_ in listed:
            self._dataset.row(id_)
        if self._array is None:
            return FileImages(self._dataset, listed, self._dataset.channels)
        rows = np.array([self._position[id_] for id_ in listed], dtype=np.intp)
        return StoredImages(self._array, listed, rows)


def _array_form(dataset: Dataset, form: ArrayForm) -> ArrayForm | None:
    """The form of the array that holds these images; None where they stay in their files. Raises DataError."""
    size, resize = form
    if resize not in decode.RESIZES:
        raise DataError(f"there is no resize '{resize}': {near_miss(resize, decode.RESIZES)}")
    if resize == "none":
        return ArrayForm(dataset.rows[0].width, "squash") if _square_array(dataset) else None
    if size < 1:
        raise DataError(f"the image size cannot be {size}: give the side in pixels, such as 224")
    return form


def _square_array(dataset: Dataset) -> bool:
    first = dataset.rows[0]
    return first.file == RELEASE_ARRAY and first.width == first.height


def _positions(index: Index) -> npt.NDArray[np.intp]:
    return np.asarray(index).astype(np.intp, casting="same_kind") if len(index) else np.zeros(0, dtype=np.intp)
