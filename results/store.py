"""Results folder: one JSON file a run, written atomically, and the claims of processes at work in it.

records/<2 hex>/<key>.json    scores/<2 hex>/<key>.npz    checkpoints/<fit_key>.pt
artefacts/<fit_key>/    models/<2 hex>/<fit_key>.safetensors
locks/<fit_key>.lock, .claim (without locks), .json (progress), .crash    tracebacks/<key>.txt
set_aside/ (records that could not be read)
"""

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from results import locks
from results.errors import ResultsError
from results.files import make_folder, read_bounded, write_atomic
from results.index import RecordIndex, index_file
from results.record import LARGEST_RECORD, DamagedRecordError, Record, decode_record, encode_record

if TYPE_CHECKING:
    from results.scores import Scores


@dataclass(frozen=True)
class ReadRecord:
    """A record and its file, or why it cannot be read: `problem` continues a sentence that starts with `origin`.

    `damaged` is False for a record that a newer version of this project wrote.
    """

    origin: str
    record: Record | None
    problem: str = ""
    damaged: bool = False


def read_records(root: Path) -> Iterator[tuple[Path, ReadRecord]]:
    """The files of records in a folder, sorted by key, each with its content."""
    for path in map(Path, record_files(root)):
        content = read_record(path)
        if content is not None:
            yield path, content


def record_files(root: Path) -> list[os.DirEntry[str]]:
    """The files of records in a folder, sorted by key; what cannot be listed holds none."""
    folders = [entry.path for entry in _entries(root / "records") if len(entry.name) == 2 and entry.is_dir()]
    files = [entry for folder in folders for entry in _entries(folder) if entry.name.endswith(".json")]
    return sorted(files, key=lambda entry: entry.path)


def read_record(path: Path) -> ReadRecord | None:
    """Content of the file of one record; None where there is no such file."""
    try:
        data = read_bounded(path, LARGEST_RECORD)
    except ResultsError as error:
        return ReadRecord(str(path), None, str(error), damaged=True)
    except FileNotFoundError:
        return ReadRecord(str(path), None, "is a link to nothing", damaged=True) if path.is_symlink() else None
    except OSError as error:
        return ReadRecord(str(path), None, f"cannot be read: {error.strerror or error}")
    content = _decoded(data, str(path))
    if content.record is not None and content.record.key != path.stem:
        return ReadRecord(str(path), None, "lies under another key", damaged=True)
    return content


def read_record_lines(path: Path) -> Iterator[ReadRecord]:
    """The records of a file as `results.maintenance.export.lines` writes it, one a line.

    Raises:
        ResultsError: it cannot be read at all.
    """
    try:
        if not path.is_file():
            raise ResultsError(f"cannot read {path}: it is no file; give another")
        with path.open("rb") as handle:
            for number, line in enumerate(_bounded(handle), 1):
                if len(line) > LARGEST_RECORD or line.strip():
                    yield _decoded(line, f"{path}:{number}")
    except OSError as error:
        raise ResultsError(f"cannot read {path}: {error.strerror or error}; give another file") from error


