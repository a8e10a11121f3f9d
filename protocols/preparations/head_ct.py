"""HeadCT: computed tomography of the head with and without a hemorrhage (spec 10.8)."""

import csv
from pathlib import Path

from protocols.datasets.manifest import Row
from protocols.datasets.naming import NORMAL
from protocols.errors import DataError
from protocols.release.builder import DatasetBuilder

_LABELS = "labels.csv"
_CLASSES = {"0": NORMAL, "1": "defect"}


def prepare(builder: DatasetBuilder) -> list[Row]:
    """Link the images `NNN.png` that `labels.csv` lists; both must name the same images.

    Raises:
        DataError: a row without its image, an image without its row, or a label file that cannot be read.
    """
    from protocols.release.image_files import SourceImage
    from protocols.release.release_files import find_label_file, find_root

    root = find_root(builder.source, _LABELS)
    labels_file = find_label_file(root, _LABELS, builder.source)
    labels = _labels(labels_file)
    paths = _images(root, builder.source, next(iter(labels)))
    missing = [name for name in labels if name not in paths]
    if missing:
        raise DataError(f"{labels_file} lists {missing[0]}, which is not there: get the release again")
    extra = [path for name, path in paths.items() if name not in labels]
    if extra:
        raise DataError(f"{extra[0]} has no row in {labels_file}: move it away or get the release again")
    return builder.unchanged(SourceImage(name, paths[name], label) for name, label in labels.items())


def _labels(path: Path) -> dict[str, str]:
    """The class of each image by its name; the file's rows are a number and 0 or 1 after a header line."""
    labels: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, skipinitialspace=True)
            next(rows, None)
            for row in filter(None, rows):
                number, label = row
                name = f"{int(number):03d}.png"
                if labels.setdefault(name, _CLASSES[label.strip()]) != _CLASSES[label.strip()]:
                    raise DataError(f"{path} lists {name} as both classes: get the release again")
    except (OSError, csv.Error, KeyError, ValueError) as error:
        raise DataError(f"cannot read {path} ({error}): get the release again") from error
    if not labels:
        raise DataError(f"{path} lists no image: get the release again")
    return labels


def _images(root: Path, release: Path, first: str) -> dict[str, Path]:
    """The images by the name that the label file's rows give, in whatever case their endings are."""
    from protocols.release.release_files import find_root, list_files

    paths: dict[str, Path] = {}
    for path in list_files(find_root(root, first), root=release):
        name = path.name.lower()
        if paths.setdefault(name, path) != path:
            raise DataError(f"{paths[name]} and {path} differ in case only: remove one of them")
    return paths
