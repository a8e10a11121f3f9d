"""ELPV: electroluminescence images of solar cells, embedded in the package `elpv-dataset` (spec 10.4)."""

import importlib.util
import re
from pathlib import Path

from protocols.datasets.manifest import Row
from protocols.datasets.naming import NORMAL, canonical_id
from protocols.errors import DataError
from protocols.release.builder import DatasetBuilder

_PACKAGE = "elpv_dataset"
_LABELS, _IMAGES = "labels.csv", "images"
_CELLS = ("mono", "poly")
_NAME = re.compile(rf"{_IMAGES}/[^/]+")
_ROUNDED = 0.01
_AGAIN = "get the release again, or install elpv-dataset again"


def prepare(builder: DatasetBuilder) -> list[Row]:
    """Link the images that are surely normal or surely defective; those of probability 1/3 and 2/3 are left out.

    The release is a folder with `labels.csv` and `images`, which must name the same images; None: the one that the
    installed package holds, whose files an installer may have linked to its own store.

    Raises:
        DataError: a line without its image, an image without its line, or a line that is damaged or not the release's.
    """
    from protocols.release.image_files import SourceImage
    from protocols.release.release_files import find_entry, find_label_file, find_root, list_files

    release, inside = (builder.release,) * 2 if builder.release else (_package_data(), Path("/"))
    root = find_root(release, _LABELS, _IMAGES)
    listing = find_label_file(root, _LABELS, inside)
    labels = _labels(listing)
    paths = {f"{_IMAGES}/{path.name}": path for path in list_files(find_entry(root, _IMAGES), root=inside)}
    for name in sorted(labels.keys() - paths.keys()):
        raise DataError(f"{listing} lists {name}, which is not in {root}: {_AGAIN}")
    for name in sorted(paths.keys() - labels.keys()):
        raise DataError(f"{paths[name]} has no line in {listing}: move it away or get the release again")
    images = [SourceImage(canonical_id(name), paths[name], label) for name, label in labels.items() if label]
    return builder.unchanged(images, verify=builder.release is not None)


def _labels(path: Path) -> dict[str, str | None]:
    """The class of each image, None where it is not sure; the file's lines are an image, a probability and a cell."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path} ({error}): {_AGAIN}") from error
    labels: dict[str, str | None] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip():
            name, label = _labelled(line, f"{path} line {number}")
            if name in labels:
                raise DataError(f"{path} line {number} lists {name} a second time: {_AGAIN}")
            labels[name] = label
    if not labels:
        raise DataError(f"{path} lists no image: {_AGAIN}")
    return labels


def _labelled(line: str, position: str) -> tuple[str, str | None]:
    try:
        name, text, cell = line.split()
        thirds = 3 * float(text)
    except ValueError as error:
        raise DataError(f"cannot read {position} ({error}): {_AGAIN}") from error
    if not _NAME.fullmatch(name):
        raise DataError(f"{position} lists {name!r}, which is not in the folder {_IMAGES}: {_AGAIN}")
    if cell not in _CELLS:
        raise DataError(f"{position} has the class {cell!r} for {name}, not {' or '.join(_CELLS)}: {_AGAIN}")
    if not any(abs(thirds - number) < _ROUNDED for number in range(4)):
        raise DataError(f"{position} has the probability {text!r} for {name}, not 0, 1/3, 2/3 or 1: {_AGAIN}")
    return name, {0: NORMAL, 3: cell}.get(round(thirds))


def _package_data() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise DataError("elpv needs the package elpv-dataset: pip install 'swanbench[elpv]'")
    return Path(spec.submodule_search_locations[0]) / "data"
