"""`bench site`: all tables of all papers as pages, with an index."""

from typing import TYPE_CHECKING

import click

from benchmark.errors import BenchError
from benchmark.terminal.collector import no_collection
from benchmark.terminal.options import FilePath, accept_stale_option, note, say, write_output
from protocols.text import plural
from reports.stats.thresholds import MARGIN

if TYPE_CHECKING:
    from pathlib import Path


@click.command("site", short_help="Write all tables as web pages, with an index.")
@click.option(
    "--output", type=FilePath(file_okay=False), metavar="DIR", required=True, help="Write the pages into DIR."
)
@click.option(
    "--results",
    type=FilePath(),
    multiple=True,
    metavar="DIR",
    help="Results folder; repeatable; 'reference' is the packaged index.",
)
@click.option("--margin", type=click.FloatRange(0, 1, max_open=True), default=MARGIN, show_default=True, help="In AUC.")
@accept_stale_option
@click.option("--thumbnails", is_flag=True, help="Put the worst images of each run into the pages.")
@no_collection()
def command(
    output: "Path", results: "tuple[Path, ...]", margin: float, accept_stale_code: bool, thumbnails: bool
) -> None:
    """Write a page for each table, cards of detectors and datasets, and an index: the reproduction board.

    Each page is one file that needs no network. Pages of an earlier call in DIR are replaced, other files stay.
    """
    from benchmark.views.pages.board import SiteSource

    try:
        output.mkdir(exist_ok=True)
    except OSError as error:
        raise BenchError(
            f"--output {output}: {error.strerror}; make its parent folder first, or choose another"
        ) from error
    source = SiteSource(results, margin, accept_stale_code, thumbnails, note)
    files = 0
    for name, text in source.pages():
        write_output(output / name, text)
        files += 1
    say(f"{plural(files, 'page')} in {output}: open {output / 'index.html'}")
