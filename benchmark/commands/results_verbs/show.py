"""`bench results show`: the record of a run."""

from typing import TYPE_CHECKING

import click

from benchmark.terminal.options import metric_option, note, record_folder_option, say_page
from benchmark.views.runs.found_runs import find_run, folder_records, folder_values

if TYPE_CHECKING:
    from pathlib import Path

    from results.metrics import Metric


@click.command("show")
@click.argument("run")
@record_folder_option
@metric_option
def command(run: str, results: "Path | None", metric: "Metric") -> None:
    """The record of RUN: a name, or the beginning of one or of a key.

    A metric that records do not hold stands beside those that they hold.
    """
    import json

    from benchmark.views.metric_values import tell_remarks
    from protocols.text import printable_json
    from results.metrics import STORED_METRICS
    from results.record import encode_record

    record = find_run(run, folder_records(results, note), results)
    text = encode_record(record).decode()
    if metric not in STORED_METRICS:
        values, content = folder_values(results, metric, note), json.loads(text)
        content["metrics"] = (content["metrics"] or {}) | {metric.id: values(record)}
        tell_remarks([values], note)
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    say_page(printable_json(text))
