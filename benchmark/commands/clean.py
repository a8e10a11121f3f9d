"""`bench clean`: remove what can be made again and serves nobody."""

import sys
from typing import TYPE_CHECKING

import click

from benchmark.errors import BenchError
from benchmark.terminal.options import echo_json, json_option, note, results_option, say

if TYPE_CHECKING:
    from pathlib import Path


@click.command("clean", short_help="Remove what can be made again: image stores, checkpoints, temporary files.")
@click.option("--stores", is_flag=True, help="All image stores and feature maps, also those that fits may use.")
@click.option("--fits", is_flag=True, help="All kept states of fits, also those that runs may start from.")
@click.option("--models", is_flag=True, help="All models that runs kept, also those that bench score may need.")
@click.option(
    "--costs", is_flag=True, help="What was measured of the time of fits, from which --plan foretells others."
)
@click.option("--yes", is_flag=True, help="Remove what is listed, without a question.")
@results_option
@json_option
def command(*, yes: bool, results: "Path | None", as_json: bool, **every: bool) -> None:
    """List what can be made again and serves nobody; remove it after a yes.

    Image stores in BENCH_CACHE that no dataset in BENCH_DATA can use, feature maps of other code, checkpoints of fits
    that are done, kept states of fits that no run can start from, kept models without a record, what was remembered of
    files, files of SLURM jobs that are over, and what killed writers left. Records, scores and prepared datasets stay,
    and whatever a living process is at work on.
    """
    from benchmark.paths import resolve_folders
    from benchmark.upkeep import cleanup
    from protocols.text import size_in_words

    folders = resolve_folders(results)
    if results is not None and not results.is_dir():
        raise BenchError(f"--results {results}: there is no such folder")
    leftovers = cleanup.find_leftovers(folders, **every)
    for remark in leftovers.remarks:
        note(remark)
    if not as_json:
        for item in leftovers.items:
            say(f"{size_in_words(item.size):>10}  {item.kind:14}  {item.name}")
        total = size_in_words(sum(item.size for item in leftovers.items))
        say(f"{total:>10}  in all" if leftovers.items else "there is nothing to clean")
    reasons: dict[str, str | None] = {}
    agreed = bool(leftovers.items) and (yes or _agreed(as_json=as_json))
    for item in leftovers.items if agreed else ():
        reasons[item.name] = cleanup.clear_item(item, folders)
        if reasons[item.name]:
            note(f"left: {item.name}: {reasons[item.name]}")
    removed = [item for item in leftovers.items if item.name in reasons and reasons[item.name] is None]
    if as_json:
        echo_json(
            [
                {
                    "kind": item.kind,
                    "name": item.name,
                    "paths": [str(path) for path in item.files],
                    "bytes": item.size,
                    "removed": item in removed,
                }
                for item in leftovers.items
            ]
        )
    elif agreed:
        say(
            f"removed {len(removed)} of {len(leftovers.items)}: {size_in_words(sum(item.size for item in removed))} won"
        )


def _agreed(*, as_json: bool) -> bool:
    """Ask the person, True for yes; where nobody can be asked, say what --yes does."""
    if as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        note("nothing is removed: --yes removes what is listed")
        return False
    if click.confirm("Remove these?", default=False, err=True):
        return True
    note("nothing is removed")
    return False
