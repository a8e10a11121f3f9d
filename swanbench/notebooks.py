"""Records of results folders for those who look at them in their own way.

A `source` is one results folder or several, or `reference` for the records that come with the package; without one it
is the folder that `bench` would take. What is left out or was corrected is told as a Python warning.
"""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from results.reference import reference_records
from results.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from results.record import Record

RecordSource = str | Path | Sequence[str | Path] | None


def records(*folders: str | Path) -> "Iterator[Record]":
    """The records of results folders, each sorted by key; `reference` stands for those that come with the package.

    Raises:
        ResultsError: a folder is a file.
    """
    for folder in folders:
        if folder == "reference":
            yield from reference_records()
        else:
            yield from Store(Path(folder)).records()


def results(source: RecordSource = None, *further: str | Path) -> "pd.DataFrame":
    """One row a run, sorted by name, with its numbers, parameters and provenance: the rows of `bench results export`.

    AUROC is a fraction, times are seconds.

    Raises:
        BenchError: a folder is not there.
        ResultsError: a folder is a file.
    """
    from benchmark.views.runs.frames import exported_records
    from results.maintenance.export import frame

    return frame(exported_records(_folders(source, *further), _warn))


def scores(source: RecordSource = None, run: str | None = None) -> "pd.DataFrame":
    """One row a test image of each run, or of one (a name, or the beginning of one or of a key), in scoring order.

    Columns: run, key, id, class, label (1 for an anomaly), score (higher is more anomalous).

    Raises:
        BenchError: a folder is not there, or no run or several have that name.
        ResultsError: a folder is a file.
    """
    from benchmark.views.runs.found_runs import find_run
    from benchmark.views.runs.frames import exported_records, score_frame

    folders = _folders(source)
    stored = exported_records(folders, _warn)
    chosen = stored if run is None else [find_run(run, stored, folders[0] if folders else None)]
    return score_frame(chosen, folders, _warn)


def cells(table: str, source: RecordSource = None) -> "pd.DataFrame":
    """One row a cell of a table of AUCs, such as `2` or `agad:5`: published and measured value, verdict, runs.

    Raises:
        BenchError: a folder is not there.
        ReportError: there is no such table.
        ResultsError: a folder is a file.
    """
    from benchmark.views.runs.frames import cell_frame, exported_records

    folders = _folders(source)
    return cell_frame(table, exported_records(folders, _warn), folders, _warn)


def _folders(source: RecordSource, *further: str | Path) -> list[Path]:
    from benchmark.errors import BenchError
    from benchmark.views.records import REFERENCE

    first = [] if source is None else [source] if isinstance(source, str | Path) else source
    folders = [Path(folder) for folder in (*first, *further)]
    for folder in folders:
        if str(folder) != REFERENCE and not folder.exists():
            raise BenchError(f"{folder}: there is no such folder: give a results folder, or '{REFERENCE}'")
    return folders


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=2)
