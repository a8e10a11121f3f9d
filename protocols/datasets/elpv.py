"""ELPV: electroluminescence images of solar cells, embedded in the package `elpv-dataset` (spec 10.4)."""

import importlib.util
from pathlib import Path

from protocols.building import Building
from protocols.datasets import DatasetInfo, KnownRelease, Published
from protocols.errors import DataError
from protocols.manifest import Row
from protocols.naming import NORMAL

_PACKAGE = "elpv_dataset"


def prepare(building: Building) -> list[Row]:
    """Link the images that are surely normal or surely defective; those of probability 1/3 and 2/3 are left out.

    The release is a folder with `labels.csv` and `images`; None: the one that the installed package holds.
    """
    from protocols.raw import RawImage

    release = building.release or _package_data()
    images = []
    for path, probability, cell in _labels(release / "labels.csv"):
        if probability == 0:
            images.append(RawImage(path, release / path, NORMAL))
        elif probability == 1:
            images.append(RawImage(path, release / path, cell))
    return building.unchanged(images, verify=False)


def _labels(path: Path) -> list[tuple[str, float, str]]:
    try:
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        return [(image, float(probability), cell) for image, probability, cell in lines]
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path} ({error}): install elpv-dataset again") from error


def _package_data() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise DataError("elpv needs the package elpv-dataset: pip install 'swanbench[elpv]'")
    return Path(spec.submodule_search_locations[0]) / "data"


DATASETS = {
    "elpv": DatasetInfo(
        id="elpv",
        title="ELPV solar cells",
        kind="industrial",
        image_size=224,
        published=Published(1131, 377, 715, 2),
        known_classes=("mono", "poly"),
        licence="images CC BY-NC-SA 4.0",
        citation=(
            "Deitsch et al., Automatic classification of defective photovoltaic module cells in electroluminescence "
            "images, Solar Energy 2019"
        ),
        source="the package elpv-dataset: pip install 'swanbench[elpv]'",
        releases={
            "": (
                KnownRelease(
                    {"normal": 1508, "mono": 313, "poly": 402},
                    sides=(300, 300),
                    channels=1,
                    form="PNG",
                    fingerprint="c23f7c18e423d7ae25659a8dab83cce903cfb9ae8015b31a57e2ffefd6253f47",
                ),
            )
        },
        label_order=str,
        embedded=True,
        prepare=prepare,
    )
}