class Store:
    """Records under one folder. `warn` gets one sentence for each record that was set aside or could not be read.

    `indexes` is a folder in which an index of the records is kept, so that those which have not changed since they were
    verified are read at once.

    Raises:
        ResultsError: the folder is a file.
    """

    def __init__(
        self, root: Path, warn: Callable[[str], None] = lambda _: None, *, indexes: Path | None = None
    ) -> None:
        if root.exists() and not root.is_dir():
            raise ResultsError(f"the results folder {root} is a file: choose another with --results or BENCH_RESULTS")
        self.root = root
        self._warn = warn
        self._indexes = indexes

    def record_path(self, key: str) -> Path:
        return self.root / "records" / key[:2] / f"{key}.json"

    def scores_path(self, key: str) -> Path:
        return self.root / "scores" / key[:2] / f"{key}.npz"

    def checkpoint_path(self, fit_key: str) -> Path:
        return self.root / "checkpoints" / f"{fit_key}.pt"

    def artefacts_path(self, fit_key: str) -> Path:
        return self.root / "artefacts" / fit_key

    def model_path(self, fit_key: str) -> Path:
        return self.root / "models" / fit_key[:2] / f"{fit_key}.safetensors"

    def kept_models(self) -> dict[str, Path]:
        """The files of kept models by the keys of their fits, sorted."""
        return {path.stem: path for path in sorted((self.root / "models").glob("??/[!.]*.safetensors"))}

    def lock_path(self, fit_key: str) -> Path:
        return self.root / "locks" / f"{fit_key}.lock"

    def progress_path(self, fit_key: str) -> Path:
        return self.root / "locks" / f"{fit_key}.json"

    def fits_at_work(self) -> set[str]:
        """Keys of the fits that have a progress file, of any call; empty where the folder cannot be read."""
        try:
            with os.scandir(self.root / "locks") as entries:
                return {entry.name.removesuffix(".json") for entry in entries if entry.name.endswith(".json")}
        except OSError:
            return set()

    def crash_path(self, fit_key: str) -> Path:
        return self.root / "locks" / f"{fit_key}.crash"

    def crash_dump(self, fit_key: str) -> str:
        """Tracebacks that a fit left when it ended its process; empty where there are none."""
        try:
            return self.crash_path(fit_key).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def traceback_path(self, key: str) -> Path:
        return self.root / "tracebacks" / f"{key}.txt"

    def get(self, key: str) -> Record | None:
        """The record of `key`, or None where there is none; what is no record is set aside.

        Raises:
            ResultsError: there is one that may not be replaced: a newer version wrote it, or it cannot be read now.
        """
        content = read_record(self.record_path(key))
        if content is None:
            return None
        if content.record is None and not content.damaged:
            raise ResultsError(f"record {content.origin} {content.problem}")
        if content.record is None:
            self._set_aside(self.record_path(key), content.problem)
        return content.record

    def records(self) -> Iterator[Record]:
        """All readable records, sorted by key; of the others those that are damaged are set aside."""
        index = RecordIndex(index_file(self._indexes, self.root)) if self._indexes else None
        for entry in record_files(self.root):
            record = index.get(entry) if index else None
            if record is None:
                record = self._read(Path(entry.path))
                if index and record is not None:
                    index.add(entry, record)
            if record is not None:
                yield record
        if index:
            index.write()

    def _read(self, path: Path) -> Record | None:
        """The record in a file that is there; a damaged one is set aside."""
        content = read_record(path)
        if content is None:
            return None
        if content.record is None and content.damaged:
            self._set_aside(path, content.problem)
        elif content.record is None:
            self._warn(f"record {content.origin} {content.problem}; it is not counted")
        return content.record

    def put(self, record: Record, scores: "Scores | None" = None) -> None:
        """Keep a record and its scores; the record comes last, so that it never stands without them.

        Raises:
            DamagedRecordError: the record could not be read again.
            ResultsError: it cannot be written.
        """
        data = encode_record(record)
        decode_record(data)
        if scores is not None:
            write_atomic(self.scores_path(record.key), scores.encode())
        write_atomic(self.record_path(record.key), data)

    def scores(self, key: str) -> "Scores":
        """The scores of a run.

        Raises:
            ResultsError: there are none that can be read.
        """
        from results.scores import LARGEST_SCORES, Scores

        try:
            return Scores.decode(read_bounded(self.scores_path(key), LARGEST_SCORES))
        except (OSError, ValueError, ResultsError) as error:
            raise ResultsError(
                f"no readable scores of run {key[:8]} in {self.root} ({error}): run it again with --force"
            ) from error

    def check_writable(self) -> None:
        """Write and remove a file, so that a folder which cannot be written is found before hours of training.

        Raises:
            ResultsError: it cannot.
        """
        probe = self.root / "locks" / "probe"
        write_atomic(probe, b"swanbench\n" * 512)
        probe.unlink(missing_ok=True)

    @contextlib.contextmanager
    def claim(self, fit_key: str) -> Iterator[bool]:
        """Hold the lock of a fit; yields False at once where a living process holds it. It dies with its holder."""
        with contextlib.ExitStack() as stack:
            path = self.lock_path(fit_key)
            try:
                mine = stack.enter_context(locks.claim(path))
            except OSError as error:
                raise ResultsError(
                    f"cannot lock {path}: {error.strerror or error}; make its folder writable for all who share it, or "
                    "choose another with --results"
                ) from error
            if mine:
                stack.callback(self._forget_progress, fit_key)
            yield mine

    def _forget_progress(self, fit_key: str) -> None:
        with contextlib.suppress(OSError):  # a folder that is gone has taken it along
            self.progress_path(fit_key).unlink(missing_ok=True)

    def holder(self, fit_key: str) -> locks.Holder:
        """Holder of the claim of a fit, as far as it is known; asked where the claim could not be had."""
        return locks.holder(self.lock_path(fit_key))

    def _set_aside(self, path: Path, reason: str) -> None:
        target = self.root / "set_aside" / path.name
        try:
            make_folder(target.parent)
            target = next(path for path in _numbered_paths(target) if not os.path.lexists(path))
            path.rename(target)
        except OSError:
            self._warn(f"record {path} {reason}; it is not counted: remove it or run it again with --force")
        else:
            self._warn(f"record {path} {reason}; set aside as {target}, its run counts as missing")


def _entries(folder: Path | str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def _bounded(handle: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; one that is longer than a record may be is cut to one byte more than that."""
    while line := handle.readline(LARGEST_RECORD + 1):
        yield line
        while len(line) > LARGEST_RECORD and not line.endswith(b"\n"):
            line = handle.readline(LARGEST_RECORD + 1)


def _decoded(data: bytes, origin: str) -> ReadRecord:
    try:
        return ReadRecord(origin, decode_record(data))
    except DamagedRecordError as error:
        return ReadRecord(origin, None, str(error), damaged=True)
    except ResultsError as error:
        return ReadRecord(origin, None, str(error))


def _numbered_paths(path: Path) -> Iterator[Path]:
    """A path, then `stem.1.suffix`, `stem.2.suffix`, ... beside it, so that no file is overwritten."""
    yield path
    yield from (path.with_name(f"{path.stem}.{number}{path.suffix}") for number in itertools.count(1))
