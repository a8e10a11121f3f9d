"""BrainMRI: magnetic resonance images of the brain with and without a tumour (spec 10.7)."""

from pathlib import Path

from protocols.datasets.manifest import Row
from protocols.datasets.naming import NORMAL, canonical_id
from protocols.release.builder import DatasetBuilder

_RELEASED_LOADER = "released_loader"

_FOLDERS = {"no": NORMAL, "yes": "defect"}
_LOADED = {"png", "PNG", "jpg", "npy"}


def prepare(builder: DatasetBuilder) -> list[Row]:
    """Link all images of the folders `no` (normal) and `yes` (defect), whatever their endings say.

    The variant `released_loader` keeps what the authors' loader counts as an image (spec 1.3, D30): the last three
    characters of the name decide.
    """
    from protocols.release.image_files import SourceImage
    from protocols.release.release_files import find_entry, find_root, list_files

    root = find_root(builder.source, *_FOLDERS)
    images = [
        SourceImage(canonical_id(f"{folder}/{path.name}"), path, label)
        for folder, label in _FOLDERS.items()
        for path in list_files(find_entry(root, folder), root=builder.source)
        if builder.variant != _RELEASED_LOADER or _is_loaded(path)
    ]
    return builder.unchanged(images)


def _is_loaded(path: Path) -> bool:
    return path.name[-3:] in _LOADED
