"""Two results folders: scores of runs of one key, and reasons why runs of one place have another key."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from reports.comparison.pairing import ScoresOf, paired_scores
from reports.stats.paired import PairedTest, holm_corrected
from reports.tables.lookup import latest_records
from reports.tables.measured import STORED_AUROC, CellValue
from results.maintenance.differences import SHOWN_DIGITS, run_identity, spec_differences, value_differences
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
    alone_a = [record for key, record in first.items() if key not in second]
    alone_b = [record for key, record in second.items() if key not in first]
    changed = list(_changed(alone_a, alone_b, scores, values))
    paired = {record.key for run in changed for record in (run.a, run.b)}
    return FolderComparison(
        a=a,
        b=b,
        counts=(len(first), len(second)),
        twins=tuple(sorted(twins, key=lambda twin: twin.a.spec.name)),
        changed=tuple(_corrected(sorted(changed, key=lambda run: run.a.spec.name))),
        only_a=tuple(sorted((run for run in alone_a if run.key not in paired), key=lambda run: run.spec.name)),
        only_b=tuple(sorted((run for run in alone_b if run.key not in paired), key=lambda run: run.spec.name)),
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
        gone = [name for name, side in (("A", ours), ("B", theirs)) if side is None]
        return Twin(a, b, "unscored" if alike else "differs", None, (f"no scores in {' and '.join(gone)}", *notes))
    if sorted(ours.ids) != sorted(theirs.ids):
        return Twin(a, b, "differs", None, ("scores of other images", *notes))
    import numpy as np

    first, second = (side.values[np.argsort(np.array(side.ids))] for side in (ours, theirs))
    largest = float(np.abs(first - second).max(initial=0.0))
    return Twin(a, b, "equal" if alike and first.tobytes() == second.tobytes() else "differs", largest, notes)


def _circumstances(a: Record, b: Record) -> Iterator[str]:
    """Circumstances that no AUC tells: other average precision, and the machine and code behind the last bits."""
    if a.metrics and b.metrics:
        precisions = value_differences("average precision", a.metrics.average_precision, b.metrics.average_precision)
        yield from (difference.beside("B") for difference in precisions)
    if a.provenance is None or b.provenance is None:
        return
    ours, theirs = a.provenance, b.provenance
    origins = list(value_differences("numerics class", ours.numerics_class, theirs.numerics_class))
    origins += value_differences("code digest", ours.code_digest, theirs.code_digest, digits=SHOWN_DIGITS)
    if ours.numerics_class == theirs.numerics_class:
        yield "one numerics class"
    yield from (difference.beside("B") for difference in origins)


def _changed(
    records_a: Iterable[Record],
    records_b: Iterable[Record],
    scores: tuple[ScoresOf, ScoresOf],
    values: tuple[CellValue, CellValue],
) -> Iterator[ChangedRun]:
    """Runs of one place, each with the run of the other folder that it differs least from, if one ended alike."""
    places: dict[bytes, list[Record]] = {}
    for record in records_b:
        places.setdefault(run_identity(record.spec), []).append(record)
    for record in records_a:
        candidates = places.get(run_identity(record.spec), [])
        if candidates:
            reasons = [spec_differences(record.spec, candidate.spec) for candidate in candidates]
            unlike = [candidate.status != record.status for candidate in candidates]
            nearest = min(range(len(candidates)), key=lambda at: (unlike[at], len(reasons[at]), candidates[at].key))
            partner = candidates.pop(nearest)
            why = tuple(difference.beside("B") for difference in reasons[nearest])
            yield ChangedRun(record, partner, why, _test(record, partner, scores, values))


def _test(
    a: Record, b: Record, scores: tuple[ScoresOf, ScoresOf], values: tuple[CellValue, CellValue]
) -> PairedTest | None:
    if values[0].of(a) is None or values[1].of(b) is None or a.spec.test != b.spec.test:
        return None
    return paired_scores(a, b, scores, ("A", "B"), values)


def _corrected(changed: Sequence[ChangedRun]) -> Iterator[ChangedRun]:
    tests = iter(holm_corrected([run.test for run in changed if run.test]))
    for run in changed:
        yield replace(run, test=next(tests)) if run.test else run
