"""`bench results export`: all records of a folder in one file."""

from typing import TYPE_CHECKING

import click

from benchmark.errors import BenchError
from benchmark.terminal.options import (
    FilePath,
    accept_stale_option,
    metric_option,
    note,
    put,
    record_folder_option,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd

    from results.metrics import Metric
    from results.record import Record


@click.command("export")
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl", "parquet"]),
    default="csv",
    show_default=True,
    help="A table as CSV or Parquet (extra parquet), or whole records, one a line, as results/reference keeps them.",
)
@click.option(
    "--rows",
    type=click.Choice(["runs", "images"]),
    default="runs",
    show_default=True,
    help="A row of the table is a run with all that made it, or a test image of a run with its score.",
)
@click.option("--output", type=FilePath(dir_okay=False), metavar="FILE", help="Write to FILE.")
@metric_option
@accept_stale_option
@record_folder_option
def command(
    form: str,
    rows: str,
    output: "Path | None",
    results: "Path | None",
    metric: "Metric",
    accept_stale_code: bool,
) -> None:
    """All records of a folder in one file, but those of plug-ins whose code was edited since.

    The table has AUC and average precision, and another metric beside them; then counts, fingerprints, deviations,
    provenance, split options, hyper-parameters and versions of libraries, each in a column of its own.
    """
    from benchmark.views.runs.frames import exported_records, score_frame
    from protocols.text import printable_json
    from results.maintenance.export import json_lines, parquet_bytes
    from results.metrics import STORED_METRICS

    if form == "jsonl" and rows == "images":
        raise BenchError("--format jsonl holds whole records: take csv or parquet for --rows images")
    if metric not in STORED_METRICS and (form == "jsonl" or rows == "images"):
        content = "records" if form == "jsonl" else "images"
        raise BenchError(f"{content} hold no {metric.title}: take --format csv and --rows runs, or leave --metric out")
    folders = [] if results is None else [results]
    records = exported_records(folders, note, accept_stale_code=accept_stale_code)
    if form == "jsonl":
        put(printable_json(json_lines(records)), output)
        return
    table = score_frame(records, folders, note) if rows == "images" else _run_table(records, results, metric)
    put(parquet_bytes(table) if form == "parquet" else _csv(table), output)


def _run_table(records: "list[Record]", results: "Path | None", metric: "Metric") -> "pd.DataFrame":
    from benchmark.views.metric_values import tell_remarks
    from benchmark.views.runs.found_runs import folder_values
    from results.maintenance.export import frame
    from results.metrics import STORED_METRICS

    values = folder_values(results, metric, note)
    computed: dict[str, Callable[[Record], float | None]] = {} if metric in STORED_METRICS else {metric.id: values}
    table = frame(records, computed)
    tell_remarks([values], note)
    return table


def _csv(table: "pd.DataFrame") -> str:
    from protocols.text import csv_cell

    texts = table.select_dtypes(include=["object", "string"])
    safe = table.assign(**{str(name): column.map(csv_cell, na_action="ignore") for name, column in texts.items()})
    text: str = safe.to_csv(index=False, lineterminator="\n")
    return text
