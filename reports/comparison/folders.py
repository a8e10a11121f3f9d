"""Two results folders: whether runs of one key have the same scores, and why runs of one place have another key."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from reports.comparison.pairing import ScoresOf, paired_scores
from reports.stats.paired import PairedTest, holm_corrected
from reports.tables.lookup import latest_records
from reports.tables.measured import STORED_AUROC, CellValue
from results.maintenance.differences import SHOWN_DIGITS, differences, of_values, place
from results.record import Record

TwinState = Literal["equal", "differs", "unscored", "failed"]


@dataclass(frozen=True, slots=True)
class Twin:
    """One key in both folders.

    `state`: scores equal bit for bit; scores or AUC differ; AUCs equal and the scores of a side gone; failed in a
    folder at least. `largest` is the largest difference of a score, None where scores are gone or of other images.
    """

    a: Record
    b: Record
    state: TwinState
    largest: float | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangedRun:
    """Runs of one place under two keys: what differs, A's value first, and the paired test of one test list."""

    a: Record
    b: Record
    why: tuple[str, ...]
    test: PairedTest | None


@dataclass(frozen=True, slots=True)
class FolderComparison:
    """All that is said of two folders; `only_a` and `only_b` are runs whose place is in one folder only.

    `values` gives the number of a run that is shown, of each folder.
    """

    a: str
    b: str
    counts: tuple[int, int]
    twins: tuple[Twin, ...]
    changed: tuple[ChangedRun, ...]
    only_a: tuple[Record, ...]
    only_b: tuple[Record, ...]
    values: tuple[CellValue, CellValue]

    def count(self, state: TwinState) -> int:
        return sum(twin.state == state for twin in self.twins)


def compare_folders(
    a: str,
    b: str,
    records: tuple[Iterable[Record], Iterable[Record]],
    *,
    scores: tuple[ScoresOf, ScoresOf],
    values: tuple[CellValue, CellValue] = (STORED_AUROC, STORED_AUROC),
) -> FolderComparison:
    """Compare two folders of records.

    Of each folder `scores` gives those behind a record, None where they are gone, and `values` the number to be shown.
    """
    first, second = ({record.key: record for record in latest_records(side)} for side in records)
    twins = [_twin(first[key], second[key], scores) for key in first if key in second]
    left = [record for key, record in first.items() if key not in second]
    right = [record for key, record in second.items() if key not in first]
    changed = list(_changed(left, right, scores, values))
    gone = {record.key for one in changed for record in (one.a, one.b)}
    return FolderComparison(
        a=a,
        b=b,
        counts=(len(first), len(second)),
        twins=tuple(sorted(twins, key=lambda twin: twin.a.spec.name)),
        changed=tuple(_corrected(sorted(changed, key=lambda one: one.a.spec.name))),
        only_a=tuple(sorted((one for one in left if one.key not in gone), key=lambda one: one.spec.name)),
        only_b=tuple(sorted((one for one in right if one.key not in gone), key=lambda one: one.spec.name)),
        values=values,
    )


def _twin(a: Record, b: Record, scores: tuple[ScoresOf, ScoresOf]) -> Twin:
    notes = tuple(_circumstances(a, b))
    if a.metrics is None or b.metrics is None:
        sides = [name for name, record in (("A", a), ("B", b)) if record.metrics is None]
        return Twin(a, b, "failed", None, (f"failed in {' and '.join(sides)}", *notes))
    alike = a.metrics == b.metrics
    ours, theirs = scores[0](a), scores[1](b)
    if ours is None or theirs is None:
        gone = [name for name, one in (("A", ours), ("B", theirs)) if one is None]
        return Twin(a, b, "unscored" if alike else "differs", None, (f"no scores in {' and '.join(gone)}", *notes))
    if sorted(ours.ids) != sorted(theirs.ids):
        return Twin(a, b, "differs", None, ("scores of other images", *notes))
    import numpy as np

    first, second = (one.values[np.argsort(np.array(one.ids))] for one in (ours, theirs))
    largest = float(np.abs(first - second).max(initial=0.0))
    return Twin(a, b, "equal" if alike and first.tobytes() == second.tobytes() else "differs", largest, notes)


def _circumstances(a: Record, b: Record) -> Iterator[str]:
    """What no AUC tells: other average precision, and what may change the last bits, the machine and the code."""
    if a.metrics and b.metrics:
        other = of_values("average precision", a.metrics.average_precision, b.metrics.average_precision)
        yield from (one.beside("B") for one in other)
    if a.provenance is None or b.provenance is None:
        return
    ours, theirs = a.provenance, b.provenance
    found = list(of_values("numerics class", ours.numerics_class, theirs.numerics_class))
    found += of_values("code digest", ours.code_digest, theirs.code_digest, digits=SHOWN_DIGITS)
    if ours.numerics_class == theirs.numerics_class:
        yield "one numerics class"
    yield from (one.beside("B") for one in found)


def _changed(
    left: Iterable[Record],
    right: Iterable[Record],
    scores: tuple[ScoresOf, ScoresOf],
    values: tuple[CellValue, CellValue],
) -> Iterator[ChangedRun]:
    """Runs of one place, each with the run of the other folder that it differs least from, if one ended alike."""
    places: dict[bytes, list[Record]] = {}
    for record in right:
        places.setdefault(place(record.spec), []).append(record)
    for record in left:
        candidates = places.get(place(record.spec), [])
        if candidates:
            reasons = [differences(record.spec, other.spec) for other in candidates]
            unlike = [one.status != record.status for one in candidates]
            at = min(range(len(candidates)), key=lambda at: (unlike[at], len(reasons[at]), candidates[at].key))
            other = candidates.pop(at)
            yield ChangedRun(
                record, other, tuple(one.beside("B") for one in reasons[at]), _test(record, other, scores, values)
            )


def _test(
    a: Record, b: Record, scores: tuple[ScoresOf, ScoresOf], values: tuple[CellValue, CellValue]
) -> PairedTest | None:
    if values[0].of(a) is None or values[1].of(b) is None or a.spec.test != b.spec.test:
        return None
    return paired_scores(a, b, lambda record: scores[record is b](record), ("A", "B"), values)


def _corrected(changed: Sequence[ChangedRun]) -> Iterator[ChangedRun]:
    tests = iter(holm_corrected([one.test for one in changed if one.test]))
    for one in changed:
        yield replace(one, test=next(tests)) if one.test else one
