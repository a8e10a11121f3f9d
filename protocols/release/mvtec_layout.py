"""The layout of MVTec AD: `train/good`, `test/good` and `test/<class>`; anything beside them is ignored."""

from collections.abc import Callable, Mapping
from pathlib import Path

from protocols.datasets.naming import NORMAL, canonical_id, snake_case
from protocols.errors import DataError
from protocols.io.archives import is_litter
from protocols.release import masks, release_files
from protocols.release.image_files import SourceImage, refuse_equal_ids

GOOD = "good"


def scan_mvtec_layout(
    source: Path, aliases: Mapping[str, str], *, inside: bool = False, notify: Callable[[str], None]
) -> list[SourceImage]:
    """The images of a folder in that layout; the label of a class is its alias, else its name in lower snake case.

    `train`, `test` and `good` may be in any case and are in lower case in ids. Masks that lie among the images or
    classes are left out, which `notify` is told. `inside`: links may not lead out of the folder.

    Raises:
        DataError: the folder is not in that layout, or names, links or classes in it cannot be taken over.
    """
    if not source.is_dir():
        raise DataError(f"{source} is not a folder: give a folder that holds train/good and test")
    root = source.resolve() if inside else None
    train, test = _halves(source)
    folders = [("train", train), *(("test", entry) for entry in _classes(test, notify))]
    classes: dict[str, Path] = {}
    images: list[SourceImage] = []
    for split, folder in folders:
        label = _label(folder.name, aliases)
        if split == "test" and classes.setdefault(label, folder) != folder:
            raise DataError(f"{classes[label]} and {folder} are both the class '{label}': rename one of them")
        name = GOOD if label == NORMAL else folder.name
        images += [
            SourceImage(canonical_id(f"{split}/{name}/{file.name}"), release_files.check_file(file, root), label, split)
            for file in masks.without_masks(release_files.list_images(folder), notify)
        ]
    if len(classes) == 1:
        raise DataError(f"{test} holds no anomaly class: put anomalies into a folder beside {GOOD}")
    refuse_equal_ids(images)
    return images


def _halves(source: Path) -> tuple[Path, Path]:
    """The folders `train/good` and `test`."""
    for needed in (("train", GOOD), ("test",), ("test", GOOD)):
        if _below(source, *needed) is None:
            inner = [folder for folder in release_files.list_folders(source) if _below(folder, "train", GOOD)]
            layout = "give a folder in the layout of MVTec AD, or, where each folder is a class, --layout class_folders"
            step = f"did you mean {inner[0]}?" if inner else layout
            raise DataError(f"{source} has no folder {'/'.join(needed)}: {step}")
    train, test = release_files.find_entry(source, "train"), release_files.find_entry(source, "test")
    good = release_files.find_entry(train, GOOD)
    for entry in _entries(train, f"the folder {GOOD}"):
        if entry != good:
            raise DataError(f"{entry} is not {GOOD}, the only folder that train may hold: move it away")
    return good, test


def _below(folder: Path, *names: str) -> Path | None:
    """The folder of these names below another, in any case, or None."""
    for name in names:
        if name.lower() not in (inner.name.lower() for inner in release_files.list_folders(folder)):
            return None
        folder = release_files.find_entry(folder, name)
    return folder


def _classes(test: Path, notify: Callable[[str], None]) -> list[Path]:
    return masks.without_masks(_entries(test, "folders of images"), notify)


def _entries(folder: Path, kind: str) -> list[Path]:
    entries = sorted(entry for entry in folder.iterdir() if not is_litter(entry.name))
    for entry in entries:
        if not entry.is_dir():
            raise DataError(f"{entry} is a file where {folder} should hold {kind} only: move it away")
    return entries


def _label(folder: str, aliases: Mapping[str, str]) -> str:
    if folder.lower() == GOOD:
        return NORMAL
    label = aliases.get(folder) or aliases.get(folder.lower()) or snake_case(folder)
    if label in {"", GOOD, NORMAL}:
        raise DataError(f"the class folder '{folder}' cannot be told from the normal images: rename it")
    return label
