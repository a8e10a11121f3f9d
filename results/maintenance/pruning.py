"""Prunable content of a results folder: failed and stale records, and files that lost their record."""

import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from results.locks import is_at_work
from results.maintenance.removal import RemovableItem, removable_item
from results.record import Record
from results.store import ReadRecord, Store, read_records

PRUNABLE_KINDS = ("failed", "stale", "set_aside", "orphans", "tracebacks")
"""Failed records with their tracebacks; records of an older version of their detector, with their scores; records that
cannot be read, set aside or not; scores, artefacts and kept models without a record; tracebacks without a failed
record.
"""

YOUNG_SECONDS = 3600.0
"""Scores and tracebacks this young may wait for their record while a process is at work in the folder."""

_STATES = ("fits", "checkpoints")
_KEY = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Prunable:
    """Prunable items of all kinds, and sentences on files that look like one and stay."""

    items: tuple[RemovableItem, ...]
    remarks: tuple[str, ...] = ()

    def of(self, kinds: Collection[str]) -> tuple[RemovableItem, ...]:
        return tuple(item for item in self.items if item.kind in kinds)


def find_prunable(store: Store, versions: Mapping[str, int], chosen: Collection[str] = ()) -> Prunable:
    """Prunable items of every kind; changes nothing.

    `versions` is the current version of each detector. Orphans and tracebacks are listed as if the records of the
    `chosen` kinds were gone already.
    """
    contents = list(read_records(store.root))
    record_items = [item for path, content in contents for item in _record_items(store, path, content, versions)]
    removed_files = {item.files[0] for item in record_items if item.kind in chosen}
    staying = [content for path, content in contents if path not in removed_files]
    staying_records = [content.record for content in staying if content.record]
    foreign = [content for _, content in contents if not content.record and not content.damaged]
    remarks = [f"{content.origin} {content.problem}: it is left" for content in foreign]

    artefacts, models = _artefacts(store, staying_records), _models(store, staying_records)
    if (artefacts or models) and len(staying_records) < len(staying):
        what = f"{len(artefacts)} folders of artefacts and {len(models)} kept models"
        remarks.append(f"{what} are left: a record that cannot be read may be theirs")
        artefacts, models = [], []
    lost = [
        *_scores(store, {path.stem for path, content in contents if path not in removed_files or content.record}),
        *_tracebacks(store, [content.record for _, content in contents if content.record], staying_records),
    ]
    young = _young(store, lost)
    if young:
        remarks.append(f"{len(young)} new files without a record are left: a fit is at work in {store.root}")
    aside = [removable_item("set_aside", path.name, path) for path in sorted((store.root / "set_aside").glob("*"))]
    items = [*record_items, *aside, *artefacts, *models, *(item for item in lost if item not in young)]
    return Prunable(tuple(sorted(items, key=lambda item: PRUNABLE_KINDS.index(item.kind))), tuple(remarks))


def _record_items(
    store: Store, path: Path, content: ReadRecord, versions: Mapping[str, int]
) -> Iterator[RemovableItem]:
    """The item of a record's file, if it is prunable."""
    record = content.record
    if record is None:
        if content.damaged:
            yield removable_item("set_aside", path.name, path)
        return
    fit, belongings = record.spec.fit, (store.scores_path(record.key), store.traceback_path(record.key))
    older = fit.version < versions.get(fit.detector, fit.version)
    if record.status == "failed" or older:
        text = f"version {fit.version}, today's is {versions.get(fit.detector)}" if older else record.error
        yield removable_item(
            "failed" if record.status == "failed" else "stale",
            f"{record.spec.name} ({text})",
            path,
            *(file for file in belongings if file.is_file()),
            lock=store.lock_path(record.fit_key),
        )


def _scores(store: Store, keys: Collection[str]) -> list[RemovableItem]:
    """Files of scores without a record among these keys."""
    lost = (path for path in _files(store.root / "scores", "??/*.npz") if _is_lost(path.stem, keys))
    return [removable_item("orphans", str(path.relative_to(store.root)), path) for path in lost]


def _artefacts(store: Store, records: Sequence[Record]) -> list[RemovableItem]:
    """Folders of artefacts of fits that none of these records comes from, and whose state is not kept either."""
    fits = {key for record in records for key in (record.fit_key, record.spec.fit.source) if key}
    folders = (path for path in sorted((store.root / "artefacts").glob("[!.]*")) if path.is_dir())
    return [
        removable_item("orphans", str(path.relative_to(store.root)), path, lock=store.lock_path(path.name))
        for path in folders
        if _is_lost(path.name, fits)
        and not any((store.root / folder / f"{path.name}.pt").exists() for folder in _STATES)
    ]


def _models(store: Store, records: Sequence[Record]) -> list[RemovableItem]:
    """Kept models of fits that none of these records comes from."""
    fits = {record.fit_key for record in records}
    return [
        removable_item("orphans", str(path.relative_to(store.root)), path, lock=store.lock_path(key))
        for key, path in store.kept_models().items()
        if _is_lost(key, fits)
    ]


def _tracebacks(store: Store, records: Sequence[Record], staying: Sequence[Record]) -> list[RemovableItem]:
    """Tracebacks but those of failed `records` and of the source fits of failed `staying` ones."""
    keys = {record.key for record in records if record.status == "failed"}
    keys |= {record.spec.fit.source or "" for record in staying if record.status == "failed"}
    lost = (path for path in _files(store.root / "tracebacks", "*.txt") if _is_lost(path.stem, keys))
    return [removable_item("tracebacks", str(path.relative_to(store.root)), path) for path in lost]


def _is_lost(name: str, keys: Collection[str]) -> bool:
    """True for a key that is none of these; what has another name is not ours."""
    return name not in keys and _KEY.fullmatch(name) is not None


def _young(store: Store, lost: Sequence[RemovableItem]) -> list[RemovableItem]:
    """Items younger than `YOUNG_SECONDS`, if a process is at work in the folder; else none."""
    since = (time.time() - YOUNG_SECONDS) * 1e9
    young = [item for item in lost if item.stamp and item.stamp[1] > since]
    return young if young and is_at_work(store.root) else []


def _files(folder: Path, pattern: str) -> list[Path]:
    """The files in a folder without those that are being written, sorted."""
    return [path for path in sorted(folder.glob(pattern)) if path.is_file() and not path.name.startswith(".")]
