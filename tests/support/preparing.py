"""A dataset's preparation run on its own, without the data folder around it."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace
from repository import SHARED

from protocols.catalogue.publish import Target
from protocols.datasets import manifest
from protocols.datasets.manifest import Dataset
from protocols.datasets.registry import dataset_info, our_datasets
from protocols.release.builder import DatasetBuilder

RAW = SHARED / "data" / "raw"


def prepared(name: str, release: Path, folder: Path, said: list[str] | None = None) -> Dataset:
    """The dataset or variant `name` made of `release` in the new folder `folder`; `said` takes what a person is told."""
    info = dataset_info(name)
    assert info is not None
    target = Target(name, info)
    folder.mkdir(parents=True)
    lines = [] if said is None else said
    building = DatasetBuilder(info, target.variant, release, folder, 2, lines.append)
    dataset = manifest.assemble_dataset(name, folder, target.preparation()(building))
    manifest.write_manifest(dataset, folder)
    return dataset


def shrink(monkeypatch: pytest.MonkeyPatch, name: str, **halves: Sequence[int]) -> None:
    """Let the whole release of a set of classes have these numbers of images by class in its halves."""
    info = our_datasets()[name]
    counts = {f"{half}/{label}": n for half, numbers in halves.items() for label, n in enumerate(numbers)}
    releases = {"": (replace(info.releases[""][0], counts=counts),)}
    monkeypatch.setitem(our_datasets(), name, replace(info, releases=releases))


def raw(folder: str) -> Path:
    """A folder of the real images that lie beside this repository; the test is skipped where they are not."""
    path = RAW / folder
    if not path.is_dir():
        pytest.skip(f"needs the images of {folder}, which lie beside the repository")
    return path
