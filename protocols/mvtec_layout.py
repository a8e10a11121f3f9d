"""The layout of MVTec AD: `train/good`, `test/good` and `test/<class>`; anything beside them is ignored."""

from collections.abc import Mapping
from pathlib import Path

from protocols import layouts
from protocols.errors import DataError
from protocols.naming import NORMAL, canonical_id, snake_case
from protocols.raw import RawImage, refuse_equal_ids

GOOD = "good"


def scan(source: Path, aliases: Mapping[str, str]) -> list[RawImage]:
    """The images of a folder in that layout; the label of a class is its alias, else its name in lower snake case.

    Raises:
        DataError: the folder is not in that layout, or names, links or classes in it cannot be taken over.
    """
    if not source.is_dir():
        raise DataError(f"{source} is not a folder: give a folder that holds train/good and test")
    root = source.resolve()
    _check_layout(source)
    folders = [("train", source / "train" / GOOD)]
    folders += [("test", entry) for entry in _entries(source / "test", "folders of images")]
    classes: dict[str, Path] = {}
    images: list[RawImage] = []
    for split, folder in folders:
        label = _label(folder.name, aliases)
        if split == "test" and classes.setdefault(label, folder) != folder:
            raise DataError(f"{classes[label]} and {folder} are both the class '{label}': rename one of them")
        images += _images(folder, split, label, root)
    if len(classes) == 1:
        raise DataError(f"{source / 'test'} holds no anomaly class: put anomalies into a folder beside {GOOD}")
    refuse_equal_ids(images)
    return images


def _check_layout(source: Path) -> None:
    for needed in (Path("train", GOOD), Path("test"), Path("test", GOOD)):
        if not (source / needed).is_dir():
            inner = sorted(entry for entry in source.iterdir() if (entry / "train" / GOOD).is_dir())
            step = f"did you mean {inner[0]}?" if inner else "give a folder in the layout of MVTec AD"
            raise DataError(f"{source} has no folder {needed}: {step}")
    for entry in _entries(source / "train", f"the folder {GOOD}"):
        if entry.name != GOOD:
            raise DataError(f"{entry} is not {GOOD}, the only folder that train may hold: move it away")


def _entries(folder: Path, kind: str) -> list[Path]:
    entries = sorted(entry for entry in folder.iterdir() if not layouts.is_litter(entry.name))
    for entry in entries:
        if not entry.is_dir():
            raise DataError(f"{entry} is a file where {folder} should hold {kind} only: move it away")
    return entries


def _label(folder: str, aliases: Mapping[str, str]) -> str:
    if folder == GOOD:
        return NORMAL
    label = aliases.get(folder) or snake_case(folder)
    if label in {"", GOOD, NORMAL}:
        raise DataError(f"the class folder '{folder}' cannot be told from the normal images: rename it")
    return label


def _images(folder: Path, split: str, label: str, root: Path) -> list[RawImage]:
    return [
        RawImage(canonical_id(f"{split}/{folder.name}/{file.name}"), layouts.check_file(file, root), label, split)
        for file in layouts.only_images(folder)
    ]
