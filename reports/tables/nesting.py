"""Runs by what their fits were given: which share a split, which are copies, what the rule leaves to draw."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

from msgspec import UNSET

from results.metrics import AUROC
from results.record import Record
from results.spec import EMPTY_LIST

ScoresDigest = Callable[[Record], str | None]
"""Digest of the scores behind a record; None where they are not at hand."""

DRAWLESS_OPTIONS = {"normal_split", "normal_side", "deduplicate", "leak_guard", "one_shot_test", "limit_test"}
"""Options of a split that draw no training images. Any other, such as a new one, may do so whatever the rule does."""


def no_scores(_: Record) -> None:
    """The `ScoresDigest` where no scores are at hand."""
    return


def given_lists(records: Sequence[Record]) -> list[Hashable]:
    """The training images of each run as sets: runs that share them were trained on one split.

    Older records have labelled anomalies as an ordered list alone; theirs is the set of a run with the same list.
    """
    sets: dict[str, str] = {}
    for record in records:
        if record.anomaly_set is not UNSET:
            sets[record.spec.fit.train_anomaly] = record.anomaly_set
    return [_lists_of(record, sets) for record in records]


def _lists_of(record: Record, anomaly_sets: Mapping[str, str]) -> Hashable:
    fit, source = record.spec.fit, record.spec.source
    lists = (fit.dataset_fingerprint, fit.train_normal, anomaly_sets.get(fit.train_anomaly, fit.train_anomaly))
    return (*lists, source.dataset_fingerprint, source.train_normal, source.train_anomaly) if source else lists


def is_fixed_by_rule(records: Iterable[Record]) -> bool:
    """True where rule and coordinates leave nothing to draw, so that the paper's runs shared this split too."""
    runs = list(records)
    if runs[0].spec.split.options.keys() - DRAWLESS_OPTIONS:
        return False
    if len(set(given_lists(runs))) > 1:
        return False
    return all(map(_draws_no_anomaly, runs))


def copy_marks(records: Sequence[Record], scores_digest: ScoresDigest) -> Mapping[str, Hashable]:
    """Marks that copies of one run share, by key of the record; a run without copy is not there.

    Copies have equal training and test images and equal scores; without scores at hand, equal metrics and losses,
    unless the metrics are perfect, which other scores may be too.
    """
    if len({record.metrics for record in records}) == len(records):
        return {}
    likenesses = [
        (lists, record.spec.test, record.metrics) for lists, record in zip(given_lists(records), records, strict=True)
    ]
    alike = Counter(likenesses)
    marks: dict[str, Hashable] = {}
    for record, likeness in zip(records, likenesses, strict=True):
        if alike[likeness] > 1:
            digest = scores_digest(record)
            if digest is not None:
                marks[record.key] = (likeness, digest)
            elif record.metrics and record.metrics.auroc not in {AUROC.low, AUROC.high}:
                marks[record.key] = (likeness, repr(record.history))
    return marks


def _draws_no_anomaly(record: Record) -> bool:
    """True for a fit without labelled anomalies, and for one that got all that there are."""
    fit, source, shots = record.spec.fit, record.spec.source, record.spec.split.shots
    if source is not None and record.spec.is_fine_tuned and source.train_anomaly != EMPTY_LIST:
        return False
    if fit.train_anomaly == EMPTY_LIST:
        return True
    if record.drew_all is not UNSET:
        return record.drew_all
    return bool(record.counts and shots is not None and record.counts.train_anomaly < shots)
