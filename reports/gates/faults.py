"""Faults at a gate: runs and cells that should stand there and are gone, failed, stale or made otherwise."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from reports.gates.junit import JUnitCase
from reports.tables.measured import Stale, first_line, never_stale, record_age
from reports.text import escape_markdown, pipe_table
from results.maintenance.differences import run_identity, spec_differences
from results.record import Record

FaultKind = Literal["absent", "failed", "stale", "other key", "unreadable"]


@dataclass(frozen=True, slots=True)
class Fault:
    """A run or cell that is no success, by its name, and why."""

    kind: FaultKind
    name: str
    reason: str

    @property
    def line(self) -> str:
        return f"{self.kind.upper()}: {self.name}: {self.reason}"


def faults_headline(faults: Sequence[Fault]) -> str:
    """Counts of faults by kind: `1 absent, 2 failed`."""
    return ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(fault.kind for fault in faults).items()))


def faults_table(faults: Iterable[Fault]) -> str:
    """A table of the faults, a line each."""
    rows = [[fault.kind, escape_markdown(fault.name), escape_markdown(fault.reason)] for fault in faults]
    return pipe_table(["Fault", "Run or cell", "Why"], rows)


def fault_cases(faults: Iterable[Fault]) -> list[JUnitCase]:
    """Each fault as a failed test case."""
    return [JUnitCase(fault.kind, fault.name, "failure", fault.reason, fault.line) for fault in faults]


class Counterparts:
    """Finds the records that stand for a reference run: those of its key.

    Args:
        records: those at hand, of any key.
        references: runs that are looked for; a record with the key of one of them is the counterpart of no other.
        versions: current version by detector; records of an older one are stale.
        stale: what else makes a record stale.
    """

    def __init__(
        self,
        records: Iterable[Record],
        references: Iterable[Record],
        versions: Mapping[str, int],
        stale: Stale = never_stale,
    ) -> None:
        self._versions, self._stale = versions, stale
        self._by_key: dict[str, list[Record]] = {}
        self._by_place: dict[bytes, list[Record]] = {}
        reference_keys = {reference.key for reference in references}
        for record in records:
            self._by_key.setdefault(record.key, []).append(record)
            if record.key not in reference_keys:
                self._by_place.setdefault(run_identity(record.spec), []).append(record)

    def of(self, reference: Record) -> list[Record] | Fault:
        """The finished records of the key of `reference`, at least one, or what is wrong."""
        name, records = reference.spec.name, self._by_key.get(reference.key, [])
        done = [record for record in records if record.metrics]
        ages = [text for record in done for text in (record_age(record, self._versions), self._stale(record)) if text]
        candidates = self._by_place.get(run_identity(reference.spec), [])
        if ages:
            return Fault("stale", name, ages[0])
        if done:
            return done
        if records:
            return Fault("failed", name, first_line(records[0].error))
        if candidates:
            return Fault("other key", name, _other_key(reference, candidates))
        return Fault("absent", name, "no run has this key")


def _other_key(reference: Record, candidates: Iterable[Record]) -> str:
    """Reasons why the nearest run of the place has another key."""
    reasons = [(spec_differences(record.spec, reference.spec), record.spec.name) for record in candidates]
    nearest, name = min(reasons, key=lambda reason: (len(reason[0]), reason[1]))
    return f"same run, other key ({name}): {'; '.join(difference.beside('reference') for difference in nearest)}"
