"""Whether a record says what its scores say: its numbers, its counts, and the images that its key holds."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from results.errors import ResultsError
from results.metrics import STORED_METRICS, computed_metrics
from results.record import Record
from results.scores import Scores
from results.store import Store, read_records

ROUNDING = 1e-9
"""Two ways of summing up the same scores differ by less."""

_MOST_HALVES = 10**10  # beyond, rounding hides a half
_HALF_OFF = 1e-3

Fingerprint = Callable[[Iterable[str]], str]
State = Literal["verified", "no_scores", "failed", "differs", "unreadable"]


@dataclass(frozen=True)
class Verified:
    """What became of one record: `name` is its run's, or the file where it could not be read.

    `no_scores`: nothing lies beside it to recompute its numbers from; `failed`: a failed run, which has none;
    `differs` and `unreadable` for `reasons`.
    """

    state: State
    name: str
    reasons: tuple[str, ...] = ()


def verify(store: Store, fingerprint: Fingerprint, words: Callable[[Record], Iterable[str]]) -> Iterator[Verified]:
    """Look at every record of a folder, and change nothing.

    `words` tells what else of a record cannot be, `fingerprint` is that of a list of ids.
    """
    there = set()
    for path, seen in read_records(store.root):
        there.add(path.stem)
        if seen.record is None:
            yield Verified("unreadable", seen.where, (seen.problem,))
        else:
            yield verified(seen.record, store, fingerprint, words)
    for path in sorted((store.root / "set_aside").glob("*")):
        if path.name.partition(".")[0] not in there:
            text = "was set aside, and its run has no record since: run it again, or 'bench results prune --set-aside'"
            yield Verified("unreadable", str(path), (text,))


def verified(
    record: Record, store: Store | None, fingerprint: Fingerprint, words: Callable[[Record], Iterable[str]]
) -> Verified:
    """One record, with the scores that its store has; None: it stands alone."""
    name, reasons = record.spec.name, list(words(record))
    state: State = "verified"
    if record.status == "failed":
        state = "failed"
    elif store is None or not os.path.lexists(store.scores_path(record.key)):
        state = "no_scores"
        reasons += _impossible(record)
    else:
        try:
            reasons += differences(record, store.scores(record.key), fingerprint)
        except ResultsError as error:
            reasons.append(str(error))
    return Verified("differs" if reasons else state, name, tuple(reasons))


def _impossible(record: Record) -> Iterator[str]:
    """An AUROC that no scores of so many images have: it counts pairs, and ties by half."""
    if record.metrics is None or record.counts is None:
        return
    halves = 2 * record.counts.test_normal * record.counts.test_anomaly
    if halves < _MOST_HALVES and abs(record.metrics.auroc * halves - round(record.metrics.auroc * halves)) > _HALF_OFF:
        yield f"no scores of so many images give AUC {record.metrics.auroc!r}, it is no multiple of 1/{halves}"


def differences(record: Record, scores: Scores, fingerprint: Fingerprint) -> Iterator[str]:
    """What a finished record says and its scores do not, one sentence each; nothing where they agree.

    `fingerprint` is that of a list of ids.
    """
    normal, anomalous = (
        sorted(id_ for id_, label in zip(scores.ids, scores.labels, strict=True) if label == of) for of in (0, 1)
    )
    if fingerprint([fingerprint(normal), fingerprint(anomalous)]) != record.spec.test:
        yield "its scores are of other images or classes than the test list in its key"
    counts = record.counts
    if counts and (counts.test_normal, counts.test_anomaly) != (len(normal), len(anomalous)):
        yield (
            f"it counts {counts.test_normal} normal and {counts.test_anomaly} anomalous test images, its scores are of "
            f"{len(normal)} and {len(anomalous)}"
        )
    if record.metrics is None:
        return
    if not (normal and anomalous):
        yield "its scores are of normal images alone, or of anomalies alone"
        return
    metrics = computed_metrics(scores)
    for metric in STORED_METRICS:
        stored, recomputed = (getattr(numbers, metric.id) for numbers in (record.metrics, metrics))
        if abs(stored - recomputed) > ROUNDING:
            yield f"it says {metric.title} {stored!r}, its scores give {recomputed!r}"
