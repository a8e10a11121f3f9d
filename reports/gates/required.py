"""Demands of `check --require FILE`: records, or one cell id or run name a line, and those that are not met."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from protocols.text import near_miss
from reports.gates.faults import Counterparts, Fault
from reports.layouts import cell_ids
from reports.tables.lookup import MeasuredIds
from reports.tables.measured import Stale, first_line, never_stale, record_age
from reports.tables.table import Cell, Table
from results.record import Record


@dataclass(frozen=True, slots=True)
class Required:
    """Runs by their records, and cell ids and run names as they were typed."""

    records: tuple[Record, ...] = ()
    lines: tuple[str, ...] = ()


def unmet_faults(
    required: Required,
    records: Sequence[Record],
    tables: Iterable[Table],
    *,
    measures: MeasuredIds,
    versions: Mapping[str, int],
    stale: Stale = never_stale,
) -> list[Fault]:
    """Faults of what is required and is no finished run of today, and no cell that such runs fill.

    Args:
        required: what must be there.
        records: those at hand.
        tables: all tables whose cells may be named, built from these records.
        measures: the ids of the detectors and variants that a record measures.
        versions: current version by detector; records of an older one are stale.
        stale: what else makes a record stale.
    """
    runs = Counterparts(records, required.records, versions, stale)
    results = [runs.of(record) for record in required.records]
    faults = [result for result in results if isinstance(result, Fault)]
    cells, names = _cells(tables), _names(records, measures)
    for line in required.lines:
        if line in cells:
            fault = _cell_fault(line, cells[line])
        else:
            fault = _run_fault(
                line, names, [*cells, *names], lambda record: record_age(record, versions) or stale(record)
            )
        faults += [fault] if fault else []
    return faults


def _cells(tables: Iterable[Table]) -> dict[str, list[Cell]]:
    """The published cells that something measures, by their ids, with and without the table in front."""
    by_id: dict[str, list[Cell]] = {}
    for table in tables:
        for cell in table.cells:
            if cell.published and table.layout.source(cell.coordinates):
                name = cell_ids.cell_id(table.layout, cell.coordinates)
                for id_ in (name, f"{table.layout.id}/{name}"):
                    by_id.setdefault(id_, []).append(cell)
    return by_id


def _names(records: Iterable[Record], measures: MeasuredIds) -> dict[str, list[Record]]:
    """Runs by their names, and by the ids of the cells in which they would stand."""
    by_name: dict[str, list[Record]] = {}
    for record in records:
        for name in {record.spec.name, *(cell_ids.run_cell_id(record, method) for method in measures(record))}:
            by_name.setdefault(name, []).append(record)
    return by_name


def _cell_fault(line: str, cells: Sequence[Cell]) -> Fault | None:
    """Fault of a cell of the tables, if it has one; several that print one cell are looked up in the same runs."""
    if any(cell.measured and cell.verdict.name != "stale" for cell in cells):
        return None
    verdict = cells[0].verdict
    kind = verdict.name if verdict.name in ("failed", "stale") else "absent"
    return Fault(kind, line, "; ".join(["required", *(verdict.reasons or ["nothing measures it"])]))


def _run_fault(line: str, names: Mapping[str, Sequence[Record]], choices: Iterable[str], old: Stale) -> Fault | None:
    """Fault of a run by its name, or of the runs of a cell that no table prints, if there is one."""
    runs = names.get(line, [])
    done = [record for record in runs if record.metrics]
    if any(not old(record) for record in done):
        return None
    if done:
        return Fault("stale", line, f"required; {old(done[0])}")
    if runs:
        return Fault("failed", line, f"required; {first_line(runs[0].error)}")
    return Fault(
        "absent",
        line,
        "required, and neither a run of this name nor a cell of this id: "
        + near_miss(line, choices, "see bench results list"),
    )
