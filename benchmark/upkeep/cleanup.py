"""Files that `bench clean` may remove: those that can be made again and serve nobody, and what killed writers left."""

import json
import os
import re
import socket
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from benchmark.execution.stores import feature_files
from benchmark.paths import Folders
from results.files import disk_size
from results.locks import is_at_work, is_locked
from results.maintenance.removal import RemovableItem, removable_item, remove_item
from results.record import Record
from results.store import Store, read_records

OLD_SECONDS = 3600.0
"""A write takes seconds; what a writer left may go when it is this old and the writer is dead."""

STORE, FEATURES, CHECKPOINT, STATE, MODEL, NOTE, TEMPORARY = (
    "image store",
    "feature maps",
    "checkpoint",
    "fit state",
    "kept model",
    "note",
    "temporary file",
)
COST = "cost of fits"

_ATOMIC = re.compile(r"\A\.(?P<rest>.+)\.(?P<pid>\d+)\.[0-9a-f]{8}(?:\.tmp)?\Z")
_NOTE = re.compile(r"\A[0-9a-f]{64}\.json\w{8}\Z")
_ROOMS = ("records", "scores", "checkpoints", "fits", "models", "locks", "tracebacks", "artefacts")


@dataclass(frozen=True)
class Leftovers:
    """Items that may go, and sentences on those that stay although they can be made again."""

    items: tuple[RemovableItem, ...]
    remarks: tuple[str, ...]


def find_leftovers(
    folders: Folders, *, stores: bool = False, fits: bool = False, models: bool = False, costs: bool = False
) -> Leftovers:
    """Everything that may go; changes nothing.

    `stores` takes all image stores and feature maps, `fits` all kept states of fits, `models` all kept models, `costs`
    what was measured of the time of fits.

    What a living process has locked is left out, as is every image store while a fit is at work in the results folder.
    """
    remarks: list[str] = []
    items = [
        *_image_stores(folders, remarks, every=stores),
        *_feature_maps(folders, remarks, every=stores),
        *_of_fits(Store(folders.results), remarks, every=fits, models=models),
        *_notes(folders.cache),
        *_costs(folders.cache, remarks, every=costs),
        *_temporary(folders, remarks),
        *_slurm_jobs(folders.results, remarks),
    ]
    locked = [leftover for leftover in items if leftover.lock is not None and is_locked(leftover.lock)]
    remarks += [f"left, a living process is at work on it: {leftover.kind} {leftover.name}" for leftover in locked]
    return Leftovers(tuple(leftover for leftover in items if leftover not in locked), tuple(remarks))


def clear_item(leftover: RemovableItem, folders: Folders) -> str | None:
    """Remove an item; the reason where it is left instead. Raises ResultsError where it cannot be removed."""
    if leftover.kind == STORE and (is_at_work(folders.results) or _is_mapped(leftover.files[0])):
        return "a process uses it"
    return remove_item(leftover)


def _image_stores(folders: Folders, remarks: list[str], *, every: bool) -> list[RemovableItem]:
    """Image stores that no prepared dataset can use, or every one."""
    from protocols.catalogue import data_folder
    from protocols.datasets.manifest import read_manifest
    from protocols.errors import DataError
    from protocols.images import cache

    arrays = list(cache.stored_arrays((folders.cache / "images").absolute()))
    prints: set[str] = set()
    unsure: set[str] = set()
    for name in data_folder.prepared(folders.data) if arrays else ():
        try:
            prints.add(read_manifest(folders.data / name, name).fingerprint)
        except DataError:
            unsure.add(name)
    stores = []
    for array in arrays:
        reason = array.problem
        if not reason and array.fingerprint not in prints and array.dataset not in unsure:
            reason = f"not of a dataset in {folders.data}"
        if reason or every:
            name = f"{array.dataset} at {array.size} px, {array.resize}" if array.dataset else "unknown"
            text = f"{name} ({reason or 'decoded again when needed'}): {array.folder}"
            stores.append(removable_item(STORE, text, array.folder, lock=array.lock))
    used = [store for store in stores if _is_mapped(store.files[0])]
    if stores and is_at_work(folders.results):
        used = stores
    remarks += [f"left, a process uses it or a fit is at work: {store.kind} {store.name}" for store in used]
    return [store for store in stores if store not in used]


