"""Splits that somebody else drew: four lists of ids in a JSON or CSV file, checked against a prepared dataset.

Forms: JSON with the four lists by their names, as `bench splits show --json` prints them; JSON with `labeled` and
`test`, as ArcAD publishes its splits and `bench splits export --format json` writes them; CSV with the columns `id` and
`list`, as `bench splits export` writes it. Only the lists are needed.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from protocols.coordinates import Coordinates, CoordinateValue
from protocols.datasets.manifest import Dataset
from protocols.datasets.naming import NORMAL, base_id
from protocols.errors import DataError
from protocols.splits.draw.options import SPLIT_FILE, OptionValue
from protocols.splits.draw.ranking import list_fingerprint
from protocols.splits.draw.steps import LIST_NAMES, SplitLists
from protocols.text import first_few, near_miss

FINGERPRINT_DIGITS = 16
"""Of a split's fingerprint, by which the definition of one from a file names it."""

_BOM = b"\xef\xbb\xbf"
_FORMS = "see 'Drawn elsewhere' of the documentation's page on splits for the forms"
_NAMED = 3
"""Images that an error names."""


class _Statement(Coordinates, frozen=True, kw_only=True):
    """Statements of a file on its split, beside the lists."""

    dataset: str = ""
    protocol: str = ""
    seed: int | None = None
    options: Mapping[str, OptionValue] = {}
    dataset_fingerprint: str = ""
    fingerprint: str = ""


class _FourLists(_Statement, frozen=True, kw_only=True):
    train_normal: tuple[str, ...]
    train_anomaly: tuple[str, ...] = ()
    test_normal: tuple[str, ...]
    test_anomaly: tuple[str, ...]


class _Entry(Struct, frozen=True):
    image: str
    label: Literal[0, 1]
    id: str = ""


class _Meta(Struct, frozen=True):
    category: str = ""
    split: _Statement = _Statement()


class _TwoSides(Struct, frozen=True):
    labeled: tuple[_Entry, ...]
    test: tuple[_Entry, ...]
    meta: _Meta = _Meta()


@dataclass(frozen=True)
class SplitFile:
    """A split as a file has it: what each image is called there, by list, and what the file says of itself.

    rule, dataset and fingerprints are empty and the seed None where it says nothing of them.
    """

    path: Path
    names: Mapping[str, tuple[str, ...]]
    dataset: str = ""
    rule: str = ""
    seed: int | None = None
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    coordinates: Mapping[str, CoordinateValue] = field(default_factory=dict)
    dataset_fingerprint: str = ""
    fingerprint: str = ""


def read_split_file(path: Path) -> SplitFile:
    """The split of a file.

    Raises:
        DataError: there is none, it cannot be read, or it is in no form of a split.
    """
    try:
        if not path.is_file():
            raise DataError(_absent(path))
        data = path.read_bytes().removeprefix(_BOM)
    except OSError as error:
        raise DataError(f"cannot read the split file {path} ({error.strerror}): give another") from error
    return _read_json(path, data) if data.lstrip()[:1] in {b"{", b"["} else _read_csv(path, data)


def listed_ids(file: SplitFile, dataset: Dataset) -> SplitLists:
    """The lists of a file by the ids of a dataset; labelled anomalies in the file's order, the others sorted.

    Of a path the dataset's name in front is taken off, and a backslash counts as a slash.

    Raises:
        DataError: the file is of another dataset, names unknown images or one twice, has an empty list or an image on
            the wrong side, or its lists are not those whose fingerprint it states.
    """
    if file.dataset and base_id(file.dataset) != base_id(dataset.name):
        raise DataError(
            f"{file.path} is a split of {file.dataset}, not of {dataset.name}: give --dataset {file.dataset}"
        )
    ids = _known_ids(file, dataset)
    _refuse_repeated(file, ids)
    _refuse_wrong_lists(file, ids, dataset)
    lists = SplitLists(
        **{name: listed if name == "train_anomaly" else tuple(sorted(listed)) for name, listed in ids.items()}
    )
    fingerprint = list_fingerprint(list_fingerprint(getattr(lists, name)) for name in LIST_NAMES)
    if file.fingerprint and file.fingerprint != fingerprint:
        raise DataError(
            f"{file.path} states the fingerprint {file.fingerprint[:FINGERPRINT_DIGITS]} and its lists have "
            f"{fingerprint[:FINGERPRINT_DIGITS]}: it was changed; take the original, or remove 'fingerprint' from it"
        )
    return lists


