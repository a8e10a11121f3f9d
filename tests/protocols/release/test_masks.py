"""Masks among images are no images, and their folders no anomaly classes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from protocols.catalogue import data_folder

Save = Callable[..., Path]


def adopted(source: Path, layout: str, said: list[str]) -> tuple[set[str], int]:
    dataset = data_folder.adopt_dataset(source, "mine", source.parent / "data", layout=layout, notify=said.append)
    return set(dataset.labels), len(dataset.rows)


@pytest.fixture
def classes(tmp_path: Path, save_image: Save) -> Path:
    """Two images in each of good, crack and hole."""
    for seed, path in enumerate(f"{folder}/{i}.png" for folder in ("good", "crack", "hole") for i in range(2)):
        save_image(tmp_path / "flat" / path, seed)
    return tmp_path / "flat"


@pytest.mark.parametrize(
    "folder",
    ["ground_truth", "Ground Truth", "GROUND-TRUTH", "groundtruth", "gt", "mask", "Masks", "crack_mask", "hole gt"],
)
def test_a_folder_of_masks_is_no_class(classes: Path, save_image: Save, folder: str) -> None:
    save_image(classes / folder / "0.png", 9)
    said: list[str] = []
    assert adopted(classes, "class_folders", said) == ({"crack", "hole"}, 6)
    assert said == [f"{classes / folder} left out as masks: rename what is none"]


@pytest.mark.parametrize(
    "name", ["0_mask.png", "0_mask2.bmp", "1.gt.png", "mask_0.png", "0-label.png", "0_ground_truth.png"]
)
def test_a_mask_beside_its_image_is_no_image(classes: Path, save_image: Save, name: str) -> None:
    save_image(classes / "crack" / name, 9)
    said: list[str] = []
    assert adopted(classes, "class_folders", said) == ({"crack", "hole"}, 6)
    assert said == [f"{classes / 'crack' / name} left out as masks: rename what is none"]


@pytest.mark.parametrize(
    "path", ["label/0.png", "label_crack/0.png", "masking/0.png", "crack/mask.png", "crack/7_mask.png"]
)
def test_what_is_named_after_nothing_stays(classes: Path, save_image: Save, path: str) -> None:
    save_image(classes / path, 9)
    said: list[str] = []
    assert adopted(classes, "class_folders", said)[1] == 7
    assert said == []


def test_the_layout_of_mvtec_has_masks_neither_among_classes_nor_among_images(
    mvtec_folder: Path, save_image: Save
) -> None:
    save_image(mvtec_folder / "test/ground_truth/000.png", 9)
    for number in range(3):
        save_image(mvtec_folder / f"test/color/00{number}_mask.png", 10 + number)
    said: list[str] = []
    assert adopted(mvtec_folder, "mvtec", said) == ({"color", "metal_contamination"}, 11)
    assert said == [
        f"{mvtec_folder / 'test/ground_truth'} left out as masks: rename what is none",
        f"{mvtec_folder / 'test/color/000_mask.png'} and 2 more beside it left out as masks: rename what is none",
    ]
