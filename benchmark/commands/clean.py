"""`bench clean`: remove what can be made again and serves nobody."""

import sys
from typing import TYPE_CHECKING

import click

from benchmark.errors import BenchError
from benchmark.terminal.options import echo_json, json_option, note, results_option, say

if TYPE_CHECKING:
    from pathlib import Path


@click.command("clean", short_help="Remove what can be made again: image stores, checkpoints, temporary files.")
@click.option("--stores", is_flag=True, help="All image stores, also those of prepared datasets.")
@click.option("--fits", is_flag=True, help="All kept states of fits, also those that runs may start from.")
@click.option("--yes", is_flag=True, help="Remove what is listed, without a question.")
@results_option
@json_option
def command(*, stores: bool, fits: bool, yes: bool, results: "Path | None", as_json: bool) -> None:
    """List what can be made again and serves nobody; remove it after a yes.

    Image stores in BENCH_CACHE that no dataset in BENCH_DATA can use, checkpoints of fits that are done, kept states of
    fits that no run can start from, what was remembered of files, and what killed writers left. Records, scores
    and prepared datasets stay, and whatever a living process is at work on.
    """
    from benchmark.paths import folders
    from benchmark.upkeep import cleanup
    from protocols.text import size_in_words

    where = folders(results)
    if results is not None and not results.is_dir():
        raise BenchError(f"--results {results}: there is no such folder")
    found = cleanup.find(where, stores=stores, fits=fits)
    for remark in found.remarks:
        note(remark)
    if not as_json:
        for one in found.items:
            say(f"{size_in_words(one.size):>10}  {one.kind:14}  {one.name}")
        total = size_in_words(sum(one.size for one in found.items))
        say(f"{total:>10}  in all" if found.items else "there is nothing to clean")
    left: dict[str, str | None] = {}
    agreed = bool(found.items) and (yes or _agreed(as_json=as_json))
    for one in found.items if agreed else ():
        left[one.name] = cleanup.clear(one, where)
        if left[one.name]:
            note(f"left: {one.name}: {left[one.name]}")
    removed = [one for one in found.items if one.name in left and left[one.name] is None]
    if as_json:
        echo_json(
            [
                {
                    "kind": one.kind,
                    "name": one.name,
                    "paths": [str(path) for path in one.files],
                    "bytes": one.size,
                    "removed": one in removed,
                }
                for one in found.items
            ]
        )
    elif agreed:
        say(f"removed {len(removed)} of {len(found.items)}: {size_in_words(sum(one.size for one in removed))} won")


def _agreed(*, as_json: bool) -> bool:
    """Whether the person says yes; who cannot be asked is told of --yes."""
    if as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        note("nothing is removed: --yes removes what is listed")
        return False
    if click.confirm("Remove these?", default=False, err=True):
        return True
    note("nothing is removed")
    return False
