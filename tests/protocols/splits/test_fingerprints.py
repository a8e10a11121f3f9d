"""Committed fingerprints of the papers' splits, against the releases that are at hand."""

import csv
import gzip
import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from repository import ROOT, SHARED

from protocols.datasets.info import Pinned
from protocols.datasets.manifest import Dataset, Row, assemble_dataset
from protocols.datasets.registry import our_datasets
from protocols.splits import fingerprints
from protocols.splits import split as splits

RAW = SHARED / "data" / "raw"
VECTORS = json.loads((ROOT / "tests" / "protocols" / "splits" / "data" / "splits_elpv.json").read_text())
COMMITTED = {name: info.fingerprints for name, info in our_datasets().items() if info.fingerprints}

Make = Callable[..., Dataset]


def bare(name: str, images: list[tuple[str, str, str]]) -> Dataset:
    """A dataset of ids, labels and halves, as far as draws look at it; every content its own."""
    rows = [Row(id_, id_, label, half, f"{place:064x}", 1, 1, 1) for place, (id_, label, half) in enumerate(images)]
    return assemble_dataset(name, Path("nowhere"), rows)


def brain_mri() -> Dataset:
    labels = {"no": "normal", "yes": "defect"}
    folder = RAW / "BrainMRI"
    return bare(
        "brain_mri", [(f"{path.parent.name}/{path.name}", labels[path.parent.name], "") for path in folder.glob("*/*")]
    )


def head_ct() -> Dataset:
    with (RAW / "HeadCT" / "labels.csv").open() as file:
        lines = list(csv.reader(file))[1:]
    return bare(
        "head_ct", [(f"{int(number):03d}.png", "defect" if int(flag) else "normal", "") for number, flag in lines]
    )


def screw() -> Dataset:
    folder = RAW / "mvtec_anomaly_detection" / "screw"
    paths = [path for half in ("train", "test") for path in (folder / half).glob("*/*.png")]
    return bare(
        "screw",
        [
            (
                path.relative_to(folder).as_posix(),
                "normal" if path.parent.name == "good" else path.parent.name,
                path.parent.parent.name,
            )
            for path in paths
        ],
    )


def fashion_mnist() -> Dataset:
    images = []
    for half, file in (("train", "train"), ("test", "t10k")):
        data = gzip.decompress((RAW / "FashionMNIST" / "raw" / f"{file}-labels-idx1-ubyte.gz").read_bytes())[8:]
        images += [(f"{half}/{place:05d}", str(label), half) for place, label in enumerate(data)]
    return bare("fashion_mnist", images)


def at_hand(name: str) -> Dataset:
    if not RAW.exists():
        pytest.skip(f"{RAW} is not there")
    made: dict[str, Callable[[], Dataset]] = {
        "brain_mri": brain_mri,
        "head_ct": head_ct,
        "screw": screw,
        "fashion_mnist": fashion_mnist,
    }
    return made[name]()


def test_elpv_s_are_those_drawn_elsewhere_from_the_text_of_the_design() -> None:
    stated = {
        "-".join(
            str(part) for part in (s["rule"], s["known_class"], s["shots"], f"s{s['split_seed']}") if part is not None
        ): s
        for s in VECTORS["splits"]
    }
    ten_shot = {name: found for name, found in COMMITTED["elpv"].splits.items() if "-10-" in name}
    assert len(ten_shot) == 9
    for name, found in ten_shot.items():
        assert found == stated[name]["fingerprint"]
    normals = stated["general-10-s0"]
    for half in ("train", "test"):
        assert COMMITTED["elpv"].splits[f"normals-{half}"] == normals[f"{half}_normal_fingerprint"]


def test_elpv_as_installed_has_the_committed_splits(elpv: Dataset) -> None:
    assert fingerprints.fingerprint_differences(elpv, COMMITTED["elpv"]) == []
    assert fingerprints.split_fingerprints(elpv) == COMMITTED["elpv"]


@pytest.mark.parametrize("name", ["brain_mri", "head_ct", "screw"])
def test_the_releases_at_hand_have_the_committed_splits(name: str) -> None:
    assert fingerprints.split_fingerprints(at_hand(name)) == COMMITTED[name]


def test_fashion_mnist_has_the_committed_splits() -> None:
    dataset, pinned = at_hand("fashion_mnist"), COMMITTED["fashion_mnist"]
    assert fingerprints.ids_fingerprint(dataset) == pinned.ids
    assert len(pinned.splits) == 40
    one = splits.draw(dataset, "one_class", split_seed=0, normal_class="9")
    assert pinned.splits["one_class-9"] == one.fingerprint
    shared = splits.draw(dataset, "labelled_share", split_seed=2, normal_class="4", gamma="0.20")
    assert pinned.splits["labelled_share-4-0.20-s2"] == shared.fingerprint


def test_each_difference_is_one_line(make_dataset: Make) -> None:
    dataset = make_dataset({"normal": 20, "cut": 14})
    pinned = fingerprints.split_fingerprints(dataset)
    assert fingerprints.fingerprint_differences(dataset, pinned) == []
    altered = replace(pinned, splits=pinned.splits | {"general-10-s1": "0" * 64, "hard-cut-10-s0": "1" * 64})
    lines = fingerprints.fingerprint_differences(dataset, altered)
    assert lines == [
        f"toy: general-10-s1 is {pinned.splits['general-10-s1'][:16]}, the committed fingerprint is {'0' * 16}",
        "toy: hard-cut-10-s0 is committed and cannot be drawn from these classes",
    ]


def test_other_images_than_the_release_s_are_named_first(make_dataset: Make) -> None:
    pinned = fingerprints.split_fingerprints(make_dataset({"normal": 20, "cut": 14}))
    lines = fingerprints.fingerprint_differences(make_dataset({"normal": 20, "cut": 10}), pinned)
    assert lines[0] == "toy: by id, label and half its 30 images are not the 34 of the release"
    assert any("general-10-s0 is committed and cannot be drawn (toy has 10 anomalies" in line for line in lines)
    assert not [line for line in lines if "normals-" in line]


def test_the_text_is_the_end_of_the_facts_of_one_dataset() -> None:
    facts = ROOT / "protocols" / "datasets" / "facts"
    for name in ("elpv", "brain_mri", "head_ct"):
        text = fingerprints.fingerprints_text({name: COMMITTED[name]})
        assert (facts / f"{name}.toml").read_text(encoding="utf-8").endswith(f"\n{text}")


def test_the_text_of_several_has_the_tables_of_a_file_of_several() -> None:
    assert set(COMMITTED) == {"brain_mri", "elpv", "fashion_mnist", "head_ct", "screw"}
    tables = tomllib.loads(fingerprints.fingerprints_text(COMMITTED))["datasets"]
    found = {name: msgspec.convert(table["fingerprints"], Pinned) for name, table in tables.items()}
    assert found == COMMITTED


def test_a_variant_has_no_committed_fingerprints() -> None:
    assert fingerprints.pinned_fingerprints("brain_mri") == COMMITTED["brain_mri"]
    assert fingerprints.pinned_fingerprints("brain_mri@released_loader") is None
    assert fingerprints.pinned_fingerprints("nothing_known") is None