def implied_coordinates(
    file: SplitFile, lists: SplitLists, dataset: Dataset, names: Iterable[str]
) -> dict[str, CoordinateValue]:
    """The coordinates of those names that a file states, or that its labelled anomalies have: their number and class.

    Raises:
        DataError: the labelled anomalies are of several classes and the rule has one known class, or are of another
            class than the file states.
    """
    implied: dict[str, CoordinateValue] = {}
    classes = sorted({dataset.row(id_).label for id_ in lists.train_anomaly})
    stated_shots, stated_class = (file.coordinates.get(name) for name in ("shots", "known_class"))
    if stated_class is not None and classes and classes != [stated_class]:
        raise DataError(
            f"{file.path} states the known class {stated_class}, and its labelled anomalies are of "
            f"{first_few(classes, _NAMED)}: correct it"
        )
    if "shots" in names and lists.train_anomaly:
        implied["shots"] = stated_shots or len(lists.train_anomaly)
    if "known_class" in names:
        if len(classes) > 1:
            raise DataError(
                f"{file.path} has labelled anomalies of {first_few(classes, _NAMED)}, and the hard rule knows one: "
                "take the rule general"
            )
        implied["known_class"] = classes[0] if classes else stated_class
    return {name: value for name, value in implied.items() if value is not None}


def release_remark(file: SplitFile, dataset: Dataset) -> str:
    """A sentence where a file states other images than are prepared; else empty."""
    if file.dataset_fingerprint in {"", dataset.fingerprint}:
        return ""
    return (
        f"{file.path} was drawn from {file.dataset or 'a dataset'} {file.dataset_fingerprint[:12]}, the prepared "
        f"{dataset.name} is {dataset.fingerprint[:12]}: its ids are the same, its images may differ"
    )


def _absent(path: Path) -> str:
    if re.fullmatch(rf"[0-9a-f]{{{FINGERPRINT_DIGITS}}}", str(path)):
        return f"{SPLIT_FILE} {path} is a fingerprint, and records hold no more of a split file: give the file itself"
    if path.exists():
        return f"the split file {path} is a folder or a device, no file: give a JSON or CSV file of its lists"
    return f"there is no split file {path}: give a JSON or CSV file of its lists"


def _read_json(path: Path, data: bytes) -> SplitFile:
    try:
        whole = msgspec.json.decode(data)
        if isinstance(whole, dict) and "labeled" in whole:
            return _of_two_sides(path, msgspec.convert(whole, _TwoSides))
        lists = msgspec.convert(whole, _FourLists)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no split ({error}): {_FORMS}") from error
    return _with_statement(path, {name: getattr(lists, name) for name in LIST_NAMES}, lists)


def _of_two_sides(path: Path, sides: _TwoSides) -> SplitFile:
    names = {
        f"{side}_{kind}": tuple(entry.id or entry.image for entry in entries if entry.label == label)
        for side, entries in (("train", sides.labeled), ("test", sides.test))
        for label, kind in enumerate(("normal", "anomaly"))
    }
    return _with_statement(path, names, sides.meta.split, sides.meta.category)


def _with_statement(
    path: Path, names: Mapping[str, tuple[str, ...]], statement: _Statement, dataset: str = ""
) -> SplitFile:
    return SplitFile(
        path=path,
        names=names,
        dataset=statement.dataset or dataset,
        rule=statement.protocol,
        seed=statement.seed,
        options=statement.options,
        coordinates=statement.coordinates,
        dataset_fingerprint=statement.dataset_fingerprint,
        fingerprint=statement.fingerprint,
    )


