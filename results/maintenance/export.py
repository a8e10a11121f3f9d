"""Records in one piece: a data frame for notebooks, JSON lines for `results/reference`."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from results.key import canonical
from results.metrics import STORED_METRICS, stored_value
from results.record import Record

if TYPE_CHECKING:
    import pandas as pd


def frame(
    records: Iterable[Record], computed: Mapping[str, Callable[[Record], float | None]] | None = None
) -> "pd.DataFrame":
    """One row a run, sorted by name; AUROC and average precision as fractions, times in seconds, memory in MiB.

    `computed`: further metrics by id, each with the function that gives its value of a record.
    """
    import pandas as pd

    rows = [
        {
            "name": record.spec.name,
            "method": record.spec.method,
            "recipe": record.spec.recipe,
            "protocol": record.spec.split.rule,
            "dataset": record.spec.split.dataset,
            **record.spec.split.coordinates,
            "split_seed": record.spec.split_seed,
            "seed": record.spec.fit.seed,
            "status": record.status,
            **{metric.id: stored_value(metric, record) for metric in STORED_METRICS},
            **{name: value_of(record) for name, value_of in (computed or {}).items()},
            "size": record.spec.fit.size,
            "precision": record.spec.fit.precision,
            "fit_s": record.timings.get("fit_s"),
            "score_s": record.timings.get("score_s"),
            "peak_memory_mib": record.peak_memory_mib,
            "weights": " ".join(record.provenance.weights.values()) if record.provenance else None,
            "numerics_class": record.provenance.numerics_class if record.provenance else None,
            "series": record.series,
            "fit_key": record.fit_key,
            "key": record.key,
        }
        for record in records
    ]
    table = pd.DataFrame(rows).astype({"shots": "Int64"}) if rows else pd.DataFrame()
    return table.sort_values("name", ignore_index=True) if rows else table


def json_lines(records: Iterable[Record]) -> str:
    """JSON lines of whole records, sorted by name."""
    ordered = sorted(records, key=lambda record: record.spec.name)
    return "".join(f"{canonical(record).decode()}\n" for record in ordered)
