"""The gate of `check --against reference`: does a run still give the number that it gave before?

Runs are compared one by one, by key, which holds all that decides their numbers. On a processor of the same name in the
same numerics class AUROC and average precision must be equal, bit for bit; elsewhere AUROC may differ by a tolerance.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from reports.gate import LEAKING
from results.record import Record

TOLERANCE = 0.01


@dataclass(frozen=True, slots=True)
class Pair:
    """One run beside its reference, AUROC as a fraction; `measured` is None where the run failed."""

    name: str
    reference: float
    measured: float | None
    allowed: float
    same_machine: bool
    differs: bool
    error: str = ""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the comparison found; `skipped` counts by reason the runs that were not compared."""

    pairs: tuple[Pair, ...]
    skipped: Mapping[str, int]

    @property
    def differing(self) -> tuple[Pair, ...]:
        return tuple(pair for pair in self.pairs if pair.differs)

    @property
    def status(self) -> int:
        """Exit status: 0 no difference, 3 a difference, 4 nothing to compare."""
        if not self.pairs:
            return 4
        return 3 if self.differing else 0


def compare(
    records: Iterable[Record],
    references: Iterable[Record],
    *,
    tolerance: float = TOLERANCE,
    leaking: Collection[str] = (),
) -> Agreement:
    """Compare runs with those of the same key among `references`.

    Where a key has references of several machines, that of the run's own counts, else the first. `leaking` are ids of
    series whose scores test labels had part in: they are never compared.
    """
    known: dict[str, list[Record]] = {}
    for reference in references:
        if reference.metrics:
            known.setdefault(reference.key, []).append(reference)
    pairs, skipped, seen = [], Counter[str](), set[str]()
    for record in sorted(records, key=lambda record: record.spec.name):
        if record.key not in known:
            skipped["without a reference"] += 1
        elif record.series in leaking:
            skipped[LEAKING] += 1
        else:
            pairs.append(_pair(record, known[record.key], tolerance))
        seen.add(record.key)
    missing = len(known.keys() - seen)
    if missing:
        skipped["reference without a run"] = missing
    return Agreement(tuple(pairs), dict(sorted(skipped.items())))


def _pair(record: Record, references: Sequence[Record], tolerance: float) -> Pair:
    machine = _machine(record)
    own = [reference for reference in references if machine and _machine(reference) == machine]
    reference = (own or references)[0]
    if reference.metrics is None:
        raise ValueError(f"reference {reference.key} has no metrics")
    before, now = reference.metrics, record.metrics
    return Pair(
        name=record.spec.name,
        reference=before.auroc,
        measured=now.auroc if now else None,
        allowed=0.0 if own else tolerance,
        same_machine=bool(own),
        differs=now is None or (before != now if own else abs(now.auroc - before.auroc) > tolerance),
        error=record.error or "",
    )


def _machine(record: Record) -> tuple[str, str] | None:
    made = record.provenance
    return (made.numerics_class, made.cpu) if made else None
