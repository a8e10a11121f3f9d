"""Two results folders: whether runs of one key have the same scores, and why runs of one place have another key."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec

from reports.paired import Paired, corrected
from reports.pairing import ScoresOf, paired_scores
from reports.table import latest
from results.key import canonical, digest
from results.record import Record
from results.spec import FitSpec, RunSpec

State = Literal["equal", "differs", "unscored", "failed"]

DIGESTS = {
    "dataset_fingerprint": "manifest of the dataset",
    "train_normal": "list of training normals",
    "train_anomaly": "list of training anomalies",
}
SHOWN_DIGITS = 8
ABSENT = "absent"
QUOTE = '"'


@dataclass(frozen=True, slots=True)
class Twin:
    """One key in both folders.

    `state`: scores equal bit for bit; scores or AUC differ; AUCs equal and the scores of a side gone; failed in a
    folder at least. `largest` is the largest difference of a score, None where scores are gone or of other images.
    """

    a: Record
    b: Record
    state: State
    largest: float | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """Runs of one place under two keys: what differs, A's value first, and the paired test of one test list."""

    a: Record
    b: Record
    why: tuple[str, ...]
    test: Paired | None


@dataclass(frozen=True, slots=True)
class FolderComparison:
    """All that is said of two folders; `only_a` and `only_b` are runs whose place is in one folder only."""

    a: str
    b: str
    counts: tuple[int, int]
    twins: tuple[Twin, ...]
    changed: tuple[Changed, ...]
    only_a: tuple[Record, ...]
    only_b: tuple[Record, ...]

    def count(self, state: State) -> int:
        return sum(twin.state == state for twin in self.twins)


def compare(
    a: str,
    b: str,
    records: tuple[Iterable[Record], Iterable[Record]],
    *,
    scores: tuple[ScoresOf, ScoresOf],
) -> FolderComparison:
    """Compare two folders of records; `scores` give those behind a record of each, None where they are gone."""
    first, second = ({record.key: record for record in latest(side)} for side in records)
    twins = [_twin(first[key], second[key], scores) for key in first if key in second]
    left = [record for key, record in first.items() if key not in second]
    right = [record for key, record in second.items() if key not in first]
    changed = list(_changed(left, right, scores))
    gone = {record.key for one in changed for record in (one.a, one.b)}
    return FolderComparison(
        a=a,
        b=b,
        counts=(len(first), len(second)),
        twins=tuple(sorted(twins, key=lambda twin: twin.a.spec.name)),
        changed=tuple(_corrected(sorted(changed, key=lambda one: one.a.spec.name))),
        only_a=tuple(sorted((one for one in left if one.key not in gone), key=lambda one: one.spec.name)),
        only_b=tuple(sorted((one for one in right if one.key not in gone), key=lambda one: one.spec.name)),
    )


def differences(a: RunSpec, b: RunSpec) -> list[str]:
    """What makes the keys of two runs differ, `version = 1 (B: 2)`; the recipe first, which is in no key."""
    found = [*_of_values("recipe", a.recipe, b.recipe), *_of_fits(a.fit, b.fit)]
    if a.source is not None and b.source is not None:
        found += [f"source's {text}" for text in _of_fits(a.source, b.source)]
    else:
        found += _of_values("source", a.fit.source, b.fit.source)
    found += _of_mappings("split option ", a.split.options, b.split.options)
    found += _of_values("test list", a.test, b.test, digits=SHOWN_DIGITS)
    found += _of_mappings("evaluation ", _plain(a.evaluation), _plain(b.evaluation))
    return found


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
    """What is in no key and may still change the last bits: the machine and the code."""
    if a.provenance is None or b.provenance is None:
        return
    ours, theirs = a.provenance, b.provenance
    if ours.numerics_class != theirs.numerics_class:
        yield from _of_values("numerics class", ours.numerics_class, theirs.numerics_class)
    else:
        yield "one numerics class"
    yield from _of_values("code digest", ours.code_digest, theirs.code_digest, digits=SHOWN_DIGITS)


def _changed(left: Iterable[Record], right: Iterable[Record], scores: tuple[ScoresOf, ScoresOf]) -> Iterator[Changed]:
    """Runs of one place, each with the run of the other folder that it differs least from, if one ended alike."""
    places: dict[bytes, list[Record]] = {}
    for record in right:
        places.setdefault(_place(record), []).append(record)
    for record in left:
        candidates = places.get(_place(record), [])
        if candidates:
            reasons = [differences(record.spec, other.spec) for other in candidates]
            unlike = [one.status != record.status for one in candidates]
            at = min(range(len(candidates)), key=lambda at: (unlike[at], len(reasons[at]), candidates[at].key))
            other = candidates.pop(at)
            yield Changed(record, other, tuple(reasons[at]), _test(record, other, scores))


def _test(a: Record, b: Record, scores: tuple[ScoresOf, ScoresOf]) -> Paired | None:
    if a.metrics is None or b.metrics is None or a.spec.test != b.spec.test:
        return None
    return paired_scores(a, b, lambda record: scores[record is b](record), ("A", "B"))


def _corrected(changed: Sequence[Changed]) -> Iterator[Changed]:
    tests = iter(corrected([one.test for one in changed if one.test]))
    for one in changed:
        yield replace(one, test=next(tests)) if one.test else one


def _place(record: Record) -> bytes:
    """What a person would call one run: method, dataset, rule, coordinates and seeds."""
    spec, split = record.spec, record.spec.split
    coordinates = (split.source_dataset, split.known_class, split.normal_class, split.shots, split.gamma)
    return canonical([spec.method, split.rule, split.dataset, coordinates, spec.split_seed, spec.fit.seed])


def _of_fits(a: FitSpec, b: FitSpec) -> Iterator[str]:
    for field in ("detector", "version"):
        yield from _of_values(field, getattr(a, field), getattr(b, field))
    yield from _of_mappings("", a.params, b.params)
    for field, name in DIGESTS.items():
        yield from _of_values(name, getattr(a, field), getattr(b, field), digits=SHOWN_DIGITS)
    for field in ("size", "resize", "precision"):
        yield from _of_values(field, getattr(a, field), getattr(b, field))
    pools = [{name: digest(parts) for name, parts in fit.pools.items()} for fit in (a, b)]
    yield from _of_mappings("pool ", pools[0], pools[1], digits=SHOWN_DIGITS)
    yield from _of_mappings("weights ", a.weights, b.weights, digits=SHOWN_DIGITS)


def _of_mappings(
    prefix: str, a: Mapping[str, Any], b: Mapping[str, Any], *, digits: int | None = None
) -> Iterator[str]:
    for name in sorted({**a, **b}):
        yield from _of_values(prefix + name, a.get(name, ABSENT), b.get(name, ABSENT), digits=digits)


def _of_values(name: str, a: Any, b: Any, *, digits: int | None = None) -> Iterator[str]:
    """Nothing where both are hashed alike; of digests only the first digits are said."""
    ours, theirs = (canonical(value).decode().strip(QUOTE) for value in (a, b))
    if ours != theirs:
        yield f"{name} = {ours[:digits]} (B: {theirs[:digits]})"


def _plain(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(value) or {}
    return found
