"""Detectors that runs kept, for scores of images of one's own."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmark.execution.stores.models.kept_model import KeptModel


def load_model(
    run: str, results: str | Path | None = None, *, weights: Sequence[str] = (), device: str = "cpu"
) -> "KeptModel":
    """The detector that `bench run --keep-models` kept of a run: a name, or the beginning of one or of a key.

    It has `score(images)`, `maps(images)`, `thresholds`, `threshold(share)` and `spec`. `results` is the folder of runs
    (default: the one that `bench` would take); `weights` are files as `--weights` has them.

    Raises:
        BenchError: a folder is not there, no run or several have that name, or no model of the run is kept.
        MethodError: its ImageNet weights are not at hand.
        ResultsError: the model cannot be read or is damaged.
    """
    from benchmark.paths import resolve_folders
    from benchmark.views.pages.remaking import refuse_unkept
    from benchmark.views.runs.found_runs import find_run, folder_records
    from results.store import Store

    folder = None if results is None else Path(results)
    record = find_run(run, folder_records(folder, _warn), folder)
    folders = resolve_folders(folder)
    store = Store(folders.results)
    refuse_unkept(record, store, folder)
    from benchmark.execution.stores.models.keeping import open_model  # loads torch

    return open_model(store, record.fit_key, folders, weights=weights, device=device)


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=2)
