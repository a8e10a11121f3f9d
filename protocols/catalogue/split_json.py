"""Splits as JSON in the form that ArcAD (ECCV 2026) publishes its own in, and that its users' loaders read.

Source of the form: the README of github.com/LGC-AD/ArcAD at 9d03ae9, section "Split JSON format". Keys beyond it (`id`,
`position`, `meta.split`) say what the form has no place for; loaders pass over them.
"""

import json
from pathlib import PurePosixPath
from typing import Any

from protocols.catalogue.export import ExportedImage, exported_images
from protocols.datasets.manifest import ARRAY_FILE, Dataset
from protocols.datasets.naming import base_id
from protocols.datasets.registry import dataset_info
from protocols.release.mvtec_layout import GOOD
from protocols.splits.split import Split, split_statement

_MVTEC = "mvtec_ad"


def split_json(split: Split, dataset: Dataset) -> str:
    """JSON of a split: `meta`, the lists `labeled` (training) and `test`, each normals first, one object an image.

    `image` is relative to the data folder, and of a category of MVTec AD to the release too; of an array set it is the
    one file, and `position` the image in it, from 0. `label` is 0 or 1, `anomaly_class` is `good` for what counts as
    normal. `mask` is the release's file for categories of MVTec AD, else empty: no other place of a defect is known.
    Labelled anomalies are in the order of the draw. `meta.split` is the split's definition with its fingerprints.
    """
    info = dataset_info(dataset.name)
    family = info.family if info else ""
    images: dict[str, list[dict[str, Any]]] = {"train": [], "test": []}
    for image in exported_images(split, dataset):
        images[image.side].append(_entry(image, dataset.name, is_mvtec=family == _MVTEC))
    meta = {
        "dataset": family or base_id(dataset.name),
        "category": dataset.name,
        "num_labeled": len(images["train"]),
        "num_test": len(images["test"]),
        "split": split_statement(split),
    }
    whole = {"meta": meta, "labeled": images["train"], "test": images["test"]}
    return json.dumps(whole, indent=1) + "\n"


def _entry(image: ExportedImage, dataset: str, *, is_mvtec: bool) -> dict[str, Any]:
    row, is_normal = image.row, image.list.endswith("normal")
    release_path = PurePosixPath(row.id)
    entry = {
        "image": f"{dataset}/{row.file}",
        "mask": _mvtec_mask(dataset, release_path) if is_mvtec and not is_normal else "",
        "label": 0 if is_normal else 1,
        "anomaly_class": GOOD if is_normal else release_path.parent.name if is_mvtec else row.label,
        "id": row.id,
    }
    return entry | ({"position": image.position} if row.file == ARRAY_FILE else {})


def _mvtec_mask(dataset: str, image: PurePosixPath) -> str:
    """Path of the mask in the release: `carpet/ground_truth/cut/000_mask.png` of `test/cut/000.png`."""
    return f"{base_id(dataset)}/ground_truth/{image.parent.name}/{image.stem}_mask.png"
