from collections.abc import Callable
from pathlib import Path

import pytest

from protocols.catalogue.data_folder import adopt_dataset
from protocols.datasets.manifest import Dataset


@pytest.fixture
def carpet(tmp_path: Path, mvtec_folder: Path, save_image: Callable[..., Path]) -> Dataset:
    """A folder in the layout of MVTec AD with twelve images of the class `cut`, adopted as `carpet`."""
    for i in range(12):
        save_image(mvtec_folder / "test" / "cut" / f"{i:03d}.png", 100 + i)
    return adopt_dataset(mvtec_folder, "carpet", tmp_path / "data")
