"""What a results folder holds that no report counts: failed and stale records, and files that lost their record."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from results.locks import is_at_work
from results.maintenance.removal import Item, item
from results.record import Record
from results.store import ReadRecord, Store, read_records

KINDS = ("failed", "stale", "set_aside", "orphans", "tracebacks")
"""Failed records with their tracebacks; records of an older version of their detector, with their scores; records that
cannot be read, set aside or not; scores and artefacts without a record; tracebacks without a failed record.
"""

YOUNG_SECONDS = 3600.0
"""Scores and tracebacks this young may be waiting for their record while somebody is at work in the folder."""

_KEPT = ("fits", "checkpoints")


@dataclass(frozen=True)
class Found:
    """What there is of each kind, and sentences on what is left although it may look like one."""

    items: tuple[Item, ...]
    remarks: tuple[str, ...] = ()

    def of(self, kinds: Collection[str]) -> tuple[Item, ...]:
        return tuple(one for one in self.items if one.kind in kinds)


def find(store: Store, versions: Mapping[str, int], chosen: Collection[str] = ()) -> Found:
    """Everything of every kind; changes nothing.

    `versions` is the current version of each detector. Orphans and tracebacks are those that there are when the records
    of the `chosen` kinds are gone.
    """
    seen = list(read_records(store.root))
    records = [one for path, each in seen for one in _of_record(store, path, each, versions)]
    going = {one.files[0] for one in records if one.kind in chosen}
    staying = [each for path, each in seen if path not in going]
    left = [each.record for each in staying if each.record]
    remarks = [f"{each.where} {each.problem}: it is left" for _, each in seen if not each.record and not each.damaged]

    artefacts = _artefacts(store, left)
    if artefacts and len(left) < len(staying):
        remarks.append(f"{len(artefacts)} folders of artefacts are left: a record that cannot be read may be theirs")
        artefacts = []
    lost = [
        *_scores(store, {path.stem for path, each in seen if path not in going or each.record}),
        *_tracebacks(store, [each.record for _, each in seen if each.record], left),
    ]
    young = _young(store, lost)
    if young:
        remarks.append(f"{len(young)} new files without a record are left: a fit is at work in {store.root}")
    aside = [item("set_aside", path.name, path) for path in sorted((store.root / "set_aside").glob("*"))]
    found = [*records, *aside, *artefacts, *(one for one in lost if one not in young)]
    return Found(tuple(sorted(found, key=lambda one: KINDS.index(one.kind))), tuple(remarks))


def _of_record(store: Store, path: Path, seen: ReadRecord, versions: Mapping[str, int]) -> Iterator[Item]:
    """The item that a record's file is, if it is one."""
    record = seen.record
    if record is None:
        if seen.damaged:
            yield item("set_aside", path.name, path)
        return
    fit, belongings = record.spec.fit, (store.scores_path(record.key), store.traceback_path(record.key))
    older = fit.version < versions.get(fit.detector, fit.version)
    if record.status == "failed" or older:
        text = f"version {fit.version}, today's is {versions.get(fit.detector)}" if older else record.error
        yield item(
            "failed" if record.status == "failed" else "stale",
            f"{record.spec.name} ({text})",
            path,
            *(file for file in belongings if file.is_file()),
            lock=store.lock_path(record.fit_key),
        )


def _scores(store: Store, keys: Collection[str]) -> list[Item]:
    """Files of scores without a record among these keys."""
    lost = (path for path in _files(store.root / "scores", "??/*.npz") if path.stem not in keys)
    return [item("orphans", str(path.relative_to(store.root)), path) for path in lost]


def _artefacts(store: Store, records: Sequence[Record]) -> list[Item]:
    """Folders of artefacts of fits that none of these records comes from, and whose state is not kept either."""
    fits = {key for record in records for key in (record.fit_key, record.spec.fit.source) if key}
    folders = (path for path in sorted((store.root / "artefacts").glob("[!.]*")) if path.is_dir())
    return [
        item("orphans", str(path.relative_to(store.root)), path, lock=store.lock_path(path.name))
        for path in folders
        if path.name not in fits and not any((store.root / kept / f"{path.name}.pt").exists() for kept in _KEPT)
    ]


def _tracebacks(store: Store, records: Sequence[Record], staying: Sequence[Record]) -> list[Item]:
    """Tracebacks of none of these records, nor of the source that a failed one of those that stay names."""
    keys = {record.key for record in records if record.status == "failed"}
    keys |= {record.spec.fit.source or "" for record in staying if record.status == "failed"}
    lost = (path for path in _files(store.root / "tracebacks", "*.txt") if path.stem not in keys)
    return [item("tracebacks", str(path.relative_to(store.root)), path) for path in lost]


def _young(store: Store, lost: Sequence[Item]) -> list[Item]:
    """Those that were written just now, if somebody is at work in the folder."""
    since = (time.time() - YOUNG_SECONDS) * 1e9
    young = [one for one in lost if one.stamp and one.stamp[1] > since]
    return young if young and is_at_work(store.root) else []


def _files(folder: Path, pattern: str) -> list[Path]:
    """The files in a folder but those that are being written, sorted."""
    return [path for path in sorted(folder.glob(pattern)) if path.is_file() and not path.name.startswith(".")]
