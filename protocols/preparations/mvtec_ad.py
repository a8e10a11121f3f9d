"""MVTec AD: fifteen categories of textures and objects, used as they are (spec 10.1)."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from protocols.datasets.info import DatasetInfo, KnownRelease, Published
from protocols.datasets.manifest import Row
from protocols.datasets.naming import NORMAL, base_id, canonical_id
from protocols.errors import DataError
from protocols.release.builder import Building

if TYPE_CHECKING:
    from protocols.release.image_files import RawImage

FAMILY = "mvtec_ad"

CLASS_FOLDERS = {
    "carpet": {"color": 19, "cut": 17, "hole": 17, "metal_contamination": 17, "thread": 19},
    "grid": {"bent": 12, "broken": 12, "glue": 11, "metal_contamination": 11, "thread": 11},
    "leather": {"color": 19, "cut": 19, "fold": 17, "glue": 19, "poke": 18},
    "tile": {"crack": 17, "glue_strip": 18, "gray_stroke": 16, "oil": 18, "rough": 15},
    "wood": {"color": 8, "combined": 11, "hole": 10, "liquid": 10, "scratch": 21},
    "bottle": {"broken_large": 20, "broken_small": 22, "contamination": 21},
    "capsule": {"crack": 23, "faulty_imprint": 22, "poke": 21, "scratch": 23, "squeeze": 20},
    "pill": {
        "color": 25,
        "combined": 17,
        "contamination": 21,
        "crack": 26,
        "faulty_imprint": 19,
        "pill_type": 9,
        "scratch": 24,
    },
    "transistor": {"bent_lead": 10, "cut_lead": 10, "damaged_case": 10, "misplaced": 10},
    "zipper": {
        "broken_teeth": 19,
        "combined": 16,
        "fabric_border": 17,
        "fabric_interior": 16,
        "rough": 17,
        "split_teeth": 18,
        "squeezed_teeth": 16,
    },
    "cable": {
        "bent_wire": 13,
        "cable_swap": 12,
        "combined": 11,
        "cut_inner_insulation": 14,
        "cut_outer_insulation": 10,
        "missing_cable": 12,
        "missing_wire": 10,
        "poke_insulation": 10,
    },
    "hazelnut": {"crack": 18, "cut": 17, "hole": 18, "print": 17},
    "metal_nut": {"bent": 25, "color": 22, "flip": 23, "scratch": 23},
    "screw": {"manipulated_front": 24, "scratch_head": 24, "scratch_neck": 25, "thread_side": 23, "thread_top": 23},
    "toothbrush": {"defective": 30},
}
"""The images in each class's folder; their sums are those of Table 5."""

_SIDES = {"bottle": 900, "capsule": 1000, "metal_nut": 700, "pill": 800, "tile": 840}
_SIDE = 1024
_GREY = ("grid", "screw", "zipper")
_KNOWN_CLASSES = {
    "carpet": ("color", "cut", "hole", "metal", "thread"),
    "metal_nut": ("bent", "color", "flip", "scratch"),
}
_ALIASES = {"carpet": {"metal_contamination": "metal"}, "toothbrush": {"defective": "defect"}}
_PUBLISHED = {
    "carpet": Published(280, 28, 89, 5),
    "grid": Published(264, 21, 57, 5),
    "leather": Published(245, 32, 92, 5),
    "tile": Published(230, 33, 84, 5),
    "wood": Published(247, 19, 60, 5),
    "bottle": Published(209, 20, 63, 3),
    "capsule": Published(219, 23, 109, 5),
    "pill": Published(267, 26, 141, 7),
    "transistor": Published(213, 60, 40, 4),
    "zipper": Published(240, 32, 119, 7),
    "cable": Published(224, 58, 92, 8),
    "hazelnut": Published(391, 40, 70, 4),
    "metal_nut": Published(220, 22, 93, 4),
    "screw": Published(320, 41, 119, 5),
    "toothbrush": Published(60, 12, 30, 1),
}


