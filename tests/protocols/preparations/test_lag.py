import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from preparing import prepared

from protocols.datasets.registry import dataset_infos
from protocols.errors import DataError


@pytest.fixture
def release(tmp_path: Path, save_image: Callable[..., Path]) -> Path:
    """Two images a class under the same names, each with its attention map."""
    root = tmp_path / "raw" / "LAG_database_part_1"
    seed = 0
    for folder in ("non_glaucoma", "suspicious_glaucoma"):
        for kind in ("image", "attention_map"):
            for i in range(2):
                save_image(root / folder / kind / f"{i:04d}.jpg", seed, mode="RGB")
                seed += 1
    return root


def test_the_labels_are_the_classes_that_a_recipe_chooses_from(tmp_path: Path, release: Path) -> None:
    dataset = prepared("lag", release.parent, tmp_path / "out")
    assert {row.id: row.label for row in dataset.rows} == {
        "non_glaucoma/image/0000.jpg": "non_glaucoma",
        "non_glaucoma/image/0001.jpg": "non_glaucoma",
        "suspicious_glaucoma/image/0000.jpg": "suspicious",
        "suspicious_glaucoma/image/0001.jpg": "suspicious",
    }
    assert dataset_infos()["lag"].kind == "pool"


@pytest.mark.parametrize("missing", ["non_glaucoma", "suspicious_glaucoma/image"])
def test_a_missing_folder_is_named(tmp_path: Path, release: Path, missing: str) -> None:
    shutil.rmtree(release / missing)
    with pytest.raises(DataError, match=Path(missing).name):
        prepared("lag", release, tmp_path / "out")
