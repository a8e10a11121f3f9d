"""`bench results prune`: what no report counts is removed."""

from typing import TYPE_CHECKING, Any

import click

from benchmark.errors import BenchError
from benchmark.terminal.options import echo_json, json_option, note, results_option, say

if TYPE_CHECKING:
    from pathlib import Path

    from results.maintenance.pruning import Prunable
    from results.maintenance.removal import RemovableItem
    from results.store import Store


@click.command("prune")
@click.option("--failed", is_flag=True, help="Failed records, with their tracebacks.")
@click.option("--stale", is_flag=True, help="Records of an older version of their detector, with their scores.")
@click.option("--set-aside", is_flag=True, help="Records that cannot be read.")
@click.option("--orphans", is_flag=True, help="Scores, artefacts and kept models without a record.")
@click.option("--tracebacks", is_flag=True, help="Tracebacks without a failed record.")
@click.option("--dry-run", is_flag=True, help="List what would be removed; remove nothing.")
@results_option
@json_option
def command(results: "Path | None", dry_run: bool, as_json: bool, **flags: bool) -> None:
    """Remove what no report counts: only the kinds that are named, and nothing of a fit that is at work."""
    from benchmark.planning.equivalence import detector_versions
    from protocols.text import size_in_words
    from results.maintenance import pruning

    store = _store(results)
    chosen = [kind for kind in pruning.PRUNABLE_KINDS if flags[kind]]
    prunable = pruning.find_prunable(store, detector_versions(), chosen)
    if prunable.items and not chosen:
        raise BenchError(f"say what to prune of {store.root}, nothing goes without a flag: {_flags(prunable)}")
    for remark in prunable.remarks:
        note(remark)
    rows = [_pruned(item, dry_run=dry_run, quiet=as_json) for item in prunable.of(chosen)]
    if as_json:
        echo_json(rows)
    elif rows:
        won = size_in_words(sum(row["bytes"] for row in rows if not row["left"]))
        say(f"{won} {'would be ' if dry_run else ''}won in {store.root}")
    else:
        say(f"nothing to prune in {store.root}" + (f" but {_flags(prunable)}" if prunable.items else ""))


def _pruned(item: "RemovableItem", *, dry_run: bool, quiet: bool) -> dict[str, Any]:
    """Remove an item and say so."""
    from results.maintenance.removal import remove_item

    reason = None if dry_run else remove_item(item)
    if reason:
        note(f"left: {item.name}: {reason}")
    elif not quiet:
        say(f"{'would remove' if dry_run else 'removed'} {item.kind.replace('_', ' ')}: {item.name}")
    return {
        "kind": item.kind,
        "name": item.name,
        "bytes": item.size,
        "removed": not (dry_run or reason),
        "left": reason,
    }


def _flags(prunable: "Prunable") -> str:
    """The kinds that there are to prune, by their flags."""
    from results.maintenance.pruning import PRUNABLE_KINDS

    counts = {kind: len(prunable.of([kind])) for kind in PRUNABLE_KINDS}
    return ", ".join(f"--{kind.replace('_', '-')} ({count})" for kind, count in counts.items() if count)


def _store(results: "Path | None") -> "Store":
    from benchmark.paths import resolve_folders
    from results.store import Store

    root = resolve_folders(results).results
    if results is not None and not root.exists():
        raise BenchError(f"--results {results}: there is no such folder")
    if root.is_dir() and not (root / "records").is_dir():
        raise BenchError(f"{root} is no results folder, it holds no folder of records: give another with --results")
    return Store(root, warn=note)
