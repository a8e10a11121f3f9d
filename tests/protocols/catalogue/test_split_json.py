"""A split in the form of ArcAD's JSON: its loader's reading of it gives the split's own lists."""

import json
from pathlib import Path
from typing import Any

from array_sets import array_set
from pictures import noise

from protocols.catalogue.split_json import split_json
from protocols.datasets.manifest import Dataset
from protocols.splits.split import Split, draw


def read(split: Split, dataset: Dataset) -> dict[str, Any]:
    """The JSON with the keys of the form checked: a loader finds no other name there."""
    read_back = json.loads(split_json(split, dataset))
    assert set(read_back) == {"meta", "labeled", "test"}
    for entry in (*read_back["labeled"], *read_back["test"]):
        assert {"image", "mask", "label", "anomaly_class"} <= set(entry)
    return read_back


def test_a_loader_of_that_form_finds_the_lists_and_files_of_the_split(carpet: Dataset) -> None:
    split = draw(carpet, "general", split_seed=1, shots=10)
    found = read(split, carpet)
    assert {name: found["meta"][name] for name in ("dataset", "category", "num_labeled", "num_test")} == {
        "dataset": "mvtec_ad",
        "category": "carpet",
        "num_labeled": 14,
        "num_test": 9,
    }
    for side, key in (("train", "labeled"), ("test", "test")):
        for kind, label in (("normal", 0), ("anomaly", 1)):
            entries = [entry for entry in found[key] if entry["label"] == label]
            assert tuple(entry["id"] for entry in entries) == getattr(split, f"{side}_{kind}")
            for entry in entries:
                assert (carpet.folder.parent / entry["image"]).samefile(carpet.path(carpet.row(entry["id"])))


def test_classes_and_masks_of_mvtec_ad_are_named_as_in_its_release(carpet: Dataset) -> None:
    found = read(draw(carpet, "hard", split_seed=0, known_class="cut", shots=1), carpet)
    metal = next(entry for entry in found["test"] if entry["anomaly_class"] == "metal_contamination")
    assert metal["mask"] == f"carpet/ground_truth/metal_contamination/{Path(metal['image']).stem}_mask.png"
    assert metal["image"] == f"carpet/test/metal_contamination/{Path(metal['image']).name}"
    assert carpet.row(metal["id"]).label == "metal"
    normals = [entry for entry in (*found["labeled"], *found["test"]) if not entry["label"]]
    assert {(entry["mask"], entry["anomaly_class"]) for entry in normals} == {("", "good")}


def test_what_draws_the_split_again_stands_beside_the_lists(carpet: Dataset) -> None:
    split = draw(carpet, "hard", split_seed=2, known_class="cut", shots=3, options={"one_shot_test": "own"})
    stated = read(split, carpet)["meta"]["split"]
    assert (stated["protocol"], stated["known_class"], stated["shots"], stated["seed"]) == ("hard", "cut", 3, 2)
    assert stated["options"] == {"one_shot_test": "own"}
    assert (stated["dataset_fingerprint"], stated["fingerprint"]) == (carpet.fingerprint, split.fingerprint)
    assert stated["fingerprints"] == split.fingerprints


def test_an_unlabelled_anomaly_counts_as_the_normal_that_it_is_taken_for(carpet: Dataset) -> None:
    split = draw(carpet, "general", split_seed=0, shots=1, options={"contamination": 0.3})
    found = read(split, carpet)
    normals = [entry for entry in found["labeled"] if not entry["label"]]
    assert tuple(entry["id"] for entry in normals) == split.train_normal
    assert any(carpet.row(entry["id"]).label != "normal" for entry in normals)
    assert {(entry["mask"], entry["anomaly_class"]) for entry in normals} == {("", "good")}


def test_an_image_of_an_array_is_told_by_its_position(tmp_path: Path) -> None:
    classes = array_set(tmp_path / "toyset", noise(0, 40, 5, 4, 1))
    split = draw(classes, "one_class", split_seed=0, normal_class="1")
    found = read(split, classes)
    assert (found["meta"]["dataset"], found["meta"]["category"]) == ("toyset", "toyset")
    for entry in (*found["labeled"], *found["test"]):
        assert (entry["image"], entry["mask"]) == ("toyset/images.npy", "")
        assert classes.rows[entry["position"]].id == entry["id"]
    assert {entry["anomaly_class"] for entry in found["test"] if entry["label"]} == {"0"}
