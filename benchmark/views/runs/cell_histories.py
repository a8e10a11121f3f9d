"""Histories of cells, with what planning and results folders know of the records behind them."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmark.planning.equivalence import detector_versions, measures
from benchmark.planning.installed import InstalledCode
from benchmark.views.metric_values import scored_folders, scores_digest, scores_finder
from reports.figures.history import CellHistory, cell_history
from results.record import Record


def load_history(
    name: str,
    records: Iterable[Record],
    *,
    folders: Sequence[Path],
    tell: Callable[[str], None],
    accept_stale_code: bool = False,
    **choice: Any,
) -> CellHistory:
    """The history of the cell of this id; `folders` hold the scores of the records, `choice` is `cell_history`'s.

    Raises:
        ReportError: no paper prints such a cell, it holds no AUC, or there is no such recipe or hyper-parameter.
    """
    code = InstalledCode(accept=accept_stale_code)
    return cell_history(
        name,
        records,
        measures=measures(),
        versions=detector_versions(),
        stale=code.stale,
        remark=code.note,
        scores_digest=partial(scores_digest, scores_finder(scored_folders(folders), tell)),
        **choice,
    )
