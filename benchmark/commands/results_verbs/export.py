"""`bench results export`: all records of a folder in one file."""

from typing import TYPE_CHECKING

import click

from benchmark.errors import BenchError
from benchmark.terminal.options import (
    FilePath,
    accept_stale_option,
    metric_option,
    note,
    record_folder_option,
    say_page,
    write_output,
)
from benchmark.views.runs.found_runs import folder_records, folder_values

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from results.metrics import Metric


@click.command("export")
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl"]),
    default="csv",
    show_default=True,
    help="A table for people, or whole records, one a line, as results/reference keeps them.",
)
@click.option("--output", type=FilePath(dir_okay=False), metavar="FILE", help="Write to FILE.")
@metric_option
@accept_stale_option
@record_folder_option
def command(
    form: str, output: "Path | None", results: "Path | None", metric: "Metric", accept_stale_code: bool
) -> None:
    """All records of a folder in one file, but those of plug-ins whose code was edited since.

    The table has AUC and average precision, and another metric beside them.
    """
    from benchmark.planning.installed import InstalledCode
    from benchmark.views.metric_values import tell_remarks
    from protocols.text import printable_json
    from results.maintenance.export import frame, json_lines
    from results.metrics import STORED_METRICS

    if form == "jsonl" and metric not in STORED_METRICS:
        raise BenchError(f"records hold no {metric.title}: take --format csv, or leave --metric out")
    values = folder_values(results, metric, note)
    code, stored = InstalledCode(accept=accept_stale_code), folder_records(results, note)
    records = [record for record in stored if not code.stale(record)]
    if left_out := len(stored) - len(records):
        note(
            f"{left_out} of {len(stored)} records left out, stale: made by other code of a plug-in than is installed; "
            "--accept-stale-code exports them too"
        )
    computed = {} if metric in STORED_METRICS else {metric.id: values}
    text = printable_json(json_lines(records)) if form == "jsonl" else _csv(frame(records, computed))
    tell_remarks([values], note)
    if output is None:
        say_page(text)
    else:
        write_output(output, text)


def _csv(table: "pd.DataFrame") -> str:
    from protocols.text import csv_cell

    texts = table.select_dtypes(exclude="number")
    safe = table.assign(**{str(name): column.map(csv_cell, na_action="ignore") for name, column in texts.items()})
    text: str = safe.to_csv(index=False, lineterminator="\n")
    return text
