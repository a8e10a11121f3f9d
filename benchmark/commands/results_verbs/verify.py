"""`bench results verify`: the numbers of records against their scores and keys."""

from typing import TYPE_CHECKING, Any

import click

from benchmark.errors import BenchError
from benchmark.terminal.options import FilePath, counts_in_words, echo_json, json_option, note, say

if TYPE_CHECKING:
    from pathlib import Path


VERIFIED = {
    "verified": "what their scores give",
    "no_scores": "without scores",
    "failed": "of failed runs",
    "differs": "not what their keys or scores say",
    "unreadable": "left, since they cannot be read",
}
"""States of records in words."""


@click.command("verify")
@click.option(
    "--results",
    type=FilePath(),
    multiple=True,
    metavar="DIR",
    help="Results folder (default: BENCH_RESULTS, else runs); repeatable; 'reference' is the packaged index.",
)
@click.option("--require-scores", is_flag=True, help="Exit with 1 also where a finished run has no scores.")
@json_option
@click.pass_context
def command(ctx: click.Context, results: "tuple[Path, ...]", require_scores: bool, as_json: bool) -> None:
    """Recompute the numbers of every record from its scores, and check what else its key tells of it.

    Scores must be of the test images in the key; AUROC, average precision and counts those of the scores; key, series,
    weights labels and deviations those of what is hashed. What differs or cannot be read is named, with exit status 1.
    A record without scores is named too: its numbers cannot be recomputed. Nothing is changed.
    """
    from benchmark.views.records import verify_records

    rows: list[dict[str, Any]] = []
    for folder in results or (None,):
        for checked in verify_records(folder):
            rows.append(
                {
                    "from": folder and str(folder),
                    "state": checked.state,
                    "name": checked.name,
                    "reasons": checked.reasons,
                }
            )
            for reason in checked.reasons or (["no scores lie beside it"] if checked.state == "no_scores" else []):
                note(f"{checked.name}: {reason}")
    if not rows:
        raise BenchError("there is no record to verify: give another folder with --results")
    wrong = {"differs", "unreadable"} | ({"no_scores"} if require_scores else set())
    if as_json:
        echo_json(rows)
    else:
        say(counts_in_words([row["state"] for row in rows], VERIFIED))
    ctx.exit(1 if any(row["state"] in wrong for row in rows) else 0)