def _read_csv(path: Path, data: bytes) -> SplitFile:
    names: dict[str, list[str]] = {name: [] for name in LIST_NAMES}
    try:
        lines = csv.DictReader(io.StringIO(data.decode(), newline=""), strict=True)
        missing = [name for name in ("id", "list") if name not in (lines.fieldnames or ())]
        if missing:
            raise DataError(f"{path} is no split, it lacks the column '{missing[0]}': {_FORMS}")
        for line in lines:
            list_name = line["list"] or ""
            if list_name not in names or not line["id"]:
                step = near_miss(list_name, LIST_NAMES) if line["id"] else "give the image's id"
                raise DataError(f"{path} line {lines.line_num} puts '{line['id']}' into the list '{list_name}': {step}")
            names[list_name].append(line["id"])
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no split ({error}): {_FORMS}") from error
    return SplitFile(path, {name: tuple(images) for name, images in names.items()})


def _known_ids(file: SplitFile, dataset: Dataset) -> dict[str, tuple[str, ...]]:
    """The ids of the images that a file names, by list; raises DataError with near misses where one is unknown."""
    known_ids = {row.id for row in dataset.rows}
    ids: dict[str, tuple[str, ...]] = {}
    unknown: list[str] = []
    for list_name in LIST_NAMES:
        ids_by_name = {name: _id_of(name, dataset.name, known_ids) for name in file.names[list_name]}
        unknown += [name for name, id_ in ids_by_name.items() if id_ is None]
        ids[list_name] = tuple(id_ for name in file.names[list_name] if (id_ := ids_by_name[name]) is not None)
    if unknown:
        steps = [f"'{name}', {near_miss(name, known_ids, _ids_step(dataset))}" for name in unknown[:_NAMED]]
        rest = f"; and {len(unknown) - _NAMED} more" if unknown[_NAMED:] else ""
        raise DataError(f"{file.path} names images that {dataset.name} has not: {'; '.join(steps)}{rest}")
    return ids


def _ids_step(dataset: Dataset) -> str:
    return f"'bench data show {dataset.name}' describes its ids"


def _id_of(name: str, dataset: str, known_ids: set[str]) -> str | None:
    """The id that a file means by a name; the apostrophe is that of `csv_cell`."""
    path = unicodedata.normalize("NFC", name).replace("\\", "/")
    forms = (
        name,
        path,
        path.removeprefix(f"{base_id(dataset)}/"),
        path.removeprefix(f"{dataset}/"),
        name.removeprefix("'"),
    )
    return next((form for form in forms if form in known_ids), None)


def _refuse_repeated(file: SplitFile, ids: Mapping[str, tuple[str, ...]]) -> None:
    lists_by_id: dict[str, str] = {}
    for list_name, listed in ids.items():
        for id_ in listed:
            if id_ in lists_by_id:
                raise DataError(
                    f"{file.path} has '{id_}' in {lists_by_id[id_]} and again in {list_name}: leave it in one list"
                )
            lists_by_id[id_] = list_name


def _refuse_wrong_lists(file: SplitFile, ids: Mapping[str, tuple[str, ...]], dataset: Dataset) -> None:
    """Refuse empty lists, and test images or labelled anomalies that are not what their list says."""
    for list_name, listed in ids.items():
        if not listed and list_name != "train_anomaly":
            raise DataError(f"{file.path} has no {list_name.replace('_', ' ')} images: a run needs some; {_FORMS}")
        for id_ in listed if list_name != "train_normal" else ():
            label = dataset.row(id_).label
            if (label == NORMAL) != (list_name == "test_normal"):
                raise DataError(
                    f"{file.path} has '{id_}' in {list_name}, and its label in {dataset.name} is {label}: correct it"
                )
