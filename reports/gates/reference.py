"""The gate of `check --against reference`: does a run still give the numbers that it gave before?

Runs are compared one by one, by key, which holds all that decides their numbers. On a processor of the same name in the
same numerics class AUROC and average precision must be equal, bit for bit; elsewhere each may differ by a tolerance.
A reference run must have its counterpart.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from reports.gates.faults import Counterparts, Fault
from reports.gates.published import LEAKING
from reports.tables.measured import Stale, fresh
from results.maintenance.twins import METRICS
from results.record import Metrics, Record

TOLERANCE = 0.01


class Number(NamedTuple):
    """One metric of a run beside that of its reference, as fractions."""

    title: str
    measured: float
    reference: float
    differs: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """One run beside the reference that it is furthest from; `allowed` is the largest difference of a metric."""

    name: str
    numbers: tuple[Number, ...]
    allowed: float
    same_machine: bool

    @property
    def differs(self) -> bool:
        return any(number.differs for number in self.numbers)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the comparison found; `skipped` counts by reason the runs that were not compared.

    `faults` are reference runs without a run that counts; `contradictions` say of records of one key which numbers.
    """

    pairs: tuple[Pair, ...]
    faults: tuple[Fault, ...]
    skipped: Mapping[str, int]
    contradictions: tuple[str, ...] = ()

    @property
    def differing(self) -> tuple[Pair, ...]:
        return tuple(pair for pair in self.pairs if pair.differs)

    @property
    def status(self) -> int:
        """Exit status: 0 no difference, 3 a difference or a fault, 4 nothing to compare."""
        if self.differing or self.faults:
            return 3
        return 0 if self.pairs else 4


def compare(
    records: Iterable[Record],
    references: Iterable[Record],
    *,
    tolerance: float = TOLERANCE,
    versions: Mapping[str, int],
    stale: Stale = fresh,
    partial: bool = False,
    leaking: Collection[str] = (),
    faults: Iterable[Fault] = (),
    contradictions: Iterable[str] = (),
) -> Agreement:
    """Compare each reference run with the runs of its key.

    Args:
        records: the runs at hand.
        references: of any key. Where a key has several, those of the run's own machine count, else all of them.
        tolerance: largest difference of a metric from a reference of another machine.
        versions: current version by detector; a run of an older one is a fault.
        stale: what else makes a run stale.
        partial: a part of the references is meant: one without any run at its place is only counted.
        leaking: ids of series whose scores test labels had part in; they are never compared.
        faults: what else should be there and is not.
        contradictions: sentences on records of one key with other numbers.
    """
    runs, skipped = list(records), Counter[str]()
    known: dict[str, list[Record]] = {}
    for reference in references:
        if reference.series in leaking:
            skipped[LEAKING] += 1
        elif reference.metrics is None:
            skipped["reference that failed itself"] += 1
        else:
            known.setdefault(reference.key, []).append(reference)
    counterparts = Counterparts(runs, (own[0] for own in known.values()), versions, stale)
    pairs, found = list[Pair](), list(faults)
    for own in sorted(known.values(), key=lambda own: own[0].spec.name):
        beside = counterparts.of(own[0])
        if not isinstance(beside, Fault):
            pairs += dict.fromkeys(_pair(record, own, tolerance) for record in beside)
        elif beside.kind == "absent" and partial:
            skipped["reference without a run"] += 1
        else:
            found.append(beside)
    alone = sum(record.key not in known and record.series not in leaking for record in runs)
    if alone:
        skipped["without a reference"] = alone
    return Agreement(tuple(pairs), tuple(dict.fromkeys(found)), dict(sorted(skipped.items())), tuple(contradictions))


def _pair(record: Record, references: Sequence[Record], tolerance: float) -> Pair:
    """The run beside the one of the references of its machine, else of all, that it is furthest from."""
    machine = _machine(record)
    own = [reference for reference in references if machine and _machine(reference) == machine]
    allowed = 0.0 if own else tolerance
    found = [
        Pair(record.spec.name, tuple(_numbers(record, one, allowed)), allowed, bool(own)) for one in own or references
    ]
    return max(found, key=lambda pair: max(abs(number.measured - number.reference) for number in pair.numbers))


def _numbers(record: Record, reference: Record, allowed: float) -> Iterator[Number]:
    now, before = _metrics(record), _metrics(reference)
    for name, title in METRICS.items():
        values = getattr(now, name), getattr(before, name)
        yield Number(title, *values, differs=abs(values[0] - values[1]) > allowed)


def _metrics(record: Record) -> Metrics:
    if record.metrics is None:
        raise ValueError(f"record {record.key} has no metrics")
    return record.metrics


def _machine(record: Record) -> tuple[str, str] | None:
    made = record.provenance
    return (made.numerics_class, made.cpu) if made else None
