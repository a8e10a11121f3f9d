"""`bench results list`: one line a run."""

from typing import TYPE_CHECKING, Any

import click

from benchmark.terminal.options import echo_json, json_option, metric_option, note, record_folder_option, say
from benchmark.views.runs.found_runs import folder_records, folder_values

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark.views.metric_values import MetricValues
    from results.metrics import Metric
    from results.record import Record


@click.command("list")
@record_folder_option
@metric_option
@json_option
def command(results: "Path | None", metric: "Metric", as_json: bool) -> None:
    """One line a run."""
    from benchmark.views.metric_values import tell_remarks

    values = folder_values(results, metric, note)
    rows = sorted((_row(record, values) for record in folder_records(results, note)), key=lambda row: row["name"])
    tell_remarks([values], note)
    if as_json:
        echo_json(rows)
        return
    if not rows:
        note("no records yet: bench run --suite quick makes the first")
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        say(f"{row['name']:{width}} {row['recipe']:9} {row['status']:7} {_number_text(row, metric)}")


def _number_text(row: "dict[str, Any]", metric: "Metric") -> str:
    """The number of a run, with a mark where it is worse than chance or all images got one score."""
    value = row[metric.id]
    if value is None:
        return ""
    doubt = "one score for all images" if row["one_score"] else metric.beyond_chance([value])
    return f"{value:.4f} {doubt}".rstrip()


def _row(record: "Record", values: "MetricValues") -> dict[str, Any]:
    spec = record.spec
    return {
        "key": record.key,
        "fit_key": record.fit_key,
        "name": spec.name,
        "method": spec.method,
        "recipe": spec.recipe,
        "dataset": spec.split.dataset,
        "protocol": spec.split.rule,
        **spec.split.coordinates,
        "seed": spec.fit.seed,
        "status": record.status,
        "auroc": record.metrics.auroc if record.metrics else None,
        values.metric.id: values(record),
        "one_score": record.has_one_score,
    }
