"""Runs that stand in no table of a paper: other datasets, methods or shots than the paper has."""

from collections.abc import Iterable

from reports.tables.lookup import MeasuredIds, record_key
from reports.tables.measured import Stale, never_stale
from reports.tables.table import Table, lookup_keys
from reports.text import escape_markdown, pipe_table
from results.metrics import STORED_METRICS
from results.record import Record


def unplaced_runs(table: Table, records: Iterable[Record], measures: MeasuredIds) -> list[Record]:
    """The records that no measured cell of `table` can show."""
    keys = {key for cell in table.cells if cell.measured for key in lookup_keys(table.layout, cell)}
    return [record for record in records if not any(record_key(record, method) in keys for method in measures(record))]


def runs_table(records: Iterable[Record], *, stale: Stale = never_stale) -> str:
    """Markdown: one line a finished run with the metrics that its record holds, by name; a stale one says so."""
    rows = [
        [
            escape_markdown(record.spec.name),
            escape_markdown(record.spec.recipe),
            *_numbers(record, stale=bool(stale(record))),
        ]
        for record in sorted(records, key=lambda record: record.spec.name)
        if record.metrics
    ]
    return pipe_table(["Run", "Recipe", *(metric.heading for metric in STORED_METRICS)], rows) + "\n"


def _numbers(record: Record, *, stale: bool) -> list[str]:
    """The metrics of a finished run; the first says whether it is stale."""
    texts = [f"{getattr(record.metrics, metric.id):.4f}" for metric in STORED_METRICS]
    return [texts[0] + (" stale" if stale else ""), *texts[1:]]
