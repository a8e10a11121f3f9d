"""Data frames of runs, of their images and of cells, as notebooks and `bench results export` have them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.planning.equivalence import detector_versions, measures, method_titles
from benchmark.planning.installed import InstalledCode
from benchmark.views.metric_values import scored_folders, scores_digest, scores_finder
from benchmark.views.records import load_records
from protocols.text import plural
from reports.layouts.layout import auc_layout
from reports.tables.table import Cell, build_table, unprinted_methods
from results.record import Record

if TYPE_CHECKING:
    import pandas as pd


def exported_records(
    folders: Sequence[Path], tell: Callable[[str], None], *, accept_stale_code: bool = False
) -> list[Record]:
    """The records of folders (none: the default one), but those of plug-ins whose code was edited since."""
    code, stored = InstalledCode(accept=accept_stale_code), load_records(folders, tell)
    records = [record for record in stored if not code.stale(record)]
    if left_out := len(stored) - len(records):
        tell(
            f"{left_out} of {plural(len(stored), 'record')} left out, stale: made by other code of a plug-in than is "
            "installed; bench results export --accept-stale-code has them too"
        )
    return records


def score_frame(records: Iterable[Record], folders: Sequence[Path], tell: Callable[[str], None]) -> "pd.DataFrame":
    """One row a test image of each run: run, key, id, class, label (1 for an anomaly), score; higher is more anomalous.

    `tell` is told how many runs have no scores in the folders.
    """
    import pandas as pd

    find_scores, parts, total, lacking = scores_finder(scored_folders(folders), tell), [], 0, 0
    for record in records:
        total, scores = total + 1, find_scores(record)
        lacking += scores is None
        if scores is not None:
            numbers = {"label": scores.labels, "score": scores.values}  # noqa: PD011 - an array, no data frame
            columns = {"id": scores.ids, "class": scores.classes, **numbers}
            parts.append(pd.DataFrame({"run": record.spec.name, "key": record.key, **columns}))
    if lacking:
        tell(f"no scores of {lacking} of {plural(total, 'run')} are stored: give the results folder that has them")
    empty = pd.DataFrame(columns=["run", "key", "id", "class", "label", "score"])
    return pd.concat(parts, ignore_index=True) if parts else empty


def cell_frame(
    table: str, records: Sequence[Record], folders: Sequence[Path], tell: Callable[[str], None]
) -> "pd.DataFrame":
    """One row a cell of a table: coordinates, published and measured value, verdict, names of the runs.

    Values are in the unit of the table. Raises ReportError where there is no such table of AUCs.
    """
    import pandas as pd

    layout, measured_as = auc_layout(table), measures()
    built = build_table(
        layout,
        records,
        measures=measured_as,
        versions=detector_versions(),
        stale=InstalledCode(accept=False).stale,
        added_methods=unprinted_methods(layout, records, measured_as),
        titles=method_titles(),
        scores_digest=partial(scores_digest, scores_finder(scored_folders(folders), tell)),
    )
    return pd.DataFrame([dict(_cell_fields(cell)) for cell in built.cells])


def _cell_fields(cell: Cell) -> Iterator[tuple[str, Any]]:
    published, measured, comparison = cell.published, cell.measured, cell.verdict.comparison
    yield from cell.coordinates.items()
    yield "published_mean", published.mean if published else None
    yield "published_std", published.std if published else None
    yield "measured_mean", measured.mean if measured else None
    yield "measured_std", measured.std if measured else None
    yield "n", measured.n if measured else 0
    yield "verdict", cell.verdict.name if published else None
    yield "would_be", cell.verdict.would_be
    for name in ("difference", "low", "high"):
        yield name, getattr(comparison, name, None)
    yield "reasons", "; ".join(cell.verdict.reasons)
    yield "runs", " ".join(measured.run_names) if measured else ""
