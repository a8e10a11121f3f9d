"""Splits as Croissant 1.0 (mlcommons.org/croissant/1.0): JSON-LD that data set search and loaders read.

A folder holds the description and the two lists that it describes; images are no part of it.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from protocols.catalogue.export import new_folder, split_csv
from protocols.coordinates import COORDINATE_FIELDS
from protocols.datasets.info import DatasetInfo
from protocols.datasets.manifest import MANIFEST, Dataset
from protocols.datasets.registry import dataset_info
from protocols.splits.split import Split

CROISSANT_FILE = "croissant.json"
SPLIT_LIST = "split.csv"

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context that the specification prints."""

_VERSION = "1.0.0"
"""Of the rule by which ids are ranked; the specification wants three numbers."""
_SIDES = {"train": "cr:TrainingSplit", "test": "cr:TestSplit"}
_YEAR = re.compile(r"\b(?:19|20)[0-9]{2}\b")


def write_croissant(split: Split, dataset: Dataset, folder: Path) -> None:
    """Write a split's description, its list and the manifest of the dataset into a new or empty folder.

    Raises:
        DataError: the folder is not empty or cannot be written.
    """
    manifest = (dataset.folder / MANIFEST).read_bytes()
    files = {SPLIT_LIST: split_csv(split, dataset).encode(), MANIFEST: manifest}
    with new_folder(folder) as building:
        for name, content in files.items():
            (building / name).write_bytes(content)
        description = croissant_description(split, dataset_info(dataset.name), files)
        (building / CROISSANT_FILE).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")


def croissant_description(split: Split, info: DatasetInfo | None, files: dict[str, bytes]) -> dict[str, Any]:
    """JSON-LD of a split, given its two files by name.

    Record sets: `split`, one record an image with its side, list, label and number in the draw; `images`, what the
    manifest says of each image of the dataset. Licence, citation and address are those of the images where the facts
    have them; who made them stands in the citation alone, so that there is no `creator`.
    """
    coordinates = [str(split.coordinates[name]) for name in COORDINATE_FIELDS if split.coordinates[name] is not None]
    name = "-".join([split.dataset, split.rule, *coordinates, f"s{split.split_seed}"])
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": _description(split, info),
        "version": _VERSION,
        "identifier": split.fingerprint,
        **_origin(info),
        "distribution": [_file_object(*item) for item in files.items()],
        "recordSet": [_sides(), _split_records(), _image_records()],
    }


def _description(split: Split, info: DatasetInfo | None) -> str:
    title = info.title if info else split.dataset
    options = "".join(f", {name} = {value}" for name, value in split.options.items())
    origin = f" Images: {info.source}." if info else ""
    return (
        f"A split of {title}: the images that a detector of anomalies trains on, and those that it is tested on, under "
        f"the rule {split.rule}, seed {split.split_seed}{options}. SHA-256 of its lists: {split.fingerprint}.{origin}"
    )


def _origin(info: DatasetInfo | None) -> dict[str, Any]:
    """Licence, citation, year and address of the images, where facts have them; nothing of an adopted folder."""
    if info is None:
        return {}
    year = _YEAR.search(info.citation)
    origin = {"license": info.licence, "citeAs": info.citation}
    origin |= {"datePublished": year[0]} if year else {}
    return origin | ({"url": info.source} if re.fullmatch(r"https?://\S+", info.source) else {})


def _file_object(name: str, content: bytes) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{len(content)} B",
        "encodingFormat": "text/csv",
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _sides() -> dict[str, Any]:
    """The two sides, as the specification names them."""
    return {
        "@type": "cr:RecordSet",
        "@id": "sides",
        "name": "sides",
        "dataType": "cr:Split",
        "key": {"@id": "sides/name"},
        "field": [
            {"@type": "cr:Field", "@id": "sides/name", "name": "name", "dataType": "sc:Text"},
            {"@type": "cr:Field", "@id": "sides/url", "name": "url", "dataType": "sc:URL"},
        ],
        "data": [{"sides/name": name, "sides/url": url} for name, url in _SIDES.items()],
    }


def _split_records() -> dict[str, Any]:
    fields = [
        _column("split", SPLIT_LIST, "id") | {"references": {"field": {"@id": "images/id"}}},
        _column("split", SPLIT_LIST, "side") | {"references": {"field": {"@id": "sides/name"}}},
        _column("split", SPLIT_LIST, "list"),
        _column("split", SPLIT_LIST, "label", ["sc:Text", "cr:Label"]),
        _column("split", SPLIT_LIST, "shot"),
    ]
    return _record_set("split", fields)


def _image_records() -> dict[str, Any]:
    texts = [_column("images", MANIFEST, name) for name in ("id", "file", "sha256")]
    numbers = [_column("images", MANIFEST, name, "sc:Integer") for name in ("width", "height", "channels")]
    return _record_set("images", [*texts, *numbers])


def _record_set(name: str, fields: list[dict[str, Any]]) -> dict[str, Any]:
    key = {"@id": f"{name}/id"}
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "key": key, "field": fields}


def _column(record_set: str, file: str, name: str, data_type: str | list[str] = "sc:Text") -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{record_set}/{name}",
        "name": name,
        "dataType": data_type,
        "source": {"fileObject": {"@id": file}, "extract": {"column": name}},
    }
