"""Builder given to a dataset's `prepare`: links, cuts or stores images, and returns their manifest rows."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from protocols.datasets.info import DatasetInfo
from protocols.datasets.manifest import ARRAY_FILE, Row, pixels_digest
from protocols.datasets.naming import is_image_id
from protocols.errors import DataError
from protocols.io.parallel import Progress

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from protocols.release.image_files import SourceImage
    from protocols.release.resume import ResumeLog

_BLOCK = 16 << 20

# Of zlib's levels: a fifth of the time of Pillow's default for a seventh more bytes.
_FASTEST = 1


@dataclass(frozen=True)
class ImagePiece:
    """An image made from a release file (a crop, a cast): pixels (h, w, 1 | 3) uint8, kept as PNG."""

    id: str
    label: str
    pixels: "npt.NDArray[np.uint8]"
    split: str = ""
    group: str = ""
    subclass: str = ""


@dataclass(frozen=True)
class ArrayImage:
    """One image of an array set without its pixels."""

    id: str
    label: str
    split: str = ""
    subclass: str = ""


@dataclass(frozen=True)
class DatasetBuilder:
    """Builder of one prepared dataset.

    `info` are the dataset's facts, `variant` is the part of its id after the `@`, or empty; `release` is the folder of
    the release (None for a set that a package embeds), `folder` the one that is built. `notify` gets lines for the
    person who prepares it: what was converted, left out or looks odd. `unpacked`: the release was unpacked for this
    preparation only, so its files are moved and not linked to. `resume_log` holds finished steps for the preparation
    after an interrupted one. `forms` gathers the formats of the image files that were read.
    """

    info: DatasetInfo
    variant: str
    release: Path | None
    folder: Path
    jobs: int
    notify: Callable[[str], None]
    unpacked: bool = False
    resume_log: "ResumeLog | None" = None
    progress: Progress | None = None
    forms: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        """The dataset's id before the `@`."""
        return self.info.id

    @property
    def source(self) -> Path:
        """The folder of the release, for a set that no package embeds.

        Raises:
            DataError: none was given.
        """
        if self.release is None:
            raise DataError(f"{self.name} needs its release: give its folder or archive as the source")
        return self.release

    def unchanged(self, images: Iterable["SourceImage"], *, verify: bool = True) -> list[Row]:
        """Add release files as they are: hash and link each, and if `verify` decode it whole.

        Grey images of 16 bits that leave high bytes unused are scaled (`protocols.images.deep`).

        Raises:
            DataError: two images of one id, an id that is no path in the release, or a file that cannot be read or
                decoded.
        """
        from protocols.release.image_files import conversion_sentences, inspect_images, place_images

        listed = list(images)
        for image in listed:
            self._check_id(image.id)
        inspected = inspect_images(listed, self.jobs, verify=verify, resume_log=self.resume_log, count=self._count)
        for sentence in conversion_sentences(inspected):
            self.notify(f"{self.name}: {sentence}")
        self.forms.update(image.header.form for image in inspected)
        place_images(inspected, self.folder, move=self.unpacked)
        return [image.row for image in inspected]

    def pieces(self, sources: Sequence[Path], cut: Callable[[Path], Sequence[ImagePiece]]) -> list[Row]:
        """Write what `cut` makes of each source file, in parallel; each source is read once.

        Raises:
            DataError: what `cut` raises, two pieces of one id or file name, or an id that is no path in the release.
        """
        from protocols.images import decode
        from protocols.io.parallel import parallel

        call = self.resume_log.call() if self.resume_log else 0
        rows: list[Row] = []
        with decode.quiet_decoding():
            work = parallel(lambda source: self._cut(source, cut, call), sources, self.jobs)
            for done, cut_rows in enumerate(work, start=1):
                rows += cut_rows
                self._count(done, len(sources))
        _refuse_equal_files(self.name, rows)
        if self.resume_log:
            from protocols.io.atomic_folders import link_or_copy

            for row in rows:
                (self.folder / row.file).parent.mkdir(parents=True, exist_ok=True)
                link_or_copy(self.resume_log.pieces / row.file, self.folder / row.file)
        return rows

    def array(self, images: Sequence[ArrayImage], pixels: "npt.NDArray[np.uint8]") -> list[Row]:
        """Keep pixels (n, h, w, 1 | 3), one entry of `images` each, as one array in the order of the ids.

        Besides `pixels`, which may be memory-mapped, few images are in memory at once.

        Raises:
            DataError: the pixels are not of that type and shape, or not as many as the entries.
        """
        import numpy as np

        shape = pixels.shape
        if len(images) != len(pixels):
            raise DataError(f"{self.name} has {len(images)} labels for {len(pixels)} images: get the release again")
        if pixels.dtype != np.uint8 or len(shape) != 4 or shape[3] not in {1, 3} or not all(shape):
            raise DataError(f"{self.name} holds {pixels.dtype} {shape} and no images of 8 bits: get the release again")
        order = sorted(range(len(images)), key=lambda position: images[position].id)
        per_block = max(1, _BLOCK // int(np.prod(shape[1:])))
        rows: list[Row] = []
        with (self.folder / ARRAY_FILE).open("wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
            for start in range(0, len(order), per_block):
                positions = order[start : start + per_block]
                block = np.ascontiguousarray(pixels[positions])
                file.write(block.data)
                rows += [_array_row(images[position], block[i]) for i, position in enumerate(positions)]
                self._count(len(rows), len(order))
        return rows

    def _check_id(self, id_: str) -> None:
        """Refuse the id of a file that would lie outside of the folder that is built, or have another name."""
        if not is_image_id(id_):
            raise DataError(
                f"{self.name}: {id_!r} cannot be the id of an image: give its path in the release, relative, in "
                "Unicode's NFC and without '..'"
            )

    def _count(self, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(self.name, done, total)

    def _cut(self, source: Path, cut: Callable[[Path], Sequence[ImagePiece]], call: int) -> list[Row]:
        from protocols.release.image_files import image_format
        from protocols.release.release_files import IMAGE_SUFFIXES

        rows = self._pieces(source, cut, call)
        if source.suffix.lower() in IMAGE_SUFFIXES:
            self.forms.add(image_format(source))
        return rows

    def _pieces(self, source: Path, cut: Callable[[Path], Sequence[ImagePiece]], call: int) -> list[Row]:
        from protocols.release.image_files import naming_file

        if self.resume_log is None:
            with naming_file(source):
                pieces = cut(source)
            return [self._write(piece, self.folder)[0] for piece in pieces]
        key = f"pieces {call} {source.relative_to(self.source) if source.is_relative_to(self.source) else source}"
        written = self.resume_log.get(key)
        if written is not None and all(_holds(self.resume_log.pieces / row["file"], sha256) for row, sha256 in written):
            return [Row(**row) for row, _ in written]
        with naming_file(source):
            pieces = cut(source)
        done = [self._write(piece, self.resume_log.pieces) for piece in pieces]
        self.resume_log.put(key, [(asdict(row), sha256) for row, sha256 in done])
        return [row for row, _ in done]

    def _write(self, piece: ImagePiece, folder: Path) -> tuple[Row, str]:
        """Write a piece. Returns its row, and the SHA-256 of the file."""
        self._check_id(piece.id)
        file = str(PurePosixPath(piece.id).with_suffix(".png"))
        height, width, channels = piece.pixels.shape
        data = encode_png(piece.pixels)
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        digest = pixels_digest(piece.pixels)
        row = Row(
            piece.id, file, piece.label, piece.split, digest, width, height, channels, piece.group, piece.subclass
        )
        return row, hashlib.sha256(data).hexdigest()


def encode_png(pixels: "npt.NDArray[np.uint8]") -> bytes:
    """Pixels (h, w, 1 | 3) as PNG."""
    import io

    from PIL import Image

    file = io.BytesIO()
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    image.save(file, "PNG", compress_level=_FASTEST)
    return file.getvalue()


def _array_row(image: ArrayImage, pixels: "npt.NDArray[np.uint8]") -> Row:
    height, width, channels = pixels.shape
    digest = pixels_digest(pixels)
    return Row(image.id, ARRAY_FILE, image.label, image.split, digest, width, height, channels, "", image.subclass)


def _holds(path: Path, sha256: str) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    except OSError:
        return False


def _refuse_equal_files(name: str, rows: Iterable[Row]) -> None:
    """Refuse two pieces that would overwrite each other."""
    ids: dict[str, str] = {}
    for row in rows:
        if row.file in ids:
            raise DataError(f"{name} has two images '{ids[row.file]}' and '{row.id}' in one file: rename one of them")
        ids[row.file] = row.id
