"""Demands on the gate: reference runs, cells and runs of `--require`, and records that nobody can read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec import UNSET

from benchmark.errors import BenchError
from benchmark.paths import resolve_folders
from benchmark.views.records import REFERENCE
from protocols.text import near_miss
from reports.gates.faults import Fault
from reports.gates.required import Required
from results import reference
from results.errors import ResultsError
from results.maintenance.twins import disagreements
from results.record import Record
from results.store import ReadRecord, read_record, read_record_lines, read_records, record_files

PUBLISHED = "published"


@dataclass(frozen=True)
class ReferenceRuns:
    """Records to compare with, and faults for those that cannot be read."""

    records: tuple[Record, ...]
    unreadable: tuple[Fault, ...] = ()

    @property
    def contradictions(self) -> list[str]:
        return list(disagreements((record, "among the references") for record in self.records))


def read_references(against: str) -> ReferenceRuns:
    """The reference runs that `--against` names; nothing is changed in a folder of them.

    Raises:
        BenchError: `against` is neither `reference`, nor a folder, nor a file in which a record can be read.
    """
    path = Path(against)
    if against == REFERENCE:
        return ReferenceRuns(tuple(reference.reference_records()))
    if path.is_dir():
        return _read(record for _, record in read_records(path))
    if not path.is_file():
        hint = near_miss(against, (PUBLISHED, REFERENCE))
        raise BenchError(f"--against {against}: neither published, nor reference, nor a file or folder of runs: {hint}")
    runs = _read(_lines(path, "--against"))
    if runs.unreadable and not runs.records:
        fault = runs.unreadable[0]
        raise BenchError(f"--against {fault.name} {fault.reason}: give what bench results export --format jsonl writes")
    return runs


def read_required(path: Path) -> Required:
    """Demands of a file of `--require`: records, or one cell id or run name a line; a line that starts with # is none.

    A results folder names its records.

    Raises:
        BenchError: there is no such file, a record in it cannot be read, or it names nothing.
    """
    form = "give records, or a cell id or run name a line"
    if not path.exists():
        raise BenchError(f"--require {path}: there is no such file; {form}")
    try:
        texts = [] if path.is_dir() else path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"--require {path}: cannot be read ({error}); {form}") from error
    lines = tuple(line for text in texts if (line := text.strip()) and not line.startswith("#"))
    if lines and not lines[0].startswith("{"):
        return Required(lines=lines)
    runs = ReferenceRuns(())
    if lines or path.is_dir():
        runs = _read((record for _, record in read_records(path)) if path.is_dir() else _lines(path, "--require"))
    for fault in runs.unreadable:
        raise BenchError(f"--require {fault.name} {fault.reason}: {form}")
    if not runs.records:
        raise BenchError(f"--require {path}: names nothing; {form}")
    return Required(records=runs.records)


def unread_records(folders: Sequence[Path], records: Iterable[Record]) -> list[Fault]:
    """Records of results folders that could not be read, just now or earlier: their runs are no success.

    `folders` were given to `load_records`, which returned `records`; a run that was made again is one of these.
    """
    keys = {record.key for record in records}
    reason = "cannot be read, so its run is missing: run it again with --force, or remove the file"
    return [
        Fault("unreadable", str(path), reason)
        for folder in folders or (resolve_folders().results,)
        for path in (*map(Path, record_files(folder)), *sorted(folder.glob("set_aside/*.json")))
        if path.stem not in keys and not _is_audit(path)
    ]


def _is_audit(path: Path) -> bool:
    content = read_record(path)
    return bool(content and content.record and content.record.audit is not UNSET)


def _lines(path: Path, option: str) -> Iterable[ReadRecord]:
    try:
        return list(read_record_lines(path))
    except ResultsError as error:
        raise BenchError(f"{option} {path}: {error}") from error


def _read(lines: Iterable[ReadRecord]) -> ReferenceRuns:
    records_read = list(lines)
    return ReferenceRuns(
        records=tuple(record.record for record in records_read if record.record),
        unreadable=tuple(
            Fault("unreadable", record.origin, record.problem) for record in records_read if record.record is None
        ),
    )
