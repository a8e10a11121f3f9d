"""Feature maps on the disk: a row for each image that one frozen network saw, within a limit for all networks together.

A folder holds `rows.bin`, in which an image's row stands at its place in the image store, `rows.sha256`, the SHA-256 of
each row (zeros where there is none yet), and `meta.json`, what the rows depend on and how they are laid out, with a
digest of its own. Whoever
computes a row writes the same bytes, and its digest follows it: writers need not wait for each other, and of a writer
that was killed only whole rows count. A process that uses a folder holds a shared lock on the file beside it; the
least recently used folder without such a lock makes room for new rows.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import stat
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from benchmark.errors import BenchError

FEATURES = "features"
"""Folder below `BENCH_CACHE`."""
LIMIT = "BENCH_FEATURES_GIB"
"""Variable with the limit for all rows together, in GiB; 0 keeps none."""
USUAL_GIB = 10.0
DISK_RESERVE = 2 << 30
"""Bytes of disk that rows leave free: records matter more."""

FEATURE_ROWS, FEATURE_DIGESTS, FEATURE_META = "rows.bin", "rows.sha256", "meta.json"
FEATURE_VERSION = 2
_DIGEST_BYTES = 32
_ALIGNED = 64

RowIndex = npt.NDArray[np.intp]
Bytes = npt.NDArray[np.uint8]


class MapForm(msgspec.Struct, frozen=True):
    """Form of an image's map: torch's name of its type, shape and strides in elements, first byte and length."""

    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    start: int
    length: int


class FeatureMeta(msgspec.Struct, frozen=True):
    """Contents of `meta.json`; without `forms` nothing is kept, since maps depend on the batch that they come from.

    `digest` is the SHA-256 of all the rest: other strides would turn whole rows into other maps.
    """

    version: int
    facts: dict[str, str]
    count: int
    forms: tuple[MapForm, ...]
    digest: str = ""

    @property
    def is_whole(self) -> bool:
        return self.digest == self.own_digest

    @property
    def own_digest(self) -> str:
        return hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(self, digest=""), order="sorted")).hexdigest()

    @property
    def row_bytes(self) -> int:
        last = self.forms[-1]
        return -(-(last.start + last.length) // _ALIGNED) * _ALIGNED


@dataclass(frozen=True)
class KeptFeatures:
    """A folder of rows as an inventory sees it; `problem` says why no fit can use it, empty where one may."""

    folder: Path
    size: int
    last_used: float
    meta: FeatureMeta | None
    problem: str = ""

    @property
    def lock(self) -> Path:
        return _lock_of(self.folder)


def feature_limit() -> int:
    """Bytes that all rows together may take on the disk.

    Raises:
        BenchError: the variable holds no such number.
    """
    text = os.environ.get(LIMIT) or str(USUAL_GIB)
    try:
        gib = float(text)
    except ValueError:
        gib = -1.0
    if not 0 <= gib < 2**20:
        raise BenchError(f"{LIMIT} is '{text}': give the GiB that feature maps may take on the disk, or 0 to keep none")
    return int(gib * 2**30)


def map_forms(parts: Sequence[tuple[str, tuple[int, ...], tuple[int, ...], int]]) -> tuple[MapForm, ...]:
    """The forms of maps (type, shape, strides, bytes), one behind another in a row."""
    forms: list[MapForm] = []
    start = 0
    for dtype, shape, strides, length in parts:
        forms.append(MapForm(dtype, shape, strides, start, length))
        start += -(-length // _ALIGNED) * _ALIGNED
    return tuple(forms)


def kept_features(parent: Path) -> Iterator[KeptFeatures]:
    """The folders of rows in `parent`, sorted by name."""
    for folder in sorted(parent.glob("[!.]*")):
        with contextlib.suppress(FileNotFoundError):
            if folder.is_dir():
                meta = _read_meta(folder)
                problem = "it is not whole" if meta is None else ""
                if meta is not None and meta.version != FEATURE_VERSION:
                    problem = "another version of swanbench made it"
                yield KeptFeatures(folder, _allocated(folder), _last_used(folder), meta, problem)


class FeatureFolder:
    """The rows of one network over one image store, as `facts` name them, held against removal by this process.

    Its methods raise OSError where the file system does not allow what they do.
    """

    def __init__(self, parent: Path, facts: Mapping[str, str], count: int, limit: int) -> None:
        self._facts = dict(facts)
        self._parent = parent
        self._count = count
        self._limit = limit
        self.folder = parent / hashlib.sha256(json.dumps(self._facts, sort_keys=True).encode()).hexdigest()
        parent.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(_lock_of(self.folder), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self.close = weakref.finalize(self, os.close, self._lock)
        """Let the folder go, so that others may remove it; so does the end of this object."""
        fcntl.flock(self._lock, fcntl.LOCK_SH)
        if os.path.lexists(self.folder) and self._damage() is not None:
            self._remove_damaged()
        with contextlib.suppress(OSError):
            os.utime(self.folder / FEATURE_META)

    @property
    def meta(self) -> FeatureMeta | None:
        """What the folder holds; None before anybody created it."""
        if "_meta" not in self.__dict__ and self._damage() is not None:
            return None
        return self._meta

    def create(self, forms: Sequence[MapForm]) -> None:
        """Make the folder, unless somebody else did meanwhile; without `forms` it says that no rows can be kept."""
        meta = FeatureMeta(FEATURE_VERSION, self._facts, self._count, tuple(forms))
        meta = msgspec.structs.replace(meta, digest=meta.own_digest)
        with _exclusive(self._parent):
            if self.folder.exists():
                return
            building = self.folder.with_name(f".{self.folder.name}.{os.uname().nodename}.{_unique()}.tmp")
            building.mkdir()
            row_bytes = meta.row_bytes if forms else 0
            for name, size in ((FEATURE_ROWS, row_bytes), (FEATURE_DIGESTS, _DIGEST_BYTES if forms else 0)):
                with (building / name).open("wb") as file:
                    file.truncate(size * self._count)
            (building / FEATURE_META).write_bytes(msgspec.json.encode(meta))
            building.rename(self.folder)

    def present(self, rows: RowIndex) -> npt.NDArray[np.bool_]:
        """(k,): the row is there and whole. A row is compared with its digest when it is first asked for."""
        digests = np.array(self._digests[rows])
        present = np.asarray(digests.any(axis=1), dtype=np.bool_)
        for place in np.flatnonzero(present & ~self._checked[rows]):
            row = int(rows[place])
            whole = hashlib.sha256(self._rows[row].data).digest() == digests[place].tobytes()
            present[place] = whole
            self._checked[row] = whole
        return present

    def read(self, row: int, form: MapForm) -> Bytes:
        """The bytes of one map of a row that is present."""
        return self._rows[row, form.start : form.start + form.length]

    def write(self, rows: RowIndex, maps: Sequence[Bytes]) -> bool:
        """Keep rows, of whose maps the bytes (k, length) are given; False where there is no room for them.

        What cannot be used any more, and then what was not used for the longest time, makes room.
        """
        meta = self._meta
        blobs = np.zeros((len(rows), meta.row_bytes), np.uint8)
        for form, part in zip(meta.forms, maps, strict=True):
            blobs[:, form.start : form.start + form.length] = part
        with _exclusive(self._parent):
            if not self._has_room(blobs.nbytes):
                return False
            with (self.folder / FEATURE_ROWS).open("r+b") as file:
                for row, blob in zip(rows, blobs, strict=True):
                    os.pwrite(file.fileno(), blob.data, int(row) * meta.row_bytes)
            with (self.folder / FEATURE_DIGESTS).open("r+b") as file:
                for row, blob in zip(rows, blobs, strict=True):
                    os.pwrite(file.fileno(), hashlib.sha256(blob.data).digest(), int(row) * _DIGEST_BYTES)
        return True

    @cached_property
    def _meta(self) -> FeatureMeta:
        meta = _read_meta(self.folder)
        if meta is None:
            raise FileNotFoundError(2, "it is gone", str(self.folder / FEATURE_META))
        return meta

    @cached_property
    def _rows(self) -> Bytes:
        return self._mapped(FEATURE_ROWS, self._meta.row_bytes)

    @cached_property
    def _digests(self) -> Bytes:
        return self._mapped(FEATURE_DIGESTS, _DIGEST_BYTES)

    @cached_property
    def _checked(self) -> npt.NDArray[np.bool_]:
        return np.zeros(self._count, np.bool_)

    def _mapped(self, name: str, width: int) -> Bytes:
        mapped: Any = np.memmap(self.folder / name, np.uint8, "r", shape=(self._count, width))
        return np.asarray(mapped)

    def _damage(self) -> str | None:
        """The file that is not as it was made; None where all are."""
        meta = _read_meta(self.folder)
        if meta is None or meta.facts != self._facts or meta.count != self._count or meta.version != FEATURE_VERSION:
            return FEATURE_META
        widths = {FEATURE_ROWS: meta.row_bytes, FEATURE_DIGESTS: _DIGEST_BYTES} if meta.forms else {}
        for name, width in widths.items():
            if _size(self.folder / name) != width * self._count:
                return name
        return None

    def _remove_damaged(self) -> None:
        """Make way for a new folder; raises BlockingIOError where another process uses this one."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(self.folder)
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_SH)

    def _has_room(self, needed: int) -> bool:
        if shutil.disk_usage(self._parent).free < needed + DISK_RESERVE:
            return False
        others = sorted(kept_features(self._parent), key=lambda kept: (not kept.problem, kept.last_used))
        total = sum(kept.size for kept in others)
        for kept in others:
            if total + needed <= self._limit:
                break
            if kept.folder != self.folder and _remove_unused(kept):
                total -= kept.size
        return total + needed <= self._limit


