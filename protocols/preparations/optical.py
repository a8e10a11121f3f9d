"""Optical: DAGM 2007, ten synthetic textures pooled into one dataset (spec 10.5)."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from protocols.datasets.manifest import Row
from protocols.datasets.naming import NORMAL, canonical_id
from protocols.errors import DataError
from protocols.release.builder import DatasetBuilder

if TYPE_CHECKING:
    from protocols.release.image_files import SourceImage

_CLASSES = tuple(f"Class{number}" for number in range(1, 11))
_HALVES = ("Train", "Test")


@dataclass(frozen=True)
class _Entry:
    """An image of a label file: its name, and that of its mask where it has a defect."""

    name: str
    mask: str | None


def prepare(builder: DatasetBuilder) -> list[Row]:
    """Link the images of both halves of all ten textures; each half's `Label/Labels.txt` says which have a defect.

    Ids have the names of the label file, whatever the case of the files' own. The variant `ten_classes` has an anomaly
    class for each texture instead of the one class `defect` (D35).

    Raises:
        DataError: a texture or a half is missing, or label file, images and masks do not fit together.
    """
    images: list[SourceImage] = []
    for texture in _CLASSES:
        images += _texture(builder, texture)
    return builder.unchanged(images)


def _texture(builder: DatasetBuilder, texture: str) -> "list[SourceImage]":
    from protocols.release.image_files import SourceImage
    from protocols.release.release_files import find_entry, find_root, folder_named

    root = find_root(folder_named(builder.source, texture), *_HALVES)
    defect = texture.lower() if builder.variant == "ten_classes" else "defect"
    return [
        SourceImage(
            canonical_id(f"{texture}/{half}/{listed.name}"), path, defect if listed.mask else NORMAL, group=texture
        )
        for half in _HALVES
        for listed, path in _half(find_entry(root, half), builder.source)
    ]


def _half(folder: Path, release: Path) -> list[tuple[_Entry, Path]]:
    from protocols.release.release_files import find_entry, find_label_file

    labels = find_entry(folder, "Label")
    listing = find_label_file(labels, "Labels.txt", release)
    listed = _listed(listing)
    images, masks = _by_name(folder, release), _by_name(labels, release)
    pairs = []
    for item in listed:
        if item.name.lower() not in images:
            raise DataError(f"{listing} lists {item.name}, which is not in {folder}: get the release again")
        path = images.pop(item.name.lower())
        if item.mask and masks.pop(item.mask.lower(), None) is None:
            raise DataError(f"{path} has no mask {labels / item.mask}: get the release again")
        pairs.append((item, path))
    for path in images.values():
        raise DataError(f"{path} is not listed in {listing}: move it away or get the release again")
    for path in masks.values():
        raise DataError(f"{path} is the mask of no defect that {listing} lists: get the release again")
    return pairs


def _by_name(folder: Path, release: Path) -> dict[str, Path]:
    from protocols.release.release_files import list_files

    paths: dict[str, Path] = {}
    for path in list_files(folder, root=release):
        if paths.setdefault(path.name.lower(), path) != path:
            raise DataError(f"{paths[path.name.lower()]} and {path} differ in case only: remove one of them")
    return paths


def _listed(path: Path) -> list[_Entry]:
    """Entries of a label file. Lines after the first: number, 0 or 1, image, one more field and the mask, by tabs."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()[1:]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path} ({error}): get the release again") from error
    listed: dict[str, _Entry] = {}
    for number, line in enumerate(lines, start=2):
        fields = line.split()
        if not fields:
            continue
        if len(fields) < 3 or fields[1] not in {"0", "1"} or (fields[1] == "1" and len(fields) < 5):
            raise DataError(f"{path} line {number} is damaged: get the release again")
        item = _Entry(fields[2], fields[4] if fields[1] == "1" else None)
        if listed.setdefault(item.name.lower(), item) is not item:
            raise DataError(f"{path} line {number} lists {item.name} a second time: get the release again")
    if not listed:
        raise DataError(f"{path} lists no image: get the release again")
    return list(listed.values())
