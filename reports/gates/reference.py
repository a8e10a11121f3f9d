"""The gate of `check --against reference`: does a run still give the numbers that it gave before?

Runs are compared one by one, by key, which holds all that decides their numbers. On a processor of the same name in the
same numerics class the metrics that are compared must be equal, bit for bit; elsewhere each may differ by a tolerance.
A reference run must have its counterpart.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from reports.gates.faults import Counterparts, Fault
from reports.gates.published import LEAKING
from reports.stats.thresholds import TOLERANCE
from reports.tables.measured import Stale, ValueOf, never_stale
from results.metrics import STORED_METRICS, stored_value
from results.record import Record

_LACKING = "reference without {}"


class ComparedMetric(NamedTuple):
    """A metric by its title, and what gives it of a run at hand and of a reference run."""

    title: str
    measured: ValueOf
    reference: ValueOf


STORED_COMPARED = tuple(
    ComparedMetric(metric.title, partial(stored_value, metric), partial(stored_value, metric))
    for metric in STORED_METRICS
)


class ComparedNumber(NamedTuple):
    """One metric of a run beside that of its reference, as fractions."""

    title: str
    measured: float
    reference: float
    differs: bool


@dataclass(frozen=True, slots=True)
class ReferencePair:
    """One run beside the reference that it is furthest from; `allowed` is the largest difference of a metric."""

    name: str
    numbers: tuple[ComparedNumber, ...]
    allowed: float
    same_machine: bool

    @property
    def differs(self) -> bool:
        return any(number.differs for number in self.numbers)


@dataclass(frozen=True, slots=True)
class ReferenceGate:
    """Result of the gate; `skipped` counts by reason the runs that were not compared.

    `faults` are reference runs without a run that counts; `contradictions` say of records of one key which numbers;
    `titles` are the metrics that were compared.
    """

    pairs: tuple[ReferencePair, ...]
    faults: tuple[Fault, ...]
    skipped: Mapping[str, int]
    contradictions: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()

    @property
    def lacking(self) -> str:
        """A metric that a reference has not; empty where all have all."""
        return next((title for title in self.titles if _LACKING.format(title) in self.skipped), "")

    @property
    def differing(self) -> tuple[ReferencePair, ...]:
        return tuple(pair for pair in self.pairs if pair.differs)

    @property
    def status(self) -> int:
        """Exit status: 0 no difference, 3 a difference or a fault, 4 nothing to compare."""
        if self.differing or self.faults:
            return 3
        return 0 if self.pairs else 4


def reference_gate(
    records: Iterable[Record],
    references: Iterable[Record],
    *,
    tolerance: float = TOLERANCE,
    versions: Mapping[str, int],
    stale: Stale = never_stale,
    partial: bool = False,
    leaking: Collection[str] = (),
    faults: Iterable[Fault] = (),
    contradictions: Iterable[str] = (),
    metrics: Sequence[ComparedMetric] = STORED_COMPARED,
) -> ReferenceGate:
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
        metrics: what is compared; a reference that has none of it is only counted, one whose run lacks it is a fault.
    """
    runs, skipped = list(records), Counter[str]()
    by_key: dict[str, list[Record]] = {}
    for reference in references:
        if reference.series in leaking:
            skipped[LEAKING] += 1
        elif reference.metrics is None:
            skipped["reference that failed itself"] += 1
        elif lacking := [metric.title for metric in metrics if metric.reference(reference) is None]:
            skipped[_LACKING.format(lacking[0])] += 1
        else:
            by_key.setdefault(reference.key, []).append(reference)
    counterparts = Counterparts(runs, (group[0] for group in by_key.values()), versions, stale)
    pairs, every_fault = list[ReferencePair](), list(faults)
    for group in sorted(by_key.values(), key=lambda group: group[0].spec.name):
        finished = counterparts.of(group[0])
        if not isinstance(finished, Fault):
            valued = [record for record in finished if all(metric.measured(record) is not None for metric in metrics)]
            pairs += dict.fromkeys(_pair(record, group, tolerance, metrics) for record in valued)
            every_fault += [_without_scores(record, metrics) for record in finished if record not in valued]
        elif finished.kind == "absent" and partial:
            skipped["reference without a run"] += 1
        else:
            every_fault.append(finished)
    alone = sum(record.key not in by_key and record.series not in leaking for record in runs)
    if alone:
        skipped["without a reference"] = alone
    return ReferenceGate(
        tuple(pairs),
        tuple(dict.fromkeys(every_fault)),
        dict(sorted(skipped.items())),
        tuple(contradictions),
        tuple(metric.title for metric in metrics),
    )


def _without_scores(record: Record, metrics: Sequence[ComparedMetric]) -> Fault:
    titles = " and ".join(metric.title for metric in metrics)
    return Fault("absent", record.spec.name, f"its run has no {titles}, its reference has: run it again with --force")


def _pair(
    record: Record, references: Sequence[Record], tolerance: float, metrics: Sequence[ComparedMetric]
) -> ReferencePair:
    """The run beside the one of the references of its machine, else of all, that it is furthest from."""
    machine = _machine(record)
    of_machine = [reference for reference in references if machine and _machine(reference) == machine]
    allowed = 0.0 if of_machine else tolerance
    pairs = [
        ReferencePair(record.spec.name, tuple(_numbers(record, reference, allowed, metrics)), allowed, bool(of_machine))
        for reference in of_machine or references
    ]
    return max(pairs, key=lambda pair: max(abs(number.measured - number.reference) for number in pair.numbers))


def _numbers(
    record: Record, reference: Record, allowed: float, metrics: Sequence[ComparedMetric]
) -> Iterator[ComparedNumber]:
    for metric in metrics:
        measured, expected = metric.measured(record), metric.reference(reference)
        if measured is None or expected is None:
            raise ValueError(f"record {record.key} or its reference has no {metric.title}")
        yield ComparedNumber(metric.title, measured, expected, differs=abs(measured - expected) > allowed)


def _machine(record: Record) -> tuple[str, str] | None:
    provenance = record.provenance
    return (provenance.numerics_class, provenance.cpu) if provenance else None
