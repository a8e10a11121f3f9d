"""Verification of records against their scores: numbers, counts, and the images that the key holds."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from results.errors import ResultsError
from results.maintenance.bundles import ATTESTATION, AttestedRun, Bundle, content_digest, machine_names, version_lists
from results.metrics import STORED_METRICS, computed_metrics
from results.record import Record, decode_record
from results.scores import Scores
from results.store import Store, read_records

SUMMATION_TOLERANCE = 1e-9
"""Two orders of summation of the same scores differ by less."""

_MOST_HALVES = 10**10  # beyond, rounding hides a half
_HALF_OFF = 1e-3

_Fingerprint = Callable[[Iterable[str]], str]
VerifiedState = Literal["verified", "no_scores", "failed", "differs", "unreadable"]


@dataclass(frozen=True)
class VerifiedRecord:
    """Outcome of verifying one record: `name` is its run's, or the file where it could not be read.

    `no_scores`: no scores lie beside it to recompute its numbers from; `failed`: a failed run, which has none;
    `differs` and `unreadable` for `reasons`.
    """

    state: VerifiedState
    name: str
    reasons: tuple[str, ...] = ()


def verify_store(
    store: Store, fingerprint: _Fingerprint, words: Callable[[Record], Iterable[str]]
) -> Iterator[VerifiedRecord]:
    """Verify every record of a folder; changes nothing.

    `words` lists further contradictions of a record, `fingerprint` is the function of a list of ids.
    """
    record_keys = set()
    for path, content in read_records(store.root):
        record_keys.add(path.stem)
        if content.record is None:
            yield VerifiedRecord("unreadable", content.origin, (content.problem,))
        else:
            yield verify_record(content.record, store, fingerprint, words)
    for path in sorted((store.root / "set_aside").glob("*")):
        if path.name.partition(".")[0] not in record_keys:
            text = "was set aside, and its run has no record since: run it again, or 'bench results prune --set-aside'"
            yield VerifiedRecord("unreadable", str(path), (text,))


def verify_record(
    record: Record, store: Store | None, fingerprint: _Fingerprint, words: Callable[[Record], Iterable[str]]
) -> VerifiedRecord:
    """Verify one record against the scores in its store; None: it has none, only the record itself is checked."""
    name, reasons = record.spec.name, list(words(record))
    state: VerifiedState = "verified"
    if record.status == "failed":
        state = "failed"
    elif store is None or not os.path.lexists(store.scores_path(record.key)):
        state = "no_scores"
        reasons += _impossible(record)
    else:
        try:
            reasons += score_differences(record, store.scores(record.key), fingerprint)
        except ResultsError as error:
            reasons.append(str(error))
    return VerifiedRecord("differs" if reasons else state, name, tuple(reasons))


def verify_bundle(
    bundle: Bundle, fingerprint: _Fingerprint, words: Callable[[Record], Iterable[str]]
) -> Iterator[VerifiedRecord]:
    """Verify every run of a bundle against its scores and digests, and at last what the bundle says of all of them."""
    records = []
    for run in bundle.attestation.runs:
        try:
            record, scores = decode_record(bundle.record_data(run)), bundle.scores_data(run)
        except ResultsError as error:
            yield VerifiedRecord("unreadable", run.name, (f"its record or bundle {error}",))
            continue
        records.append(record)
        reasons = (*_unattested(bundle, run, record), *words(record), *_of_encoded_scores(record, scores, fingerprint))
        yield VerifiedRecord("differs" if reasons else "verified", run.name, reasons)
    attestation = bundle.attestation
    origins = (attestation.machines, attestation.versions)
    if len(records) == len(attestation.runs) and origins != (machine_names(records), version_lists(records)):
        yield VerifiedRecord("differs", ATTESTATION, ("it says other machines or versions than its records",))


def _unattested(bundle: Bundle, run: AttestedRun, record: Record) -> Iterator[str]:
    """Contradictions of what is said of a run and of its two files, one sentence each."""
    if record.key != run.key:
        yield f"its record is that of another run, {record.spec.name}"
    if content_digest(bundle.record_data(run)) != run.record:
        yield "its record is not the one that was attested, by its SHA-256"
    if content_digest(bundle.scores_data(run)) != run.scores:
        yield "its scores are not those that were attested, by their SHA-256"
    auroc = record.metrics.auroc if record.metrics else None
    if (run.name, run.auroc) != (record.spec.name, auroc):
        yield f"it is attested as {run.name} with AUC {run.auroc!r}, its record says {record.spec.name} with {auroc!r}"


def _of_encoded_scores(record: Record, scores: bytes, fingerprint: _Fingerprint) -> list[str]:
    try:
        return list(score_differences(record, Scores.decode(scores), fingerprint))
    except ValueError as error:
        return [f"its scores cannot be read ({error})"]


def _impossible(record: Record) -> Iterator[str]:
    """A sentence where no scores of so many images give this AUROC, which counts pairs, ties by half."""
    if record.metrics is None or record.counts is None:
        return
    halves = 2 * record.counts.test_normal * record.counts.test_anomaly
    if halves < _MOST_HALVES and abs(record.metrics.auroc * halves - round(record.metrics.auroc * halves)) > _HALF_OFF:
        yield f"no scores of so many images give AUC {record.metrics.auroc!r}, it is no multiple of 1/{halves}"


def score_differences(record: Record, scores: Scores, fingerprint: _Fingerprint) -> Iterator[str]:
    """Contradictions of a finished record and its scores, one sentence each; nothing where they agree.

    `fingerprint` is the function of a list of ids.
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
        if abs(stored - recomputed) > SUMMATION_TOLERANCE:
            yield f"it says {metric.title} {stored!r}, its scores give {recomputed!r}"
