"""`bench report`: a table of the papers, published and measured values side by side."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

    from reports.table import Show

from benchmark.options import FilePath, note, record_options, write_output


@click.command("report", short_help="Print a table of the papers: published and measured values.")
@click.option("--table", "name", required=True, metavar="TABLE", help="1, 2 (DRA), 5 (AGAD), or PAPER:TABLE.")
@click.option("--show", type=click.Choice(["published", "measured", "both"]), default="both", show_default=True)
@click.option(
    "--format",
    "form",
    type=click.Choice(["md", "latex", "html", "csv", "json"]),
    default="md",
    show_default=True,
)
@click.option("--output", type=FilePath(dir_okay=False), metavar="FILE", help="Write to FILE.")
@record_options
@click.option("--where", "wheres", multiple=True, metavar="PARAM=VALUE", help="Only records with this hyper-parameter.")
def command(
    name: str,
    show: "Show",
    form: str,
    output: "Path | None",
    results: "tuple[Path, ...]",
    recipe: str | None,
    wheres: tuple[str, ...],
    margin: float,
) -> None:
    """Print one table; a cell that was not measured stays empty."""
    from benchmark.gather import conditions, gather
    from benchmark.measures import measures, versions
    from reports import layout, render, table

    chosen = layout.resolve(name)
    built = table.build(
        chosen,
        gather(results, note) if show != "published" else (),
        measures=measures(),
        versions=versions(),
        margin=margin,
        recipe=recipe,
        where=conditions(wheres),
        show=show,
    )
    text = render.render(built, form)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_output(output, text)
