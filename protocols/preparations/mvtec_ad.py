"""MVTec AD: fifteen categories of textures and objects, used as they are (spec 10.1)."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from protocols.datasets.info import DatasetInfo
from protocols.datasets.manifest import Row
from protocols.datasets.naming import NORMAL, canonical_id
from protocols.datasets.registry import dataset_family
from protocols.errors import DataError
from protocols.release.builder import DatasetBuilder

if TYPE_CHECKING:
    from protocols.release.image_files import SourceImage


def prepare(builder: DatasetBuilder) -> list[Row]:
    """Link the images of one category; the source is its folder, or one that holds it beside others.

    Folders may be in any case and are in lower case in ids, as in the release.

    Raises:
        DataError: the category or a class of it is missing, an anomaly has no mask or a mask no image, or the layout is
            another.
    """
    from protocols.release import mvtec_layout

    info = builder.info
    root = _root(builder.source, info)
    scanned = mvtec_layout.scan_mvtec_layout(root, info.label_aliases, inside=True, notify=builder.notify)
    images = [replace(image, id=_in_lower_folders(image.id)) for image in scanned]
    _check_classes(root, info, images)
    _check_masks(root, info, images, builder.source)
    return builder.unchanged(images)


def class_folders(info: DatasetInfo) -> list[str]:
    """The folders of a category's classes: `metal_contamination`, where the published id is `metal`."""
    raw_names = {label: folder for folder, label in info.label_aliases.items()}
    halves = (key.partition("/") for key in info.releases[""][0].counts)
    return [raw_names.get(label, label) for half, _, label in halves if half == "test" and label != NORMAL]


def _root(release: Path, info: DatasetInfo) -> Path:
    from protocols.release.release_files import find_root

    category = info.id
    folder = _category_folder(release, category)
    root = find_root(folder or release, "train", "test")
    if folder is None and root.name.lower() != category:
        members = [member.id for member in dataset_family(info.family)]
        others = [name for name in members if name == root.name.lower() or _category_folder(release, name)]
        if others:
            raise DataError(f"{release} holds {', '.join(others)} but no {category}: give the folder of {category}")
    return root


def _category_folder(release: Path, category: str) -> Path | None:
    from protocols.release.release_files import folder_named

    try:
        return folder_named(release, category)
    except DataError:
        return None


def _check_classes(root: Path, info: DatasetInfo, images: "Iterable[SourceImage]") -> None:
    expected = {f"test/{folder}" for folder in class_folders(info)}
    folders = {image.id.rpartition("/")[0] for image in images if image.label != NORMAL}
    for folder in sorted(expected - folders):
        raise DataError(f"{root} has no {folder}: get the whole release")
    for folder in sorted(folders - expected):
        raise DataError(f"{root / folder} is no class of {info.id}: move it away, or adopt {root} under another name")


def _check_masks(root: Path, info: DatasetInfo, images: "Iterable[SourceImage]", release: Path) -> None:
    from protocols.release.release_files import find_entry, list_files, list_folders

    masks, names = find_entry(root, "ground_truth"), class_folders(info)
    for folder in list_folders(masks):
        if folder.name.lower() not in names:
            raise DataError(f"{folder} holds masks of no class of {info.id}: get the release again")
    for name in names:
        anomalies = {f"{_stem(image.id)}_mask": image.path for image in images if image.id.startswith(f"test/{name}/")}
        paths = list_files(find_entry(masks, name), root=release)
        mask_paths = {_stem(canonical_id(path.name).lower()): path for path in paths}
        for mask, path in anomalies.items():
            if mask not in mask_paths:
                raise DataError(f"{path} has no mask in {masks / name}: get the release again")
        for mask, path in mask_paths.items():
            if mask not in anomalies:
                raise DataError(f"{path} is the mask of no image in {root / 'test' / name}: get the release again")


def _in_lower_folders(id_: str) -> str:
    folder, _, name = id_.rpartition("/")
    return f"{folder.lower()}/{name}"


def _stem(name: str) -> str:
    return PurePosixPath(name).stem
