"""The manifest of a prepared dataset: one row an image, kept as `manifest.csv` beside the images.

Its own SHA-256 lies beside it, in the form that `sha256sum -c` reads: a manifest that was cut, even at the end of a
line, is not taken for a smaller dataset. A folder of an older version has none until `bench data verify` finds no
difference in it.
"""

import csv
import functools
import hashlib
import io
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protocols.datasets.naming import NORMAL
from protocols.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MANIFEST = "manifest.csv"
SEAL = "manifest.sha256"
ARRAY_FILE = "images.npy"
"""The one file of all images of an array set."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Row:
    """One image. `file` is relative to the dataset's folder; `split` is `train` or `test` where the release fixes it,
    else empty; `group` is the photograph that a crop came from.
    """

    id: str
    file: str
    label: str
    split: str
    sha256: str
    width: int
    height: int
    channels: int
    group: str = ""
    subclass: str = ""


MANIFEST_COLUMNS = tuple(field.name for field in fields(Row))


@dataclass(frozen=True)
class Dataset:
    """A prepared dataset: its id, its folder and its rows, sorted by id."""

    name: str
    folder: Path
    rows: tuple[Row, ...]

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the sorted lines `id TAB label TAB split TAB sha256 LF` (design section 4)."""
        lines = sorted(f"{row.id}\t{row.label}\t{row.split}\t{row.sha256}\n" for row in self.rows)
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @functools.cached_property
    def labels(self) -> tuple[str, ...]:
        """The anomaly classes, sorted."""
        return tuple(sorted({row.label for row in self.rows} - {NORMAL}))

    @functools.cached_property
    def channels(self) -> int:
        """1 where every image is grey, else 3."""
        return 1 if all(row.channels == 1 for row in self.rows) else 3

    @functools.cached_property
    def rule_cache(self) -> dict[tuple[str, ...], Any]:
        """Cache of rules' intermediate results on these rows: a thousand splits cost little more than one."""
        return {}

    @functools.cached_property
    def _by_id(self) -> dict[str, Row]:
        return {row.id: row for row in self.rows}

    def row(self, id: str) -> Row:  # noqa: A002 - the column's name
        """The row of an image.

        Raises:
            DataError: the dataset has no image of that id.
        """
        try:
            return self._by_id[id]
        except KeyError:
            raise DataError(
                f"{self.name} has no image '{id}': list its ids with 'bench data show {self.name}'"
            ) from None

    def path(self, row: Row) -> Path:
        """The file of the image of a row."""
        return self.folder / row.file


def assemble_dataset(name: str, folder: Path, rows: Iterable[Row]) -> Dataset:
    """A dataset of `rows` in any order.

    Raises:
        DataError: no row at all, or an id twice.
    """
    ordered = tuple(sorted(rows, key=lambda row: row.id))
    if not ordered:
        raise DataError(f"{name} has no images: prepare it again from a complete source")
    for row, following in itertools.pairwise(ordered):
        if row.id == following.id:
            raise DataError(f"{name} has two images of the id '{row.id}': rename one of them in the source")
    return Dataset(name, folder, ordered)


def write_manifest(dataset: Dataset, folder: Path) -> None:
    """Write the manifest of `dataset` into `folder`, and its seal: UTF-8, LF, rows sorted by id."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(MANIFEST_COLUMNS)
    writer.writerows([getattr(row, column) for column in MANIFEST_COLUMNS] for row in dataset.rows)
    (folder / MANIFEST).write_bytes(text.getvalue().encode())
    seal_manifest(folder)


def seal_manifest(folder: Path) -> None:
    """Keep the SHA-256 of the manifest in `folder` beside it."""
    (folder / SEAL).write_text(_sealed((folder / MANIFEST).read_bytes()), encoding="ascii")


def seal_older_manifest(folder: Path) -> bool:
    """Seal a manifest of an older version, whose folder was verified. Returns True if it had no seal and got one."""
    if (folder / SEAL).exists():
        return False
    try:
        seal_manifest(folder)
    except OSError:  # a folder of somebody else's
        return False
    return True


def read_manifest(folder: Path, name: str) -> Dataset:
    """The dataset in `folder`.

    Raises:
        DataError: there is no manifest, it is not the one that was sealed, or a line of it is not what section 4 of the
            design says.
    """
    path = folder / MANIFEST
    try:
        data = path.read_bytes()
        if (folder / SEAL).exists() and (folder / SEAL).read_bytes() != _sealed(data).encode():
            raise DataError(f"{path} is damaged, its SHA-256 is not the one in {SEAL}: {_again(name)}")
        lines = csv.reader(io.StringIO(data.decode(), newline=""), strict=True)
        if tuple(next(lines, ())) != MANIFEST_COLUMNS:
            raise DataError(f"{path} does not start with the columns {','.join(MANIFEST_COLUMNS)}: {_again(name)}")
        rows = [_row(line, f"{path} line {lines.line_num}", name) for line in lines]
    except FileNotFoundError:
        raise DataError(f"{folder} has no {MANIFEST}: prepare or adopt {name} first") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read {path} ({error}): {_again(name)}") from error
    return assemble_dataset(name, folder, rows)


def _row(line: list[str], position: str, name: str) -> Row:
    try:
        id_, file, label, split, sha256, width, height, channels, group, subclass = line
        row = Row(id_, file, label, split, sha256, int(width), int(height), int(channels), group, subclass)
    except ValueError:
        raise DataError(f"{position} is damaged: {_again(name)}") from None
    inside = not file.startswith("/") and ".." not in file.split("/")
    sound = id_ and file and label and inside and split in {"", "train", "test"} and _SHA256.fullmatch(sha256)
    if not sound or row.width < 1 or row.height < 1 or row.channels not in {1, 3}:
        raise DataError(f"{position} has a value out of range: {_again(name)}")
    return row


def _sealed(data: bytes) -> str:
    return f"{hashlib.sha256(data).hexdigest()}  {MANIFEST}\n"


def _again(name: str) -> str:
    return f"remove the folder and prepare or adopt {name} again"


def pixels_digest(pixels: "npt.NDArray[np.uint8]") -> str:
    """SHA-256 of `HEIGHTxWIDTHxCHANNELS` LF and the pixels, rows first, channels last (design section 4)."""
    height, width, channels = pixels.shape
    return hashlib.sha256(f"{height}x{width}x{channels}\n".encode() + pixels.tobytes()).hexdigest()
