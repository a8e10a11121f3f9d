"""MVTec AD: fifteen categories of textures and objects, used as they are (spec 10.1)."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from protocols.building import Building
from protocols.datasets import DatasetInfo, Published
from protocols.errors import DataError
from protocols.manifest import Row
from protocols.naming import NORMAL, base_id, canonical_id

if TYPE_CHECKING:
    from protocols.raw import RawImage

FAMILY = "mvtec_ad"

CLASS_FOLDERS = {
    "carpet": ("color", "cut", "hole", "metal_contamination", "thread"),
    "grid": ("bent", "broken", "glue", "metal_contamination", "thread"),
    "leather": ("color", "cut", "fold", "glue", "poke"),
    "tile": ("crack", "glue_strip", "gray_stroke", "oil", "rough"),
    "wood": ("color", "combined", "hole", "liquid", "scratch"),
    "bottle": ("broken_large", "broken_small", "contamination"),
    "capsule": ("crack", "faulty_imprint", "poke", "scratch", "squeeze"),
    "pill": ("color", "combined", "contamination", "crack", "faulty_imprint", "pill_type", "scratch"),
    "transistor": ("bent_lead", "cut_lead", "damaged_case", "misplaced"),
    "zipper": (
        "broken_teeth",
        "combined",
        "fabric_border",
        "fabric_interior",
        "rough",
        "split_teeth",
        "squeezed_teeth",
    ),
    "cable": (
        "bent_wire",
        "cable_swap",
        "combined",
        "cut_inner_insulation",
        "cut_outer_insulation",
        "missing_cable",
        "missing_wire",
        "poke_insulation",
    ),
    "hazelnut": ("crack", "cut", "hole", "print"),
    "metal_nut": ("bent", "color", "flip", "scratch"),
    "screw": ("manipulated_front", "scratch_head", "scratch_neck", "thread_side", "thread_top"),
    "toothbrush": ("defective",),
}
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

    Raises:
        DataError: the category or a class of it is missing, an anomaly has no mask or a mask no image, or the layout is
            another.
    """
    from protocols import mvtec_layout

    category = base_id(building.name)
    root = _root(building.source, category)
    images = mvtec_layout.scan(root, _ALIASES.get(category, {}))
    _check_classes(root, category, images)
    _check_masks(root, category, images, building.source)
    rows = building.unchanged(images)
    _notify_counts(building, category, rows)
    return rows


def _root(release: Path, category: str) -> Path:
    from protocols.layouts import find_root

    there = _named(release, category)
    root = find_root(there or release, "train", "test")
    if there is None and root.name.lower() != category:
        others = [other for other in _PUBLISHED if other == root.name.lower() or _named(release, other)]
        if others:
            raise DataError(f"{release} holds {', '.join(others)} but no {category}: give the folder of {category}")
    return root


def _named(release: Path, category: str) -> Path | None:
    from protocols.layouts import named

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
    from protocols.layouts import entry, files, folders

    masks = entry(root, "ground_truth")
    for folder in folders(masks):
        if folder.name not in CLASS_FOLDERS[category]:
            raise DataError(f"{folder} holds masks of no class of {category}: get the release again")
    for name in CLASS_FOLDERS[category]:
        anomalies = {f"{_stem(image.id)}_mask": image.path for image in images if image.id.startswith(f"test/{name}/")}
        found = {_stem(canonical_id(path.name)): path for path in files(entry(masks, name), root=release)}
        for mask, path in anomalies.items():
            if mask not in found:
                raise DataError(f"{path} has no mask in {masks / name}: get the release again")
        for mask, path in found.items():
            if mask not in anomalies:
                raise DataError(f"{path} is the mask of no image in {root / 'test' / name}: get the release again")


def _stem(name: str) -> str:
    return PurePosixPath(name).stem


def _notify_counts(building: Building, category: str, rows: Iterable[Row]) -> None:
    published = _PUBLISHED[category]
    expected = {
        "training normals": (published.train_normal, sum(row.label == NORMAL and row.split == "train" for row in rows)),
        "test normals": (published.test_normal, sum(row.label == NORMAL and row.split == "test" for row in rows)),
        "anomalies": (published.anomalies, sum(row.label != NORMAL for row in rows)),
    }
    for what, (released, found) in expected.items():
        if found != released:
            building.notify(f"{category}: {found} {what}, where the release has {released}")


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
        prepare=prepare,
    )
    for category, published in _PUBLISHED.items()
}
