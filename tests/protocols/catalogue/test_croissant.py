"""A split as Croissant 1.0: the specification's form, by hand and by its own validator where that is installed."""

import csv
import hashlib
import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from protocols.catalogue.croissant import write_croissant
from protocols.catalogue.data_folder import adopt_dataset
from protocols.datasets.manifest import Dataset
from protocols.datasets.registry import dataset_info
from protocols.errors import DataError
from protocols.splits.split import Split, draw


@pytest.fixture
def split(carpet: Dataset) -> Split:
    return draw(carpet, "hard", split_seed=0, known_class="cut", shots=10)


@pytest.fixture
def folder(carpet: Dataset, split: Split, tmp_path: Path) -> Path:
    write_croissant(split, carpet, tmp_path / "out")
    return tmp_path / "out"


def described(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "croissant.json").read_text())


def nested(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON value."""
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nested(part)


def test_facts_of_the_images_stand_in_the_properties_of_the_specification(folder: Path, split: Split) -> None:
    info, whole = dataset_info("carpet"), described(folder)
    assert info is not None
    assert (whole["@type"], whole["conformsTo"]) == ("sc:Dataset", "http://mlcommons.org/croissant/1.0")
    assert (whole["license"], whole["citeAs"], whole["url"]) == (info.licence, info.citation, info.source)
    assert whole["datePublished"] == "2019"
    assert (whole["name"], whole["identifier"]) == ("carpet-hard-cut-10-s0", split.fingerprint)
    assert "the rule hard, seed 0" in whole["description"]
    assert "MVTec AD carpet" in whole["description"]


def test_files_lie_beside_the_description_with_their_sha256(folder: Path, carpet: Dataset, tmp_path: Path) -> None:
    files = described(folder)["distribution"]
    assert {path.name for path in folder.iterdir()} == {"croissant.json", *(file["@id"] for file in files)}
    for file in files:
        content = (folder / file["contentUrl"]).read_bytes()
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
        assert file["contentSize"] == f"{len(content)} B"
    assert (folder / "manifest.csv").read_bytes() == (carpet.folder / "manifest.csv").read_bytes()
    assert str(tmp_path) not in "".join(path.read_text() for path in folder.iterdir())


def test_every_field_is_a_column_of_its_file_and_every_reference_a_field(folder: Path) -> None:
    whole = described(folder)
    ids = {part["@id"] for part in nested(whole) if "@type" in part and "@id" in part}
    references = [part["@id"] for part in nested(whole) if set(part) == {"@id"}]
    assert references
    assert set(references) <= ids
    sources = [part["source"] for part in nested(whole["recordSet"]) if "source" in part]
    for source in sources:
        header = (folder / source["fileObject"]["@id"]).read_text().partition("\n")[0]
        assert source["extract"]["column"] in header.split(",")
    assert len(sources) == 11


def test_the_lists_of_the_split_can_be_told_from_its_records(folder: Path, split: Split) -> None:
    with (folder / "split.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for name in split.fingerprints:
        assert tuple(row["id"] for row in rows if row["list"] == name) == getattr(split, name)
    sides = next(records for records in described(folder)["recordSet"] if records["@id"] == "sides")
    assert {record["sides/name"] for record in sides["data"]} == {row["side"] for row in rows}


def test_an_adopted_folder_has_no_facts_and_none_are_made_up(
    mvtec_folder: Path, tmp_path: Path, save_image: Callable[..., Path]
) -> None:
    for i in range(12):
        save_image(mvtec_folder / "test" / "cut" / f"{i:03d}.png", 100 + i)
    mine = adopt_dataset(mvtec_folder, "mine", tmp_path / "data")
    write_croissant(draw(mine, "general", split_seed=1, shots=2), mine, tmp_path / "out")
    whole = described(tmp_path / "out")
    assert not {"license", "citeAs", "url", "datePublished"} & whole.keys()
    assert whole["name"] == "mine-general-2-s1"


def test_the_same_split_is_the_same_bytes_and_a_full_folder_is_left_alone(
    folder: Path, carpet: Dataset, split: Split, tmp_path: Path
) -> None:
    write_croissant(split, carpet, tmp_path / "again")
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()
    with pytest.raises(DataError, match="is not empty: give a new or an empty folder"):
        write_croissant(split, carpet, folder)


@pytest.mark.skipif(importlib.util.find_spec("mlcroissant") is None, reason="mlcroissant is not installed")
@pytest.mark.filterwarnings("default")
def test_the_validator_of_croissant_finds_no_fault_and_reads_the_lists(folder: Path, split: Split) -> None:
    import mlcroissant

    dataset = mlcroissant.Dataset(folder / "croissant.json")
    issues = dataset.metadata.ctx.issues
    assert (issues.errors, issues.warnings) == (set(), set())
    records = [{key: _text(value) for key, value in record.items()} for record in dataset.records("split")]
    for name in split.fingerprints:
        ids = [record["split/id"] for record in records if record["split/list"] == name]
        assert tuple(ids) == getattr(split, name)
    images = {_text(record["images/id"]): _text(record["images/sha256"]) for record in dataset.records("images")}
    assert images.keys() >= {record["split/id"] for record in records}


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
