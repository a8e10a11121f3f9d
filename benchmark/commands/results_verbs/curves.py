"""`bench results curves`: the losses of a run, epoch by epoch."""

from typing import TYPE_CHECKING

import click

from benchmark.terminal.options import FilePath, note, put, record_folder_option
from benchmark.views.runs.found_runs import find_run, folder_records
from reports.figures.curves import CURVE_FORMATS, render_curves

if TYPE_CHECKING:
    from pathlib import Path


@click.command("curves")
@click.argument("run")
@click.option(
    "--format",
    "form",
    type=click.Choice(CURVE_FORMATS),
    default="text",
    show_default=True,
    help="Small curves in characters; numbers for programs; or a picture (extra plots).",
)
@click.option("--output", type=FilePath(dir_okay=False), metavar="FILE", help="Write to FILE.")
@record_folder_option
def command(run: str, form: str, output: "Path | None", results: "Path | None") -> None:
    """Losses of RUN, and whatever else its history holds of each epoch.

    RUN is a name, or the beginning of one or of a key.
    """
    put(render_curves(find_run(run, folder_records(results, note), results), form), output)
