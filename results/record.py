"""Record of one run: a JSON file with a schema version."""

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from results.errors import ResultsError
from results.spec import EMPTY_LIST, RunSpec

SCHEMA = 1
LARGEST_RECORD = 16 * 2**20
"""Bytes that a record may have. Each number in the history of 10,000 epochs takes about a hundredth of that."""
SHARE_TOLERANCE = 1e-12
"""Difference of two fractions of image counts that is of rounding alone."""

_Fraction = Annotated[float, Meta(ge=0, le=1)]
_Seconds = Annotated[float, Meta(ge=0)]
_Count = Annotated[int, Meta(ge=0)]


class DamagedRecordError(ResultsError):
    """A record file is cut short, edited, contradicts itself or is none at all; stores set it aside."""


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """AUROC and average precision as fractions; anomalies are the positive class, ties count one half."""

    auroc: _Fraction
    average_precision: _Fraction


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Images in each of the split's four lists."""

    train_normal: _Count
    train_anomaly: _Count
    test_normal: _Count
    test_anomaly: _Count


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Code, machine and libraries that produced the numbers.

    `weights` maps an architecture to the label of its file, as table notes print it; `environment` holds
    the variables that were set and choose other kernels.
    """

    package_version: str
    git_commit: str | None
    git_dirty: bool | None
    code_digest: str
    numerics_class: str
    weights: dict[str, str]
    device: str
    cpu: str
    libraries: dict[str, str]
    threads: _Count
    started: str
    test_evaluations: _Count
    environment: dict[str, str] = {}


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One run. Timings in seconds; memory in MiB, the peak of the process that made the run, which may have made others
    before; `history` holds one number an epoch, None where it was not finite. `anomaly_set` is the fingerprint of the
    labelled anomalies sorted by id, whatever the order in which they were drawn, and `drew_all` says whether there were
    no others to draw; records before them lack both. `audit`
    holds the AUROC after each epoch of a run whose test images were scored all along; no table counts such a record.
    """

    schema: int = SCHEMA
    key: str
    fit_key: str
    series: str
    spec: RunSpec
    status: Literal["done", "failed"]
    error: str | None = None
    metrics: Metrics | None = None
    counts: Counts | None = None
    timings: dict[str, _Seconds] = {}
    peak_memory_mib: Annotated[float, Meta(ge=0)] | None = None
    history: dict[str, list[float | None]] = {}
    provenance: Provenance | None = None
    notes: list[str] = []
    anomaly_set: str | UnsetType = UNSET
    drew_all: bool | UnsetType = UNSET
    audit: list[_Fraction] | UnsetType = UNSET

    @property
    def has_one_score(self) -> bool:
        """True where the metrics are those of one score for all test images: they tell nothing of the method."""
        if self.metrics is None or self.counts is None:
            return False
        share = self.counts.test_anomaly / (self.counts.test_anomaly + self.counts.test_normal)
        return self.metrics.auroc == 0.5 and abs(self.metrics.average_precision - share) < SHARE_TOLERANCE

    def last(self, name: str) -> float | None:
        """The last value of a number in the history; None where there is none, or it was not finite."""
        values = self.history.get(name)
        return values[-1] if values else None


def encode_record(record: Record) -> bytes:
    """JSON of a record as it lies on disk: indented, keys in the order of the class, a newline at the end."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def decode_record(data: bytes) -> Record:
    """The record in `data`.

    Raises:
        DamagedRecordError: not a record, a number out of its range, or a key that does not fit what it says.
        ResultsError: written by a newer version of this project.
    """
    if len(data) > LARGEST_RECORD:
        raise DamagedRecordError(f"is larger than {LARGEST_RECORD / 2**20:.0f} MiB")
    try:
        schema = msgspec.json.decode(data, type=_Versioned).schema
        if schema > SCHEMA:
            raise ResultsError(f"has schema {schema}, this version reads up to {SCHEMA}: upgrade swanbench to read it")
        record = msgspec.json.decode(data, type=Record)
        odd = next(_contradictions(record), None)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise DamagedRecordError(f"is not a readable record ({error})") from error
    if odd:
        raise DamagedRecordError(f"has {odd}: it was edited or damaged")
    return record


def _contradictions(record: Record) -> Iterator[str]:
    """Contradictions of a record with its spec or between its own numbers, each as the end of `has ...`."""
    spec, counts = record.spec, record.counts
    fit_key = spec.fit.fit_key
    if record.key != spec.key_of(fit_key) or record.fit_key != fit_key:
        yield "a key that does not fit its spec"
    if record.series != spec.series:
        yield "a series that does not fit its spec"
    if spec.fit.source != (spec.source.fit_key if spec.source else None):
        yield "a source fit that does not fit its key"
    if spec.split.dataset_fingerprint != spec.fit.dataset_fingerprint:
        yield "a split of other data than its fit"
    if (record.metrics is None) != (record.status == "failed"):
        yield "metrics although it failed, or none although it is done"
    if record.status == "done" and not (counts and counts.train_normal and counts.test_normal and counts.test_anomaly):
        yield "no counts, or none of some images that every run has"
    if counts and (counts.train_anomaly == 0) != (spec.fit.train_anomaly == EMPTY_LIST):
        yield "a count of training anomalies that does not fit its list"


class _Versioned(msgspec.Struct):
    schema: Annotated[int, Meta(le=2**53)]