def _feature_maps(folders: Folders, remarks: list[str], *, every: bool) -> list[RemovableItem]:
    """Feature maps that no fit can use, or all; a process that uses them holds a lock."""
    kept = list(feature_files.kept_features(folders.cache / feature_files.FEATURES))
    codes = _codes() if kept else set()
    items, stay = [], 0
    for features in kept:
        facts = features.meta.facts if features.meta else {}
        reason = features.problem
        if not reason and facts.get("code") not in codes:
            reason = "no detector has the code that made it"
        if reason or every:
            name = f"{facts['network']} at {facts['layers']}" if {"network", "layers"} <= facts.keys() else "unknown"
            text = f"{name} ({reason or 'computed again when needed'}): {features.folder}"
            item = removable_item(FEATURES, text, features.folder, lock=features.lock)
            items.append(replace(item, size=features.size))
        else:
            stay += features.size
    if stay:
        from protocols.text import size_in_words

        remarks.append(f"feature maps stay, fits may read them ({size_in_words(stay)}): --stores takes them too")
    return items


def _of_fits(store: Store, remarks: list[str], *, every: bool, models: bool) -> Iterator[RemovableItem]:
    """Checkpoints of fits that are done, kept states that no run can start from, models of fits without a record."""
    contents = list(read_records(store.root))
    stored = [(path, each.record) for path, each in contents if each.record]
    yield from _checkpoints(store, stored, remarks)
    is_sure = len(stored) == len(contents)
    yield from _models(store, {record.fit_key for _, record in stored} if is_sure else None, remarks, every=models)
    folder = store.root / "fits"
    keys = sorted({path.stem for path in folder.glob("[!.]*") if path.suffix in {".pt", ".json"}})
    if not keys:
        return
    older, codes = _older_fits(record for _, record in stored), _codes()
    kept_bytes = 0
    for key in keys:
        files = [path for path in (folder / f"{key}.json", folder / f"{key}.pt") if path.is_file()]
        reason = "of an older version of its detector" if key in older else _useless(files, codes)
        if reason or every:
            text = f"{folder / key}.pt ({reason or 'trained again when needed'})"
            yield removable_item(STATE, text, *files, lock=store.lock_path(key))
        else:
            kept_bytes += sum(map(disk_size, files))
    if kept_bytes:
        from protocols.text import size_in_words

        remarks.append(
            f"kept states of fits stay, runs may start from them ({size_in_words(kept_bytes)}): --fits takes them too"
        )


def _models(store: Store, fits: Collection[str] | None, remarks: list[str], *, every: bool) -> Iterator[RemovableItem]:
    """Kept models of fits that none of the records comes from, or all; None: it is not known where they come from."""
    kept_bytes = 0
    for key, path in store.kept_models().items():
        reason = "" if fits is None or key in fits else "no record is of its fit"
        if reason or every:
            text = f"{path} ({reason or 'bench run --keep-models trains it again'})"
            yield removable_item(MODEL, text, path, lock=store.lock_path(key))
        else:
            kept_bytes += disk_size(path)
    if kept_bytes:
        from protocols.text import size_in_words

        remarks.append(
            f"kept models stay, bench score needs them ({size_in_words(kept_bytes)}): --models takes them too"
        )


def _checkpoints(store: Store, stored: list[tuple[Path, Record]], remarks: list[str]) -> Iterator[RemovableItem]:
    """Checkpoints older than a record of their fit; a newer one is of a run that goes on."""
    done: dict[str, float] = {}
    for path, record in stored:
        if record.status == "done":
            done[record.fit_key] = max(done.get(record.fit_key, 0.0), _time(path))
    unfinished = 0
    for path in sorted((store.root / "checkpoints").glob("[!.]*.pt")):
        if _time(path) <= done.get(path.stem, -1.0):
            yield removable_item(CHECKPOINT, f"{path} (its fit is done)", path, lock=store.lock_path(path.stem))
        else:
            unfinished += 1
    if unfinished:
        remarks.append(f"checkpoints of unfinished fits stay in {store.root / 'checkpoints'}: {unfinished}")


def _older_fits(records: Iterator[Record]) -> set[str]:
    """Keys of fits, and of the sources of fits, that an older version of their detector made."""
    from benchmark.planning.equivalence import detector_versions

    today = detector_versions()
    fits = [fit for record in records for fit in (record.spec.fit, record.spec.source) if fit is not None]
    return {fit.fit_key for fit in fits if fit.version < today.get(fit.detector, fit.version)}


def _codes() -> set[str]:
    """Digests of the code behind every detector that is installed."""
    from benchmark.planning.code_digest import code_digest
    from methods.registry import installed

    return {code_digest(module) for module in {info.module for info in installed.methods().values()}}


