"""`bench check`: the gate, for a CI that must fail when a reproduced number stops reproducing."""

from typing import TYPE_CHECKING

import click

from benchmark.errors import BenchError
from benchmark.names import near
from benchmark.options import FilePath, note, record_options, write_output

if TYPE_CHECKING:
    from pathlib import Path

AGAINST = ("published",)


@click.command("check", short_help="The gate: exit 3 on a regression, 4 when there was nothing to compare.")
@click.option("--against", required=True, metavar="published", help="What to compare with: the papers' values.")
@click.option("--table", "names", multiple=True, metavar="TABLE", help="Only this table; repeatable (default: all).")
@record_options
@click.option("--include-not-comparable", is_flag=True, help="Also test cells that are not comparable, and say so.")
@click.option("--junit", type=FilePath(dir_okay=False), metavar="FILE", help="Write JUnit XML.")
@click.option("--summary", type=FilePath(dir_okay=False), metavar="FILE", help="Write Markdown.")
def command(
    against: str,
    names: tuple[str, ...],
    results: "tuple[Path, ...]",
    recipe: str | None,
    include_not_comparable: bool,
    margin: float,
    junit: "Path | None",
    summary: "Path | None",
) -> int:
    """Test whether our values are worse than the published ones by more than the margin."""
    if against not in AGAINST:
        raise BenchError(f"--against {against}: there is nothing of that name to compare with{near(against, AGAINST)}")
    from benchmark.gather import gather
    from benchmark.measures import measures, versions
    from reports import gate, gate_output, layout, table

    records = gather(results, note)
    measured_as, current = measures(), versions()
    found = gate.check(
        [
            table.build(
                layout.resolve(name), records, measures=measured_as, versions=current, margin=margin, recipe=recipe
            )
            for name in names or layout.available()
        ],
        include_not_comparable=include_not_comparable,
    )
    for line in gate_output.lines(found):
        click.echo(line)
    if junit:
        write_output(junit, gate_output.junit(found))
    if summary:
        write_output(summary, gate_output.summary(found))
    return found.status
