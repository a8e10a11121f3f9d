"""SDD: the first Kolektor Surface-Defect Dataset, each photograph cut into three parts (spec 10.3)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from protocols.datasets.manifest import Row
from protocols.datasets.naming import NORMAL
from protocols.errors import DataError
from protocols.release.builder import DatasetBuilder, ImagePiece

_OBJECTS = tuple(f"kos{number:02d}" for number in range(1, 51))
_PHOTOGRAPHS = 399
_STEM = re.compile(r"part(\d+)(_label)?", re.IGNORECASE)
_TRAIN_NORMALS = 594


@dataclass(frozen=True)
class _Photograph:
    """An image, its label image, and `kos01/Part5`, which names both."""

    group: str
    image: Path
    label: Path

    def id(self, third: int) -> str:
        return f"{self.group.replace('/', '_')}_{third}.png"


@dataclass(frozen=True)
class _Label:
    """The size of a label image, and the label of each third of it."""

    height: int
    width: int
    thirds: tuple[str, ...]


def prepare(builder: DatasetBuilder) -> list[Row]:
    """Cut each photograph at floor(H / 3) and floor(2 H / 3); a third is a defect where its label has a pixel that is
    not black.

    The variant `594` keeps, of the training normals which the seedless draw gives, the first 594 by rank; its manifest
    fixes the split (D29).

    Raises:
        DataError: an object is missing, an image has no label or a label no image, or their sizes differ.
    """
    from protocols.images import decode
    from protocols.io.parallel import parallel

    photographs = {photograph.image: photograph for photograph in _photographs(builder.source)}
    if len(photographs) != _PHOTOGRAPHS:
        builder.notify(f"sdd: {len(photographs)} photographs, where the release has {_PHOTOGRAPHS}")
    with decode.quiet_decoding():
        read = parallel(_read_label, photographs.values(), builder.jobs)
        labels = dict(zip(photographs, read, strict=True))
    splits = _splits({photographs[path]: label for path, label in labels.items()}, builder.variant)
    return builder.pieces(list(photographs), lambda path: _cut(photographs[path], labels[path], splits))


def _photographs(release: Path) -> list[_Photograph]:
    from protocols.release.release_files import find_entry, find_root

    root = find_root(release, _OBJECTS[0])
    return [photograph for name in _OBJECTS for photograph in _object(name, find_entry(root, name), release)]


def _object(name: str, folder: Path, release: Path) -> list[_Photograph]:
    from protocols.release.release_files import list_files

    images: dict[int, Path] = {}
    labels: dict[int, Path] = {}
    for path in list_files(folder, root=release):
        match = _STEM.fullmatch(path.stem)
        if match is None:
            raise DataError(f"{path} is named neither PartN nor PartN_label: move it away")
        kind = labels if match[2] else images
        if kind.setdefault(int(match[1]), path) != path:
            raise DataError(f"{kind[int(match[1])]} and {path} are the same part: remove one of them")
    for part in sorted(images.keys() ^ labels.keys()):
        path, missing = (images[part], "label") if part in images else (labels[part], "image")
        raise DataError(f"{path} has no {missing} beside it: get the release again")
    return [_Photograph(f"{name}/Part{part}", images[part], labels[part]) for part in sorted(images)]


def _read_label(photograph: _Photograph) -> _Label:
    from protocols.release.image_files import read_pixels

    label = read_pixels(photograph.label)
    height, width, _ = label.shape
    thirds = tuple("defect" if label[rows].any() else NORMAL for rows in _thirds(height))
    return _Label(height, width, thirds)


def _thirds(height: int) -> list[slice]:
    first, second = height // 3, 2 * height // 3
    return [slice(0, first), slice(first, second), slice(second, height)]


def _splits(labels: Mapping[_Photograph, _Label], variant: str) -> dict[str, str]:
    """The split of each image of the dataset by id, empty where the rule draws it."""
    from protocols.splits.draw.ranking import ranked_ids

    normals = list(_ids(labels, NORMAL))
    defects = list(_ids(labels, "defect"))
    if variant != "594":
        return dict.fromkeys(normals + defects, "")
    order = ranked_ids("sdd", NORMAL, "", normals)
    n_train = 3 * len(order) // 4
    test = dict.fromkeys(order[n_train:] + defects, "test")
    return test | dict.fromkeys(order[: min(n_train, _TRAIN_NORMALS)], "train")


def _ids(labels: Mapping[_Photograph, _Label], label: str) -> Iterable[str]:
    for photograph, label_image in labels.items():
        yield from (photograph.id(third) for third, name in enumerate(label_image.thirds) if name == label)


def _cut(photograph: _Photograph, label: _Label, splits: Mapping[str, str]) -> list[ImagePiece]:
    from protocols.release.image_files import read_pixels

    image = read_pixels(photograph.image)
    height, width, _ = image.shape
    if (height, width) != (label.height, label.width):
        raise DataError(
            f"{photograph.label} is {label.width} x {label.height}, but {photograph.image} is {width} x {height}: "
            "get the release again"
        )
    thirds = ((photograph.id(third), rows) for third, rows in enumerate(_thirds(height)))
    return [
        ImagePiece(id_, name, image[rows], splits[id_], photograph.group)
        for (id_, rows), name in zip(thirds, label.thirds, strict=True)
        if id_ in splits
    ]
