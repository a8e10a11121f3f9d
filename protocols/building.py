"""A dataset's folder while it is prepared: what a dataset's `prepare` is given and puts its images into."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from protocols.errors import DataError
from protocols.manifest import Row

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from protocols.raw import RawImage

ARRAY = "images.npy"


@dataclass(frozen=True)
class Piece:
    """An image made from a release file (a crop, a cast): pixels (h, w, 1 | 3) uint8, kept as PNG."""

    id: str
    label: str
    pixels: "npt.NDArray[np.uint8]"
    split: str = ""
    group: str = ""
    subclass: str = ""


@dataclass(frozen=True)
class ArrayImage:
    """What is known of one image of an array set beside its pixels."""

    id: str
    label: str
    split: str = ""
    subclass: str = ""


@dataclass(frozen=True)
class Building:
    """The dataset's id, what stands after `@` in it (or nothing), the folder of the release (None for a set that a
    package embeds) and the folder that is built.

    `notify` takes lines for the person who prepares it: what was converted, left out or looks odd.
    """

    name: str
    variant: str
    release: Path | None
    folder: Path
    jobs: int
    notify: Callable[[str], None]

    def unchanged(self, images: Iterable["RawImage"], *, verify: bool = True) -> list[Row]:
        """Take release files as they are: hash and link each, and if `verify` decode all of it.

        Raises:
            DataError: a file that cannot be read or decoded.
        """
        from protocols.raw import inspect, link

        listed = list(images)
        rows = inspect(listed, self.jobs, verify=verify)
        link(listed, self.folder)
        return rows

    def pieces(self, sources: Sequence[Path], cut: Callable[[Path], Sequence[Piece]]) -> list[Row]:
        """Write what `cut` makes of each source file, in parallel; each source is read once.

        Raises:
            DataError: what `cut` raises.
        """
        from protocols.threads import parallel

        return [row for rows in parallel(lambda source: self._written(cut(source)), sources, self.jobs) for row in rows]

    def array(self, images: Sequence[ArrayImage], pixels: "npt.NDArray[np.uint8]") -> list[Row]:
        """Keep pixels (n, h, w, 1 | 3), one entry of `images` each, as one array in the order of the ids."""
        import numpy as np

        if len(images) != len(pixels):
            raise DataError(f"{self.name} has {len(images)} labels for {len(pixels)} images: get the release again")
        order = sorted(range(len(images)), key=lambda place: images[place].id)
        np.save(self.folder / ARRAY, np.ascontiguousarray(pixels[order]))
        return [_array_row(images[place], pixels[place]) for place in order]

    def _written(self, pieces: Sequence[Piece]) -> list[Row]:
        return [self._write(piece) for piece in pieces]

    def _write(self, piece: Piece) -> Row:
        from PIL import Image

        file = str(PurePosixPath(piece.id).with_suffix(".png"))
        height, width, channels = piece.pixels.shape
        target = self.folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(piece.pixels[:, :, 0] if channels == 1 else piece.pixels).save(target)
        digest = pixels_digest(piece.pixels)
        return Row(
            piece.id, file, piece.label, piece.split, digest, width, height, channels, piece.group, piece.subclass
        )


def pixels_digest(pixels: "npt.NDArray[np.uint8]") -> str:
    """SHA-256 of `HEIGHTxWIDTHxCHANNELS` LF and the pixels, rows first, channels last (design section 4)."""
    height, width, channels = pixels.shape
    return hashlib.sha256(f"{height}x{width}x{channels}\n".encode() + pixels.tobytes()).hexdigest()


def _array_row(image: ArrayImage, pixels: "npt.NDArray[np.uint8]") -> Row:
    height, width, channels = pixels.shape
    digest = pixels_digest(pixels)
    return Row(image.id, ARRAY, image.label, image.split, digest, width, height, channels, "", image.subclass)
