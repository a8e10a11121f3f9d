"""What the gate is held against: reference runs, what `--require` names, and records that nobody can read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.errors import BenchError
from benchmark.paths import folders
from benchmark.views.records import REFERENCE
from protocols.text import near_miss
from reports.gates.faults import Fault
from reports.gates.required import Required
from results.errors import ResultsError
from results.maintenance.twins import disagreements
from results.record import Record
from results.reference import reference_records
from results.store import ReadRecord, read_record_lines, read_records

PUBLISHED = "published"


@dataclass(frozen=True)
class References:
    """The records to compare with, what of them cannot be read, and what they say against each other."""

    records: tuple[Record, ...]
    unreadable: tuple[Fault, ...] = ()

    @property
    def contradictions(self) -> list[str]:
        return list(disagreements((record, "among the references") for record in self.records))


def references(against: str) -> References:
    """The reference runs that `--against` names; nothing is changed in a folder of them.

    Raises:
        BenchError: `against` is neither `reference`, nor a folder, nor a file in which a record can be read.
    """
    path = Path(against)
    if against == REFERENCE:
        return References(tuple(reference_records()))
    if path.is_dir():
        return _read(seen for _, seen in read_records(path))
    if not path.is_file():
        hint = near_miss(against, (PUBLISHED, REFERENCE))
        raise BenchError(f"--against {against}: neither published, nor reference, nor a file or folder of runs: {hint}")
    found = _read(_lines(path, "--against"))
    if found.unreadable and not found.records:
        fault = found.unreadable[0]
        raise BenchError(f"--against {fault.name} {fault.reason}: give what bench results export --format jsonl writes")
    return found


def required(path: Path) -> Required:
    """What a file of `--require` names: records, or one cell id or run name a line; a line that starts with # does not.

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
    found = References(())
    if lines or path.is_dir():
        found = _read((seen for _, seen in read_records(path)) if path.is_dir() else _lines(path, "--require"))
    for fault in found.unreadable:
        raise BenchError(f"--require {fault.name} {fault.reason}: {form}")
    if not found.records:
        raise BenchError(f"--require {path}: names nothing; {form}")
    return Required(records=found.records)


def unread(places: Sequence[Path], records: Iterable[Record]) -> list[Fault]:
    """Records of results folders that could not be read, just now or earlier: their runs are no success.

    `places` are what `gather` was given, `records` what it found; a run that was made again is one of these.
    """
    keys = {record.key for record in records}
    reason = "cannot be read, so its run is missing: run it again with --force, or remove the file"
    return [
        Fault("unreadable", str(path), reason)
        for place in places or (folders().results,)
        for path in (*sorted(place.glob("records/??/*.json")), *sorted(place.glob("set_aside/*.json")))
        if path.stem not in keys
    ]


def _lines(path: Path, option: str) -> Iterable[ReadRecord]:
    try:
        return list(read_record_lines(path))
    except ResultsError as error:
        raise BenchError(f"{option} {path}: {error}") from error


def _read(found: Iterable[ReadRecord]) -> References:
    seen = list(found)
    return References(
        records=tuple(one.record for one in seen if one.record),
        unreadable=tuple(Fault("unreadable", one.origin, one.problem) for one in seen if one.record is None),
    )
