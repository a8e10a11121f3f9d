import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from preparing import prepared, shrink

from protocols.datasets.manifest import Dataset
from protocols.datasets.registry import our_datasets
from protocols.errors import DataError

SPEC = """
acorn, airliner, ambulance, american_alligator, banjo, barn, bikini, digital_clock, dragonfly, dumbbell, forklift,
goblet, grand_piano, hotdog, hourglass, manhole_cover, mosque, nail, parking_meter, pillow, revolver,
rotary_dial_telephone, schooner, snowmobile, soccer_ball, stingray, strawberry, tank, toaster, volcano
"""
CLASSES = SPEC.replace("\n", " ").strip().split(", ")


@pytest.fixture
def release(tmp_path: Path, save_image: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two training images and one test image a class, each class in a folder within its folder, as released."""
    shrink(monkeypatch, "imagenet30", train=[2] * 30, test=[1] * 30)
    source = tmp_path / "raw"
    seed = 0
    for folder, count in (("one_class_train", 2), ("one_class_test", 1)):
        for name in CLASSES:
            for i in range(count):
                image = save_image(source / folder / name / name / f"{name[:3]}_{i}.png", seed)
                image.rename(image.with_suffix(".JPEG"))
                seed += 1
    return source


def labels(dataset: Dataset) -> dict[str, tuple[str, str]]:
    return {row.id: (row.label, row.split) for row in dataset.rows}


def test_the_label_is_the_index_of_the_alphabetical_list(tmp_path: Path, release: Path) -> None:
    found = labels(prepared("imagenet30", release, tmp_path / "out"))
    assert len(found) == 90
    assert found["one_class_train/acorn/aco_0.JPEG"] == ("0", "train")
    assert found["one_class_test/volcano/vol_0.JPEG"] == ("29", "test")
    for index, name in enumerate(CLASSES):
        assert found[f"one_class_train/{name}/{name[:3]}_1.JPEG"] == (str(index), "train")


def test_ids_are_the_same_under_every_layout(tmp_path: Path, release: Path) -> None:
    expected = labels(prepared("imagenet30", release, tmp_path / "expected"))
    doubled, flat = tmp_path / "doubled", tmp_path / "flat"
    for part in ("one_class_train", "one_class_test"):
        shutil.copytree(release / part, doubled / "archive" / part / part)
        for name in CLASSES:
            shutil.copytree(release / part / name / name, flat / part / name)
    assert labels(prepared("imagenet30", doubled, tmp_path / "one")) == expected
    assert labels(prepared("imagenet30", flat, tmp_path / "other")) == expected


@pytest.mark.parametrize("name", ["acorn", "tank"])
def test_a_missing_class_is_named(tmp_path: Path, release: Path, name: str) -> None:
    shutil.rmtree(release / "one_class_test" / name)
    with pytest.raises(DataError, match=rf"one_class_test.*{name}"):
        prepared("imagenet30", release, tmp_path / "out")


def test_a_missing_part_is_named(tmp_path: Path, release: Path) -> None:
    shutil.rmtree(release / "one_class_test")
    with pytest.raises(DataError, match="holds no folder with one_class_train and one_class_test"):
        prepared("imagenet30", release, tmp_path / "out")


def test_a_folder_that_is_no_class_is_named(tmp_path: Path, release: Path) -> None:
    (release / "one_class_train" / "zebra").mkdir()
    with pytest.raises(DataError, match="zebra is none of the thirty classes"):
        prepared("imagenet30", release, tmp_path / "out")


def test_another_number_of_images_than_in_the_release_is_refused(tmp_path: Path, release: Path) -> None:
    (release / "one_class_train" / "barn" / "barn" / "bar_1.JPEG").unlink()
    with pytest.raises(DataError, match="imagenet30 has 1 train images of class 5 where the release has 2"):
        prepared("imagenet30", release, tmp_path / "out")


def test_the_release_has_1300_and_100_images_a_class() -> None:
    counts = our_datasets()["imagenet30"].releases[""][0].counts
    assert counts == {f"{half}/{label}": n for half, n in (("train", 1300), ("test", 100)) for label in range(30)}


def test_two_images_of_one_name_in_a_class_are_named(
    tmp_path: Path, release: Path, save_image: Callable[..., Path]
) -> None:
    (release / "one_class_train" / "barn" / "barn" / "bar_1.JPEG").unlink()
    image = save_image(release / "one_class_train" / "barn" / "other" / "bar_0.png", 999)
    image.rename(image.with_suffix(".JPEG"))
    with pytest.raises(DataError, match="one_class_train/barn/bar_0"):
        prepared("imagenet30", release, tmp_path / "out")
