"""Splits for other code: as a CSV list, and as folders in the layout of MVTec AD."""

import contextlib
import csv
import hashlib
import io
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from msgspec import structs

from protocols.datasets.manifest import Dataset, Row
from protocols.errors import DataError
from protocols.release.mvtec_layout import GOOD
from protocols.splits.split import Split
from protocols.text import csv_cell

EXPORT_COLUMNS = ("id", "file", "position", "label", "side", "list", "shot")
LABELLED = "labelled-anomalies"

_SUFFIX = ".png"
_PLAIN = re.compile(r"[a-z0-9_]+")
_LONGEST = 120


@dataclass(frozen=True)
class ExportedImage:
    """An image of a split: its row, the row's position in the manifest from 0, `side` train or test, the list of the
    split, and for a labelled anomaly its number in the draw, from 1.
    """

    row: Row
    position: int
    side: str
    list: str
    shot: int | None


def exported_images(split: Split, dataset: Dataset) -> list[ExportedImage]:
    """The images of a split, list after list, each in its order."""
    positions = {row.id: position for position, row in enumerate(dataset.rows)}
    return [
        ExportedImage(
            row=dataset.row(id_),
            position=positions[id_],
            side=name.partition("_")[0],
            list=name,
            shot=number if name == "train_anomaly" else None,
        )
        for name in split.fingerprints
        for number, id_ in enumerate(getattr(split, name), start=1)
    ]


def split_csv(split: Split, dataset: Dataset) -> str:
    """CSV of a split, one row an image.

    `file` is relative to the prepared folder; `position` is that of the row in the manifest and of the image in the
    array of an array set, from 0; `shot` is the number of a labelled anomaly in the draw, from 1.
    """
    return _csv(exported_images(split, dataset))


def write_tree(split: Split, dataset: Dataset, folder: Path, *, symbolic: bool = False, masks: bool = False) -> None:
    """Write a split as folders of images, on which code for MVTec AD trains and tests on the very same images.

    They are copies, so that nothing that is done to them reaches the release, or symbolic links, which anomalib passes
    over.

    `DATASET/train/good`, `DATASET/test/good` and `DATASET/test/CLASS` hold the images that count as such. The labelled
    anomalies lie beside, in `labelled-anomalies/CLASS`, since loaders take all of `train` for normal.
    `split.csv` says which file is which id, `split.json` how the split was drawn. Images of an array set become PNG.
    Names end in `.png` whatever the content, for loaders that look at nothing else; they are made of the id alone.
    `masks` adds `DATASET/ground_truth/CLASS/NAME_mask.png`, white all over: anomalib asks for a file there, although
    this project knows no place of a defect.

    Raises:
        DataError: the folder is not empty or cannot be written, or an image is gone.
    """
    with new_folder(folder) as building:
        listed = exported_images(split, dataset)
        files = _write_images(listed, dataset, building, _link if symbolic else shutil.copyfile)
        if masks:
            _write_masks(listed, files, building)
        (building / "split.csv").write_text(_csv(listed, files), encoding="utf-8", newline="")
        (building / "split.json").write_text(_definition(split), encoding="utf-8")


def file_name(id_: str) -> str:
    """The name of an exported image: what is readable of its id, and twelve digits of the id's SHA-256.

    No two ids share a name, on file systems that ignore case neither.
    """
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", id_.removesuffix(_SUFFIX))[:_LONGEST].lstrip("._-")
    return f"{readable or 'image'}-{hashlib.sha256(id_.encode()).hexdigest()[:12]}{_SUFFIX}"


def _write_images(
    images: Sequence[ExportedImage], dataset: Dataset, folder: Path, put: Callable[[str, Path], object]
) -> list[str]:
    """Write every image, by `put` where it has a file of its own. Returns their paths, relative to `folder`."""
    from protocols.datasets.manifest import ARRAY_FILE
    from protocols.images import decode

    reader = decode.ImageReader(dataset)
    files = [str(PurePosixPath(*_folder(image, dataset.name), file_name(image.row.id))) for image in images]
    for image, file in zip(images, files, strict=True):
        target, source = folder / file, dataset.path(image.row)
        target.parent.mkdir(parents=True, exist_ok=True)
        if image.row.file == ARRAY_FILE:
            reader.load(image.row).save(target)
        elif source.is_file():
            put(os.path.realpath(source), target)
        else:
            raise DataError(f"{source} is gone: see 'bench data verify {dataset.name}'")
    return files


def _link(source: str, target: Path) -> None:
    target.symlink_to(source)


def _folder(image: ExportedImage, dataset: str) -> tuple[str, ...]:
    if image.list.endswith("normal"):
        return dataset, image.side, GOOD
    label = _class(image.row.label)
    return (LABELLED, label) if image.side == "train" else (dataset, "test", label)


def _class(label: str) -> str:
    return label if _PLAIN.fullmatch(label) and label != GOOD else file_name(label).removesuffix(_SUFFIX)


def _write_masks(images: Sequence[ExportedImage], files: Sequence[str], folder: Path) -> None:
    from PIL import Image

    for image, file in zip(images, files, strict=True):
        if image.list == "test_anomaly":
            dataset, _, label, name = PurePosixPath(file).parts
            target = folder / dataset / "ground_truth" / label / f"{name.removesuffix(_SUFFIX)}_mask{_SUFFIX}"
            target.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (image.row.width, image.row.height), 255).save(target)


def _csv(images: Sequence[ExportedImage], files: Sequence[str] | None = None) -> str:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow([*EXPORT_COLUMNS, *(["path"] if files else [])])
    for number, image in enumerate(images):
        row, shot = image.row, "" if image.shot is None else image.shot
        cells = [row.id, row.file, image.position, row.label, image.side, image.list, shot]
        writer.writerow([csv_cell(str(cell)) for cell in [*cells, *([files[number]] if files else [])]])
    return written.getvalue()


def _definition(split: Split) -> str:
    lists = set(split.fingerprints)
    stated = {name: value for name, value in structs.asdict(split).items() if name not in {*lists, "source_dataset"}}
    stated |= {"options": dict(split.options), "fingerprint": split.fingerprint}
    return json.dumps(stated, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to write into, which takes the place of `folder` when the block ends well; else nothing is left of it.

    Raises:
        DataError: `folder` is there and not empty, or it cannot be written.
    """
    target = folder.resolve()
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise DataError(f"{folder} is not empty: give a new or an empty folder")
    building = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        building.mkdir()
        yield building
        building.rename(target)
    except OSError as error:
        raise DataError(f"cannot write {folder} ({error.strerror}): choose another place") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
