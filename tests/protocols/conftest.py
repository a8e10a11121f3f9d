import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from pictures import noise, save_picture

from protocols.catalogue import data_folder
from protocols.datasets.manifest import Dataset, Row, assemble_dataset
from protocols.datasets.registry import dataset_infos


@pytest.fixture
def make_dataset() -> Callable[..., Dataset]:
    """A dataset without files: so many images a label, `normal` among them; equal `same` texts give equal content."""

    def make(
        counts: Mapping[str, int], name: str = "toy", split: str = "", same: Mapping[str, str] | None = None
    ) -> Dataset:
        ids = [(label, f"{label}/{i:03d}.png") for label, n in counts.items() for i in range(n)]
        contents = {id_: (same or {}).get(id_, id_) for _, id_ in ids}
        rows = [
            Row(id_, id_, label, split, hashlib.sha256(contents[id_].encode()).hexdigest(), 8, 8, 1)
            for label, id_ in ids
        ]
        return assemble_dataset(name, Path("nowhere"), rows)

    return make


@pytest.fixture
def save_image() -> Callable[..., Path]:
    """A small image that no other seed gives."""

    def save(path: Path, seed: int, size: tuple[int, int] = (12, 10), mode: str = "L") -> Path:
        return save_picture(path, noise(seed, *reversed(size), *(() if mode == "L" else (3,))))

    return save


@pytest.fixture
def mvtec_folder(tmp_path: Path, save_image: Callable[..., Path]) -> Path:
    """A folder in the layout of MVTec AD: 4 training normals, 2 test normals, 3 `color`, 2 `metal_contamination`."""
    source = tmp_path / "raw" / "carpet"
    counts = {"train/good": 4, "test/good": 2, "test/color": 3, "test/metal_contamination": 2, "ground_truth/color": 3}
    seed = 0
    for folder, count in counts.items():
        for i in range(count):
            save_image(source / folder / f"{i:03d}.png", seed)
            seed += 1
    (source / "license.txt").write_text("a licence")
    return source


@pytest.fixture(scope="session")
def elpv(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The real ELPV, prepared from its package."""
    import importlib.util

    if importlib.util.find_spec("elpv_dataset") is None:
        pytest.skip("the package elpv-dataset is not installed")
    assert dataset_infos()["elpv"].embedded
    return data_folder.open_dataset(tmp_path_factory.mktemp("data"), "elpv")