def prepare(building: Building) -> list[Row]:
    """Link the images of one category; the source is its folder, or one that holds it beside others.

    Folders may be in any case and are in lower case in ids, as in the release.

    Raises:
        DataError: the category or a class of it is missing, an anomaly has no mask or a mask no image, or the layout is
            another.
    """
    from protocols.release import mvtec_layout

    category = base_id(building.name)
    root = _root(building.source, category)
    scanned = mvtec_layout.scan(root, _ALIASES.get(category, {}), inside=True, notify=building.notify)
    images = [replace(image, id=_in_lower_folders(image.id)) for image in scanned]
    _check_classes(root, category, images)
    _check_masks(root, category, images, building.source)
    return building.unchanged(images)


def _root(release: Path, category: str) -> Path:
    from protocols.release.release_files import find_root

    there = _named(release, category)
    root = find_root(there or release, "train", "test")
    if there is None and root.name.lower() != category:
        others = [other for other in _PUBLISHED if other == root.name.lower() or _named(release, other)]
        if others:
            raise DataError(f"{release} holds {', '.join(others)} but no {category}: give the folder of {category}")
    return root


def _named(release: Path, category: str) -> Path | None:
    from protocols.release.release_files import named

    try:
        return named(release, category)
    except DataError:
        return None


def _check_classes(root: Path, category: str, images: "Iterable[RawImage]") -> None:
    wanted = {f"test/{folder}" for folder in CLASS_FOLDERS[category]}
    found = {image.id.rpartition("/")[0] for image in images if image.label != NORMAL}
    for folder in sorted(wanted - found):
        raise DataError(f"{root} has no {folder}: get the whole release")
    for folder in sorted(found - wanted):
        raise DataError(f"{root / folder} is no class of {category}: move it away, or adopt {root} under another name")


def _check_masks(root: Path, category: str, images: "Iterable[RawImage]", release: Path) -> None:
    from protocols.release.release_files import entry, files, folders

    masks = entry(root, "ground_truth")
    for folder in folders(masks):
        if folder.name.lower() not in CLASS_FOLDERS[category]:
            raise DataError(f"{folder} holds masks of no class of {category}: get the release again")
    for name in CLASS_FOLDERS[category]:
        anomalies = {f"{_stem(image.id)}_mask": image.path for image in images if image.id.startswith(f"test/{name}/")}
        found = {_stem(canonical_id(path.name).lower()): path for path in files(entry(masks, name), root=release)}
        for mask, path in anomalies.items():
            if mask not in found:
                raise DataError(f"{path} has no mask in {masks / name}: get the release again")
        for mask, path in found.items():
            if mask not in anomalies:
                raise DataError(f"{path} is the mask of no image in {root / 'test' / name}: get the release again")


def _in_lower_folders(id_: str) -> str:
    folder, _, name = id_.rpartition("/")
    return f"{folder.lower()}/{name}"


def _stem(name: str) -> str:
    return PurePosixPath(name).stem


def _release(category: str) -> KnownRelease:
    published, aliases, side = _PUBLISHED[category], _ALIASES.get(category, {}), _SIDES.get(category, _SIDE)
    anomalies = {f"test/{aliases.get(name, name)}": count for name, count in CLASS_FOLDERS[category].items()}
    return KnownRelease(
        {"train/normal": published.train_normal, "test/normal": published.test_normal, **anomalies},
        sides=(side, side),
        channels=1 if category in _GREY else 3,
        form="PNG",
    )


DATASETS = {
    category: DatasetInfo(
        id=category,
        title=f"MVTec AD {category.replace('_', ' ')}",
        kind="industrial",
        image_size=448,
        published=published,
        known_classes=_KNOWN_CLASSES.get(category, ()),
        licence="CC BY-NC-SA 4.0",
        citation=(
            "Bergmann et al., MVTec AD: A comprehensive real-world dataset for unsupervised anomaly detection, "
            "CVPR 2019"
        ),
        source="https://www.mvtec.com/company/research/datasets/mvtec-ad",
        family=FAMILY,
        size="4.9 GB with all categories",
        label_aliases=_ALIASES.get(category, {}),
        releases={"": (_release(category),)},
        prepare=prepare,
    )
    for category, published in _PUBLISHED.items()
}
