"""Runs as a person names them: by a name, or by the beginning of a name or key that only one has."""

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmark.errors import BenchError
from benchmark.paths import resolve_folders
from benchmark.views.metric_values import MetricValues, scored_folders, scores_finder
from benchmark.views.records import load_records
from protocols.text import near_miss
from results.metrics import Metric
from results.record import Record

_NAMED_RUNS = 12


def folder_records(folder: Path | None, warn: Callable[[str], None]) -> list[Record]:
    """The records of a folder, or of the default one; raises BenchError where the folder is not there."""
    return load_records([] if folder is None else [folder], warn)


def folder_values(folder: Path | None, metric: Metric, warn: Callable[[str], None]) -> MetricValues:
    """A metric of the records of such a folder."""
    return MetricValues(metric, scores_finder(scored_folders([] if folder is None else [folder]), warn))


def find_run(text: str, records: Sequence[Record], folder: Path | None) -> Record:
    """The one run whose name is `text`, with or without its digest, or whose name or key begins with it.

    Raises:
        BenchError: none does, or several do; these are listed.
    """
    matching = {
        record.key: record
        for record in records
        if text and (record.key.startswith(text) or record.spec.name.startswith(text))
    }
    exact = [
        record
        for record in matching.values()
        if text in {record.key, record.spec.name, record.spec.name.rpartition("-")[0]}
    ]
    chosen = exact or list(matching.values())
    if len(chosen) == 1:
        return chosen[0]
    names = sorted(record.spec.name for record in chosen or records)
    if chosen:
        listed = ", ".join(names[:_NAMED_RUNS]) + (", ..." if len(names) > _NAMED_RUNS else "")
        raise BenchError(f"'{text}' is the beginning of {len(names)} runs, give more of one: {listed}")
    hint = near_miss(text, names, "see bench results list")
    raise BenchError(f"no run '{text}' in {resolve_folders(folder).results}: {hint}")
