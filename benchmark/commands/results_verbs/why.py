"""`bench results why`: what made the number of a run or of a cell."""

from typing import TYPE_CHECKING

import click

from benchmark.terminal.options import note, record_folder_option, say
from benchmark.views.runs.found_runs import find_run, folder_records

if TYPE_CHECKING:
    from pathlib import Path

    from results.record import Record


@click.command("why")
@click.argument("name", metavar="RUN|CELL")
@record_folder_option
def command(name: str, results: "Path | None") -> None:
    """Published value, verdict, and what made the number of a run or cell.

    RUN is a name, or the beginning of one or of a key; CELL is an id such as hard/elpv/mono/dra/10,
    whose runs are named.
    """
    lines = _cell_lines if "/" in name else _run_lines
    for line in lines(name, folder_records(results, note), results):
        say(line)


def _cell_lines(name: str, records: "list[Record]", results: "Path | None") -> list[str]:
    from benchmark.views.runs.cell_histories import load_history
    from benchmark.views.runs.explanation import cell_explanation, unprinted_explanation, unprinted_runs

    unprinted = unprinted_runs(name, records)
    if unprinted:
        return unprinted_explanation(name, unprinted)
    history = load_history(name, records, folders=_folders(results), tell=note)
    return cell_explanation(history, records)


def _run_lines(name: str, records: "list[Record]", results: "Path | None") -> list[str]:
    from benchmark.paths import resolve_folders
    from benchmark.views.runs.cell_histories import load_history
    from benchmark.views.runs.explanation import printed_cells, run_explanation
    from results.store import Store

    record = find_run(name, records, results)
    cells = printed_cells(record)
    history = load_history(cells[0], records, folders=_folders(results), tell=note) if cells else None
    return run_explanation(record, cells, history, Store(resolve_folders(results).results).traceback_path(record.key))


def _folders(results: "Path | None") -> "list[Path]":
    return [] if results is None else [results]
