import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from preparing import prepared, raw

from protocols.catalogue import recognition, verify
from protocols.datasets.manifest import Dataset
from protocols.datasets.registry import dataset_infos
from protocols.errors import DataError
from protocols.splits.split import draw

NAMES = {"no": ("1 no.jpeg", "10 no.jpg", "No11.JPG", "no.png"), "yes": ("Y1.jpg", "Y2.JPG", "Y3.PNG")}


@pytest.fixture
def release(tmp_path: Path, save_image: Callable[..., Path]) -> Path:
    seed = 0
    for folder, names in NAMES.items():
        for name in names:
            save_image(tmp_path / "raw" / folder / name, seed)
            seed += 1
    return tmp_path / "raw"


def labels(dataset: Dataset) -> dict[str, str]:
    return {row.id: row.label for row in dataset.rows}


ALL = {f"no/{name}": "normal" for name in NAMES["no"]} | {f"yes/{name}": "defect" for name in NAMES["yes"]}


def test_every_file_of_both_folders_is_taken_whatever_its_ending(tmp_path: Path, release: Path) -> None:
    dataset = prepared("brain_mri", release, tmp_path / "out")
    assert labels(dataset) == ALL
    assert {row.split for row in dataset.rows} == {""}
    assert verify.file_differences(dataset) == []


def test_the_variant_keeps_what_the_released_loader_sees_by_three_characters(tmp_path: Path, release: Path) -> None:
    dataset = prepared("brain_mri@released_loader", release, tmp_path / "out")
    assert set(labels(dataset)) == {"no/10 no.jpg", "no/no.png", "yes/Y1.jpg", "yes/Y3.PNG"}


@pytest.mark.parametrize("layout", ["nested", "doubled", "upper"])
def test_ids_are_the_same_under_every_layout(tmp_path: Path, release: Path, layout: str) -> None:
    source = tmp_path / "archive"
    if layout == "nested":
        shutil.copytree(release, source / "brain_tumor_dataset")
    elif layout == "doubled":
        shutil.copytree(release, source)
        shutil.copytree(release, source / "brain_tumor_dataset")
    else:
        for folder in NAMES:
            shutil.copytree(release / folder, source / folder.upper())
    (source / "__MACOSX" / "no").mkdir(parents=True)
    (source / ".DS_Store").write_bytes(b"litter")
    assert labels(prepared("brain_mri", source, tmp_path / "out")) == ALL


def test_a_missing_class_folder_is_named(tmp_path: Path, release: Path) -> None:
    shutil.rmtree(release / "no")
    with pytest.raises(DataError, match="holds no folder with no and yes"):
        prepared("brain_mri", release, tmp_path / "out")


def test_a_folder_without_images_is_named(tmp_path: Path, release: Path) -> None:
    shutil.rmtree(release / "yes")
    (release / "yes").mkdir()
    with pytest.raises(DataError, match="yes holds no file"):
        prepared("brain_mri", release, tmp_path / "out")


def test_the_real_release_has_the_counts_of_table_5_and_22_groups_of_duplicates(tmp_path: Path) -> None:
    dataset = prepared("brain_mri", raw("BrainMRI"), tmp_path / "first")
    assert Counter(row.label for row in dataset.rows) == {"normal": 98, "defect": 155}
    info = dataset_infos()["brain_mri"]
    split = draw(dataset, "general", split_seed=0, shots=10)
    assert info.published is not None
    assert (len(split.train_normal), len(split.test_normal)) == (
        info.published.train_normal,
        info.published.test_normal,
    )
    contents = {
        label: Counter(row.sha256 for row in dataset.rows if row.label == label) for label in ("normal", "defect")
    }
    assert {label: len(found) for label, found in contents.items()} == {"normal": 87, "defect": 141}
    assert Counter(number for found in contents.values() for number in found.values() if number > 1) == {
        2: 20,
        3: 1,
        4: 1,
    }
    assert recognition.release_doubts(info, dataset) == ()
    assert verify.file_differences(dataset) == []
    assert prepared("brain_mri", raw("BrainMRI"), tmp_path / "again").fingerprint == dataset.fingerprint


def test_the_released_loader_sees_86_and_87_images_of_the_real_release(tmp_path: Path) -> None:
    dataset = prepared("brain_mri@released_loader", raw("BrainMRI"), tmp_path / "out")
    assert Counter(row.label for row in dataset.rows) == {"normal": 86, "defect": 87}
    whole = {row.id: row.sha256 for row in prepared("brain_mri", raw("BrainMRI"), tmp_path / "whole").rows}
    assert all(whole[row.id] == row.sha256 for row in dataset.rows)
