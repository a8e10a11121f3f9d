"""The layout of class folders: one folder of images a class, of which `normal` or `good` holds the normal ones."""

from collections.abc import Callable, Mapping
from pathlib import Path

from protocols.datasets.naming import NORMAL, canonical_id, snake_case
from protocols.errors import DataError
from protocols.release import masks, release_files
from protocols.release.image_files import SourceImage, refuse_equal_ids

_NORMAL = ("good", "normal")


def scan_class_folders(source: Path, aliases: Mapping[str, str], *, notify: Callable[[str], None]) -> list[SourceImage]:
    """The images of a folder in that layout; the label of a class is its alias, else its name in lower snake case.

    The layout fixes no split: a rule draws which normal images are for training. Masks that lie among the images or
    classes are left out, which `notify` is told.

    Raises:
        DataError: the folder is not in that layout, or names, links or classes in it cannot be taken over.
    """
    if not source.is_dir():
        raise DataError(f"{source} is not a folder: give a folder that holds one folder of images a class")
    classes: dict[str, Path] = {}
    for folder in masks.without_masks(release_files.list_folders(source), notify):
        label = _label(folder.name, aliases)
        if classes.setdefault(label, folder) != folder:
            raise DataError(f"{classes[label]} and {folder} are both the class '{label}': rename one of them")
    if NORMAL not in classes:
        raise DataError(f"{source} has no folder {' or '.join(_NORMAL)}: rename the folder of the normal images so")
    if len(classes) == 1:
        raise DataError(f"{source} holds no anomaly class: put anomalies into a folder beside {classes[NORMAL].name}")
    images = [
        SourceImage(canonical_id(f"{folder.name}/{path.name}"), release_files.check_file(path), label)
        for label, folder in sorted(classes.items())
        for path in masks.without_masks(release_files.list_images(folder), notify)
    ]
    refuse_equal_ids(images)
    return images


def _label(folder: str, aliases: Mapping[str, str]) -> str:
    if folder.lower() in _NORMAL:
        return NORMAL
    label = aliases.get(folder) or snake_case(folder)
    if label in {"", *_NORMAL}:
        raise DataError(f"the class folder '{folder}' cannot be told from the normal images: rename it")
    return label
