"""Images of several stores as one sequence: the external pool of a detector."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from protocols.errors import DataError
from protocols.images.decode import Pixels
from protocols.images.store import Images, Index


class JoinedImages:
    """The images of all `parts`, one part after another, under ids `NAME/ID`; beside colour, grey has three channels.

    Raises:
        DataError: parts of different sizes, or none.
    """

    def __init__(self, parts: Sequence[tuple[str, Images]]) -> None:
        sizes = {images.size for _, images in parts}
        if len(sizes) != 1:
            raise DataError(f"images of the sizes {sorted(sizes)} cannot be joined: open every store at one size")
        self.size = sizes.pop()
        self.channels = max(images.channels for _, images in parts)
        self.ids = tuple(f"{name}/{id_}" for name, images in parts for id_ in images.ids)
        self._parts = tuple(images for _, images in parts)
        self._ends = np.cumsum([len(images) for images in self._parts])
        self._positions = np.arange(len(self.ids), dtype=np.intp)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, index: Index) -> Pixels:
        """The images at positions `index` (k,) as uint8 (k, S, S, C).

        Raises:
            DataError: images that keep their own sizes have different ones.
        """
        owners, positions = self._located(index)
        shares = [(number, np.flatnonzero(owners == number)) for number in np.unique(owners)]
        pixels = [self._parts[number].take(positions[rows]) for number, rows in shares]
        sizes = {part.shape[1:3] for part in pixels} or {(self.size, self.size)}
        if len(sizes) > 1:
            raise DataError("images of a pool differ in size and cannot be stacked: give a size to resize to")
        images = np.empty((len(owners), *sizes.pop(), self.channels), np.uint8)
        for (_, rows), part in zip(shares, pixels, strict=True):
            images[rows] = part
        return images

    def one(self, i: int) -> Pixels:
        """One image as uint8 (h, w, C)."""
        (owner,), (position,) = self._located(np.array([i]))
        image = self._parts[owner].one(int(position))
        return np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], self.channels)))

    def select(self, index: Index) -> "JoinedImages":
        """The images at positions `index` (k,), in that order."""
        chosen = object.__new__(JoinedImages)
        chosen.__dict__.update(self.__dict__)
        chosen._positions = self._at(index)
        chosen.ids = tuple(self.ids[i] for i in np.asarray(index, dtype=np.intp))
        return chosen

    def _at(self, index: Index) -> npt.NDArray[np.intp]:
        return self._positions[np.asarray(index, dtype=np.intp)]

    def _located(self, index: Index) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """The part of each image and its position there, two arrays (k,)."""
        positions = self._at(index)
        owners = np.searchsorted(self._ends, positions, side="right")
        return owners, positions - np.concatenate([[0], self._ends[:-1]])[owners]
