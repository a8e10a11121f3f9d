"""Records in one piece: a data frame for those who look at them in their own way, lines for `results/reference`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from results.key import canonical
from results.record import Record

if TYPE_CHECKING:
    import pandas as pd


def frame(records: Iterable[Record]) -> "pd.DataFrame":
    """One row a run, sorted by name; AUROC and average precision as fractions, times in seconds, memory in MiB."""
    import pandas as pd

    rows = [
        {
            "name": record.spec.name,
            "method": record.spec.method,
            "recipe": record.spec.recipe,
            "protocol": record.spec.split.rule,
            "dataset": record.spec.split.dataset,
            "source_dataset": record.spec.split.source_dataset,
            "known_class": record.spec.split.known_class,
            "normal_class": record.spec.split.normal_class,
            "shots": record.spec.split.shots,
            "gamma": record.spec.split.gamma,
            "split_seed": record.spec.split_seed,
            "seed": record.spec.fit.seed,
            "status": record.status,
            "auroc": record.metrics.auroc if record.metrics else None,
            "average_precision": record.metrics.average_precision if record.metrics else None,
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


def lines(records: Iterable[Record]) -> str:
    """Whole records as compact JSON, one a line, sorted by name."""
    ordered = sorted(records, key=lambda record: record.spec.name)
    return "".join(f"{canonical(record).decode()}\n" for record in ordered)
