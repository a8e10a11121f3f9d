import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from preparing import prepared

from protocols.datasets.manifest import Dataset
from protocols.datasets.registry import dataset_infos
from protocols.errors import DataError

CLASSES = {
    "anatomical-landmarks/pylorus": "normal",
    "anatomical-landmarks/retroflex-stomach": "normal",
    "anatomical-landmarks/z-line": "normal",
    "pathological-findings/barretts": "barretts",
    "pathological-findings/barretts-short-segment": "barretts_short_seg",
    "pathological-findings/esophagitis-a": "esophagitis_a",
    "pathological-findings/esophagitis-b-d": "esophagitis_b_d",
}
LOWER = ("anatomical-landmarks/cecum", "pathological-findings/polyps")


@pytest.fixture
def release(tmp_path: Path, save_image: Callable[..., Path]) -> Path:
    """The labelled images, two a class, with a part of the lower tract, which is not used."""
    root = tmp_path / "labeled-images"
    folders = [f"upper-gi-tract/{folder}" for folder in CLASSES] + [f"lower-gi-tract/{folder}" for folder in LOWER]
    for number, folder in enumerate(folders):
        for i in range(2):
            save_image(root / folder / f"{number}-{i}.jpg", 2 * number + i, mode="RGB")
    (root / "image-labels.csv").write_text("Video file,Organ,Finding,Classification\n")
    return root


def labels(dataset: Dataset) -> dict[str, str]:
    return {row.id: row.label for row in dataset.rows}


EXPECTED = {
    f"{Path(folder).name}/{number}-{i}.jpg": label
    for number, (folder, label) in enumerate(CLASSES.items())
    for i in (0, 1)
}


def test_landmarks_are_normal_and_findings_the_four_published_classes(tmp_path: Path, release: Path) -> None:
    dataset = prepared("hyper_kvasir", release, tmp_path / "out")
    assert labels(dataset) == EXPECTED
    assert dataset.labels == dataset_infos()["hyper_kvasir"].known_classes


@pytest.mark.parametrize("layout", ["whole", "upper only", "flat"])
def test_ids_are_the_same_under_every_layout(tmp_path: Path, release: Path, layout: str) -> None:
    source = tmp_path / "source"
    if layout == "whole":
        shutil.copytree(release, source / "hyper-kvasir" / "labeled-images")
    elif layout == "upper only":
        shutil.copytree(release / "upper-gi-tract", source)
    else:
        for folder in CLASSES:
            shutil.copytree(release / "upper-gi-tract" / folder, source / Path(folder).name)
    assert labels(prepared("hyper_kvasir", source, tmp_path / "out")) == EXPECTED


@pytest.mark.parametrize("folder", CLASSES)
def test_a_missing_class_folder_is_named(tmp_path: Path, release: Path, folder: str) -> None:
    shutil.rmtree(release / "upper-gi-tract" / folder)
    with pytest.raises(DataError, match=f"holds no folder with .*{Path(folder).name}"):
        prepared("hyper_kvasir", release, tmp_path / "out")
