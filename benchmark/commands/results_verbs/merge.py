"""`bench results merge`: the records of several folders in one."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from benchmark.terminal.options import FilePath, counts_in_words, echo_json, json_option, note, results_option, say

if TYPE_CHECKING:
    from pathlib import Path


@click.command("merge")
@click.argument("places", metavar="FOLDER...", nargs=-1, required=True, type=FilePath())
@click.option("--dry-run", is_flag=True, help="Say what would be brought; write nothing.")
@results_option
@json_option
@click.pass_context
def command(
    ctx: click.Context, places: "tuple[Path, ...]", dry_run: bool, results: "Path | None", as_json: bool
) -> None:
    """Bring the records of other results folders, with their scores, artefacts and kept models, into one.

    A FOLDER may also be a file that `bench results export --format jsonl` wrote; such records come without scores. What
    is here stays: the same numbers are passed over, and other numbers of the same key are named, with exit status 1.
    Only a run that had failed here gives way to one that is done. A record that says other numbers than its scores
    give, or whose kept model is damaged, is named and left. An interrupted merge goes on by the same command.
    """
    from functools import partial

    from benchmark.paths import resolve_folders
    from protocols.splits.draw.ranking import list_fingerprint
    from results.maintenance import merging, verification
    from results.store import Store

    store = Store(resolve_folders(results).results, warn=note)
    merging.check_mergeable(places, store.root)
    differences = partial(verification.score_differences, fingerprint=list_fingerprint)
    merger = merging.Merger(store, differences, _check_model, dry_run=dry_run)
    rows = []
    for folder in places:
        states = []
        for step in merger.merge_source(folder):
            states.append(step.state)
            rows.append({"from": str(folder), "state": step.state, "name": step.name, "reason": step.reason or None})
            if step.troubled:
                note(f"{step.name}: {step.reason}")
        if not as_json:
            say(f"{folder}: {_merged(states, store.root, 'would be ' if dry_run else '')}")
    if as_json:
        echo_json(rows)
    ctx.exit(1 if any(row["state"] in merging.TROUBLED_STATES for row in rows) else 0)


def _check_model(path: "Path") -> None:
    from benchmark.execution.stores.models.model_files import read_model

    read_model(path)


def _merged(states: Iterable[str], root: "Path", would: str) -> str:
    """Counts of the records of one merged folder by state, in words."""
    words = {
        "new": f"{would}brought to {root}",
        "replaced": f"{would}put in the place of failed ones",
        "completed": f"{would}completed with scores or artefacts",
        "there": "there already",
        "differs": "left, with other numbers here",
        "altered": "left, with other numbers than their scores give",
        "unreadable": "left, since they cannot be read",
        "busy": "left, since their fit is at work here",
    }
    return counts_in_words(states, words)
