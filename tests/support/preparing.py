"""A dataset's preparation run on its own, without the data folder around it."""

from pathlib import Path

import pytest
from repository import SHARED

from protocols.datasets import manifest, naming, registry
from protocols.datasets.manifest import Dataset
from protocols.release.builder import Building

RAW = SHARED / "data" / "raw"


def prepared(name: str, release: Path, folder: Path, said: list[str] | None = None) -> Dataset:
    """The dataset or variant `name` made of `release` in the new folder `folder`; `said` takes what a person is told."""
    info = registry.find(name)
    assert info is not None
    assert info.prepare is not None
    folder.mkdir(parents=True)
    lines = [] if said is None else said
    building = Building(naming.base_id(name), name.partition("@")[2], release, folder, 2, lines.append)
    dataset = manifest.build(name, folder, info.prepare(building))
    manifest.write(dataset, folder)
    return dataset


def raw(folder: str) -> Path:
    """A folder of the real images that lie beside this repository; the test is skipped where they are not."""
    path = RAW / folder
    if not path.is_dir():
        pytest.skip(f"needs the images of {folder}, which lie beside the repository")
    return path