@contextlib.contextmanager
def _exclusive(parent: Path) -> Iterator[None]:
    """One process at a time makes, fills and removes folders; the lock dies with its holder."""
    descriptor = os.open(parent / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_unused(kept: KeptFeatures) -> bool:
    """Remove a folder unless a process uses it; whether it is gone."""
    descriptor = os.open(kept.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(kept.folder)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _remove(folder: Path) -> None:
    """Take a folder away in one step, then its files; of a link, or a file in its place, that alone."""
    old = folder.with_name(f".{folder.name}.{os.uname().nodename}.{_unique()}.tmp")
    folder.rename(old)
    if old.is_symlink() or not old.is_dir():
        old.unlink()
    else:
        shutil.rmtree(old)


def _read_meta(folder: Path) -> FeatureMeta | None:
    """What a folder says of itself, also of another version; None where it is not there or not as it was written."""
    try:
        meta = msgspec.json.decode((folder / FEATURE_META).read_bytes(), type=FeatureMeta)
    except (OSError, msgspec.DecodeError):
        return None
    return meta if meta.is_whole or meta.version != FEATURE_VERSION else None


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")


def _unique() -> str:
    return f"{os.getpid()}.{secrets.token_hex(4)}"


def _size(path: Path) -> int:
    """Bytes of a file; -1 where there is none of our own, such as a link that would be written through."""
    try:
        state = path.lstat()
    except OSError:
        return -1
    return state.st_size if stat.S_ISREG(state.st_mode) else -1


def _allocated(folder: Path) -> int:
    """Bytes of disk that the files of a folder take; rows that were never written take none."""
    return sum(512 * entry.stat().st_blocks for entry in os.scandir(folder))


def _last_used(folder: Path) -> float:
    """UNIX time of the last use; 0 where the folder is not whole."""
    try:
        return (folder / FEATURE_META).stat().st_mtime
    except OSError:
        return 0.0
