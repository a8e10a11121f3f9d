"""Records in one piece: a data frame for notebooks and files, JSON lines for `results/reference`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING, Any

from results.errors import ResultsError
from results.metrics import STORED_METRICS, stored_value
from results.record import Provenance, Record
from results.spec import canonical

if TYPE_CHECKING:
    import pandas as pd

_PROVENANCE = (
    *("package_version", "git_commit", "git_dirty", "code_digest", "device", "cpu", "threads", "started"),
    "test_evaluations",
)
_COUNTS = ("train_normal", "train_anomaly", "test_normal", "test_anomaly")


def frame(
    records: Iterable[Record], computed: Mapping[str, Callable[[Record], float | None]] | None = None
) -> "pd.DataFrame":
    """One row a run, sorted by name; AUROC and average precision as fractions, times in seconds, memory in MiB.

    After the facts of a run come its counts, fingerprints, words and provenance, then a column `split.OPTION`,
    `param.NAME` and `library.NAME` for each that some run has. Several words of a run are joined by `; `.

    `computed`: further metrics by id, each with the function that gives its value of a record.
    """
    import pandas as pd

    ordered = sorted(records, key=lambda record: record.spec.name)
    rows = [{**_facts(record, computed or {}), **_origin(record)} for record in ordered]
    if not rows:
        return pd.DataFrame()
    named: dict[str, list[Mapping[str, Any]]] = {
        "split": [record.spec.split.options for record in ordered],
        "param": [record.spec.fit.params for record in ordered],
        "library": [record.provenance.libraries if record.provenance else {} for record in ordered],
    }
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    for prefix, mappings in named.items():
        for name in sorted({name for mapping in mappings for name in mapping}):
            columns[f"{prefix}.{name}"] = [mapping.get(name) for mapping in mappings]
    return pd.DataFrame({name: _column(values) for name, values in columns.items()})


def parquet_bytes(table: "pd.DataFrame") -> bytes:
    """A data frame as a Parquet file.

    Raises:
        ResultsError: pyarrow is not installed.
    """
    if find_spec("pyarrow") is None:
        raise ResultsError("Parquet needs pyarrow: pip install 'swanbench[parquet]', or take --format csv")
    buffer = BytesIO()
    table.to_parquet(buffer, engine="pyarrow", index=False)
    return buffer.getvalue()


def json_lines(records: Iterable[Record]) -> str:
    """JSON lines of whole records, sorted by name."""
    ordered = sorted(records, key=lambda record: record.spec.name)
    return "".join(f"{canonical(record).decode()}\n" for record in ordered)


def _facts(record: Record, computed: Mapping[str, Callable[[Record], float | None]]) -> dict[str, Any]:
    """The run, its numbers and its keys."""
    spec = record.spec
    return {
        "name": spec.name,
        "method": spec.method,
        "recipe": spec.recipe,
        "protocol": spec.split.rule,
        "dataset": spec.split.dataset,
        **spec.split.coordinates,
        "split_seed": spec.split_seed,
        "seed": spec.fit.seed,
        "status": record.status,
        **{metric.id: stored_value(metric, record) for metric in STORED_METRICS},
        **{name: value_of(record) for name, value_of in computed.items()},
        "size": spec.fit.size,
        "precision": spec.fit.precision,
        "fit_s": record.timings.get("fit_s"),
        "score_s": record.timings.get("score_s"),
        "peak_memory_mib": record.peak_memory_mib,
        "weights": " ".join(record.provenance.weights.values()) if record.provenance else None,
        "numerics_class": record.provenance.numerics_class if record.provenance else None,
        "series": record.series,
        "fit_key": record.fit_key,
        "key": record.key,
    }


def _origin(record: Record) -> dict[str, Any]:
    """Images, words and provenance of a run."""
    spec, provenance = record.spec, record.provenance
    evaluation = spec.evaluation
    return {
        "detector": spec.fit.detector,
        "detector_version": spec.fit.version,
        **{f"{name}_images": getattr(record.counts, name, None) for name in _COUNTS},
        "dataset_fingerprint": spec.split.dataset_fingerprint,
        "train_normal_fingerprint": spec.fit.train_normal,
        "train_anomaly_fingerprint": spec.fit.train_anomaly,
        "test_fingerprint": spec.test,
        "resize": spec.fit.resize,
        "evaluation_order": evaluation.order if evaluation else None,
        "evaluation_batch": evaluation.batch if evaluation else None,
        "pools": _joined(f"{pool}:{part.dataset}" for pool, parts in spec.fit.pools.items() for part in parts),
        "source_fit": spec.fit.source,
        "deviations": _joined(spec.deviations),
        "notes": _joined(record.notes),
        "error": record.error,
        **{name: getattr(provenance, name, None) for name in _PROVENANCE},
        "environment": _joined(_environment(provenance)),
    }


def _environment(provenance: Provenance | None) -> list[str]:
    return [f"{name}={value}" for name, value in provenance.environment.items()] if provenance else []


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(texts)


def _column(values: Sequence[Any]) -> "pd.Series":
    """A column of one type, in which nothing stands where a run has no value; values of several types are texts."""
    import pandas as pd

    kinds = {type(value) for value in values if value is not None}
    types = {frozenset({bool}): "boolean", frozenset({int}): "Int64"}
    if kinds and kinds <= {int, float}:
        return pd.Series(values, dtype=types.get(frozenset(kinds), "float64"))
    if len(kinds) > 1:
        values = [value if value is None or isinstance(value, str) else canonical(value).decode() for value in values]
    return pd.Series(values, dtype=types.get(frozenset(kinds), "string"))
