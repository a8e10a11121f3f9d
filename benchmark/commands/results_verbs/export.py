"""`bench results export`: all records of a folder in one file."""

from typing import TYPE_CHECKING

import click

from benchmark.errors import BenchError
from benchmark.terminal.options import (
    FilePath,
    accept_stale_option,
    each_once,
    metric_option,
    note,
    put,
    record_folder_option,
    say,
    write_output,
)
from protocols.text import plural

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd

    from results.metrics import Metric
    from results.record import Record

COLLECTIONS = ("every-eval-ever", "hf-eval-results")
"""Forms of shared collections of results: folders of files."""


@click.command("export")
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl", "parquet", *COLLECTIONS]),
    default="csv",
    show_default=True,
    help="A table as CSV or Parquet (extra parquet); whole records, one a line, as results/reference keeps them; or a "
    "folder of files for Every Eval Ever, or for repositories of models on the Hugging Face Hub.",
)
@click.option(
    "--rows",
    type=click.Choice(["runs", "images"]),
    default="runs",
    show_default=True,
    help="A row of the table is a run with all that made it, or a test image of a run with its score.",
)
@click.option("--output", type=FilePath(), metavar="FILE", help="Write to FILE, or below this folder.")
@click.option(
    "--organization", default="unknown", show_default=True, help="Who made the runs, for --format every-eval-ever."
)
@click.option(
    "--hub-dataset",
    "hub_datasets",
    multiple=True,
    metavar="DATASET=ID",
    help="A dataset's id on the Hub, for --format hf-eval-results; repeatable, others are left out.",
)
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
    organization: str,
    hub_datasets: tuple[str, ...],
) -> None:
    """All records of a folder in one file, but those of plug-ins whose code was edited since.

    The table has AUC and average precision, and another metric beside them; then counts, fingerprints, deviations,
    provenance, split options, hyper-parameters and versions of libraries, each in a column of its own.
    """
    from benchmark.views.runs.frames import exported_records, score_frame
    from protocols.text import printable_json
    from results.maintenance.export import json_lines, parquet_bytes
    from results.metrics import STORED_METRICS

    is_table = form in {"csv", "parquet"}
    if rows == "images" and not is_table:
        raise BenchError(f"--format {form} holds whole records: take csv or parquet for --rows images")
    if metric not in STORED_METRICS and (not is_table or rows == "images"):
        content = "images" if rows == "images" else "records"
        raise BenchError(f"{content} hold no {metric.title}: take --format csv and --rows runs, or leave --metric out")
    folders = [] if results is None else [results]
    records = exported_records(folders, note, accept_stale_code=accept_stale_code)
    if form in COLLECTIONS:
        _put_files(_collection(form, records, organization, hub_datasets), form, output)
        return
    if form == "jsonl":
        put(printable_json(json_lines(records)), output)
        return
    table = score_frame(records, folders, note) if rows == "images" else _run_table(records, results, metric)
    put(parquet_bytes(table) if form == "parquet" else _csv(table), output)


def _collection(form: str, records: "list[Record]", organization: str, assignments: tuple[str, ...]) -> dict[str, str]:
    """Files of a collection by their paths."""
    from benchmark.views.runs.exchange import eval_documents, hub_results

    if form == "every-eval-ever":
        return eval_documents(records, organization)
    pairs = [text.partition("=") for text in assignments]
    if not pairs or not all(name and id_ for name, _, id_ in pairs):
        raise BenchError(
            "--format hf-eval-results needs the dataset's id on the Hub: give --hub-dataset DATASET=ID, such as "
            "elpv=owner/name"
        )
    return hub_results(records, each_once("--hub-dataset", ((name, id_) for name, _, id_ in pairs)))


def _put_files(files: dict[str, str], form: str, folder: "Path | None") -> None:
    """Write files below a folder, which may be there."""
    if folder is None:
        raise BenchError(f"--format {form} is a folder of files: give --output DIR")
    if folder.is_file():
        raise BenchError(f"--output {folder}: is a file, and --format {form} writes below a folder: choose another")
    if not files:
        raise BenchError("no finished run to export: bench results list has those that there are")
    try:
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            write_output(folder / path, content)
    except OSError as error:
        raise BenchError(f"--output {folder}: {error.strerror}; choose another folder") from error
    say(f"{plural(len(files), 'file')} written below {folder}")


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
