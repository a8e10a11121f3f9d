"""Files of facts: one TOML a dataset, or one for several that share most of their facts."""

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from protocols.datasets.info import DatasetFacts, DatasetInfo, KnownRelease, Pinned, Published, ReleaseMarks
from protocols.errors import DataError
from protocols.io.release_file import Download
from protocols.text import near_miss


class _Release(ReleaseMarks, frozen=True, kw_only=True):
    counts: dict[str, int | dict[str, int] | tuple[int, ...]]
    variant: str = ""


class _Table(DatasetFacts, frozen=True, kw_only=True):
    releases: tuple[_Release, ...] = ()
    prepare: Annotated[str, Meta(pattern=r"\A[A-Za-z_][\w.]*:[A-Za-z_]\w*\Z")] | None = None


_KEYS = {key for kind in (_Table, _Release, Published, Pinned, Download) for key in kind.__struct_fields__}
_ID = re.compile(r"[a-z0-9_]+")
_UNKNOWN = re.compile(r"unknown field `(.*?)`")


def parse_facts(text: str, origin: str) -> dict[str, DatasetInfo]:
    """The datasets that a file of facts describes, by id; `origin` names the file in messages.

    The file of one dataset has its `id`. That of several has a table `[datasets.ID]` for each, whose facts are added to
    or replace those before the tables.

    Raises:
        DataError: not TOML, an unknown or missing key, a wrong type, or an id that cannot be; the text names the file,
            the dataset and the key.
    """
    try:
        shared = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise DataError(f"{origin} is not TOML: {error}") from None
    tables = shared.pop("datasets") if "datasets" in shared else {str(shared.pop("id", "")): {}}
    if not isinstance(tables, dict) or "" in tables or not all(isinstance(table, dict) for table in tables.values()):
        raise DataError(f"{origin} names no dataset: give its id, or a table [datasets.ID] for each of several")
    digest = hashlib.sha256(text.encode()).hexdigest()
    return {id_: _dataset_info(id_, shared | table, f"{origin}, {id_}", digest) for id_, table in tables.items()}


def _dataset_info(id_: str, table: Mapping[str, Any], origin: str, digest: str) -> DatasetInfo:
    if not _ID.fullmatch(id_):
        raise DataError(f"{origin}: '{id_}' cannot be an id: use lower-case letters, digits and underscores")
    try:
        facts = msgspec.convert(table, _Table)
    except msgspec.ValidationError as error:
        unknown = _UNKNOWN.search(str(error))
        hint = f": {near_miss(unknown[1], _KEYS, 'leave it out')}" if unknown else ""
        raise DataError(f"{origin}: {error}{hint}") from None
    foreign = [release.variant for release in facts.releases if release.variant not in {"", *facts.variants}]
    if foreign:
        raise DataError(
            f"{origin}: a release is of the variant '{foreign[0]}': {near_miss(foreign[0], facts.variants)}"
        )
    shared = {name: getattr(facts, name) for name in DatasetFacts.__struct_fields__}
    return DatasetInfo(id=id_, releases=_by_variant(facts.releases), prepare=facts.prepare, digest=digest, **shared)


def _by_variant(releases: Iterable[_Release]) -> dict[str, tuple[KnownRelease, ...]]:
    grouped: dict[str, tuple[KnownRelease, ...]] = {}
    for release in releases:
        marks = {name: getattr(release, name) for name in ReleaseMarks.__struct_fields__}
        known_release = KnownRelease(_flat_counts(release.counts), **marks)
        grouped[release.variant] = (*grouped.get(release.variant, ()), known_release)
    return grouped


def _flat_counts(counts: Mapping[str, int | Mapping[str, int] | tuple[int, ...]]) -> dict[str, int]:
    """Images by label; those of a half, by label or in a list of classes `0`, `1`, ..., get it in front: `train/0`."""
    flat: dict[str, int] = {}
    for name, number in counts.items():
        if isinstance(number, int):
            flat[name] = number
        else:
            labels = number.items() if isinstance(number, Mapping) else enumerate(number)
            flat |= {f"{name}/{label}": count for label, count in labels}
    return flat