def _useless(files: list[Path], codes: set[str]) -> str:
    """Reason that no run can start from a kept state; empty if one can."""
    if len(files) < 2:
        return "it is not whole"
    try:
        code = json.loads(files[0].read_bytes())["identity"]["code"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "it is not whole"
    return "" if code in codes else "no detector has the code that made it"


def _notes(cache: Path) -> Iterator[RemovableItem]:
    """Notes by digest: contents of files of weights, datasets that were found right, verified records, statistics."""
    from protocols.catalogue.replaced import NOTES
    from reports.stats.kept import STATISTICS
    from results.index import INDEXES

    notes = ("weights/[!.]*.json", f"{NOTES}/[!.]*.json", f"{INDEXES}/[!.]*.index", f"{STATISTICS}/[!.]*.kept")
    for path in sorted(path for pattern in notes for path in cache.glob(pattern)):
        yield removable_item(NOTE, f"{path} (looked up again when needed)", path)


def _costs(cache: Path, remarks: list[str], *, every: bool) -> Iterator[RemovableItem]:
    """Measured costs of fits, a file a kind."""
    from benchmark.planning.costs.measured import cost_files

    files = cost_files(cache)
    if every:
        for path in files:
            yield removable_item(COST, f"{path} (measured again when fits of its kind are run)", path)
    elif files:
        from protocols.text import size_in_words

        size = size_in_words(sum(map(disk_size, files)))
        remarks.append(f"measured costs of fits stay, plans foretell times from them ({size}): --costs takes them too")


def _temporary(folders: Folders, remarks: list[str]) -> Iterator[RemovableItem]:
    """Leftovers of dead writers: half-written files and folders, progress of fits, downloads of weights."""
    from methods.backbones.table import genuine_files

    for path in _hidden(folders):
        named = _ATOMIC.match(path.name)
        if named is None or not _is_old(path):
            continue
        target = named["rest"].removesuffix(f".{socket.gethostname()}")
        if target == named["rest"]:
            remarks.append(f"left, since its writer was on another machine: {path}; remove it by hand")
        elif _is_dead(int(named["pid"])):
            text = f"{path} (its writer, process {named['pid']}, is dead)"
            yield removable_item(
                TEMPORARY, text, path, lock=path.with_name(f".{target}.lock") if path.is_dir() else None
            )
    locks = folders.results / "locks"
    of_fits = (path for ending in ("json", "part", "crash") for path in locks.glob(f"[!.]*.{ending}"))
    for path in sorted([*of_fits, *locks.glob("probe")]):
        if _is_old(path):
            text = f"{path} (progress of a fit that was killed)"
            yield removable_item(
                TEMPORARY, text, path, lock=None if path.name == "probe" else path.with_suffix(".lock")
            )
    notes = (path for path in (folders.cache / "weights").glob("*") if _NOTE.match(path.name))
    hub = folders.hub / "checkpoints"
    downloads = (path for _, file in genuine_files() for path in hub.glob(f"{file.name}.????????"))
    for path in sorted({*notes, *downloads}):
        if path.is_file() and _is_old(path):
            yield removable_item(TEMPORARY, f"{path} (of a write that broke off)", path)


def _slurm_jobs(results: Path, remarks: list[str]) -> Iterator[RemovableItem]:
    """Files of one's own SLURM jobs that are all over; the call that waited for them was killed, or left their logs."""
    from benchmark.execution.processes.slurm_job import JOBS_FOLDER, jobs_name
    from benchmark.execution.processes.slurm_queue import SlurmError, job_states

    for folder in sorted(path for path in (results / JOBS_FOLDER).glob("[!.]*") if path.is_dir() and _is_old(path)):
        if folder.stat().st_uid != os.getuid():
            remarks.append(f"files of SLURM jobs of another user stay: {folder}")
            continue
        try:
            is_over = all(job.is_over for job in job_states(jobs_name(folder)).values())
        except SlurmError as error:
            remarks.append(f"files of SLURM jobs stay, {error}: {folder}; clean where jobs are submitted")
            continue
        if is_over:
            yield removable_item(TEMPORARY, f"{folder} (its SLURM jobs are over)", folder)


def _hidden(folders: Folders) -> list[Path]:
    """Files and folders that are being written, or were when their writer died."""
    paths = [path for room in _ROOMS for path in (folders.results / room).rglob(".*") if path.is_file()]
    for folder in (folders.data, folders.cache / "images", folders.cache / feature_files.FEATURES):
        paths += [path for path in folder.glob(".*.tmp") if path.is_dir()]
    return sorted(paths)


def _is_dead(process: int) -> bool:
    """True where there is no such process on this machine."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _is_mapped(folder: Path) -> bool:
    """True where a process of this machine that we may look into has a file of `folder` mapped."""
    needle = f"{folder.resolve()}{os.sep}".encode()
    for maps in Path("/proc").glob("[0-9]*/maps"):
        try:
            if needle in maps.read_bytes():
                return True
        except OSError:
            continue
    return False


def _is_old(path: Path) -> bool:
    return time.time() - _time(path) > OLD_SECONDS


def _time(path: Path) -> float:
    """UNIX time of the last write to a file; now where it is gone meanwhile."""
    try:
        return path.stat().st_mtime
    except OSError:
        return time.time()
