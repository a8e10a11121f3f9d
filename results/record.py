"""What one run left: a record, one JSON file, schema-versioned."""

from typing import Literal

import msgspec

from results.errors import ResultsError
from results.spec import RunSpec

SCHEMA = 1


class DamagedRecordError(ResultsError):
    """A record file is cut short, edited or otherwise not what was written; stores set it aside."""


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """AUROC and average precision as fractions; anomalies are the positive class, ties count one half."""

    auroc: float
    average_precision: float


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Images in each of the split's four lists."""

    train_normal: int
    train_anomaly: int
    test_normal: int
    test_anomaly: int


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """What produced the numbers. `weights` maps an architecture to the label of its file, as table notes print it;
    `environment` holds the variables that were set and choose other kernels.
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
    threads: int
    started: str
    test_evaluations: int
    environment: dict[str, str] = {}


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One run. Timings in seconds; memory in MiB, the peak of the process that made the run, which may have made others
    before; `history` holds one number an epoch.
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
    timings: dict[str, float] = {}
    peak_memory_mib: float | None = None
    history: dict[str, list[float]] = {}
    provenance: Provenance | None = None
    notes: list[str] = []


def encode(record: Record) -> bytes:
    """JSON of a record as it lies on disk: indented, keys in the order of the class, a newline at the end."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def decode(data: bytes) -> Record:
    """The record in `data`.

    Raises:
        DamagedRecordError: not a record, or its keys do not fit what it says.
        ResultsError: written by a newer version of this project.
    """
    try:
        schema = msgspec.json.decode(data, type=_Versioned).schema
        if schema > SCHEMA:
            raise ResultsError(f"has schema {schema}, this version reads up to {SCHEMA}: upgrade swanbench to read it")
        record = msgspec.json.decode(data, type=Record)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DamagedRecordError(f"is not a readable record ({error})") from error
    if record.key != record.spec.key or record.fit_key != record.spec.fit.fit_key:
        raise DamagedRecordError("has a key that does not fit its spec: it was edited or damaged")
    return record


class _Versioned(msgspec.Struct):
    schema: int
