"""`bench check`: the gate, for a CI that must fail when a reproduced number stops reproducing."""

from typing import TYPE_CHECKING

import click

from benchmark.errors import BenchError
from benchmark.names import near
from benchmark.options import FilePath, note, record_options, write_output

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reports.agreement import Agreement
    from reports.gate import Gate
    from results.record import Record

PUBLISHED, REFERENCE = "published", "reference"
ELSEWHERE = {
    "names": ("--table", PUBLISHED),
    "margin": ("--margin", PUBLISHED),
    "include_not_comparable": ("--include-not-comparable", PUBLISHED),
    "tolerance": ("--tolerance", REFERENCE),
}
"""Options that say nothing against the other side."""


@click.command("check", short_help="The gate: exit 3 on a regression, 4 when there was nothing to compare.")
@click.option(
    "--against",
    required=True,
    metavar="published|reference|FILE",
    help="The papers' values; the packaged reference runs; other runs: a results folder, or records in a .jsonl file.",
)
@click.option("--table", "names", multiple=True, metavar="TABLE", help="Only this table; repeatable (default: all).")
@record_options
@click.option("--include-not-comparable", is_flag=True, help="Also test cells that are not comparable, and say so.")
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.01,
    show_default=True,
    help="Largest difference in AUC from a reference run of another machine; on the same kind there may be none.",
)
@click.option("--junit", type=FilePath(dir_okay=False), metavar="FILE", help="Write JUnit XML.")
@click.option("--summary", type=FilePath(dir_okay=False), metavar="FILE", help="Write Markdown.")
@click.pass_context
def command(
    ctx: click.Context,
    against: str,
    names: tuple[str, ...],
    results: "tuple[Path, ...]",
    recipe: str | None,
    include_not_comparable: bool,
    margin: float,
    tolerance: float,
    junit: "Path | None",
    summary: "Path | None",
) -> int:
    """Test whether our values are worse than the published ones, or other than those of reference runs."""
    _refuse_elsewhere(ctx, PUBLISHED if against == PUBLISHED else REFERENCE)
    from benchmark.gather import gather

    if against == PUBLISHED:
        from reports import gate_output

        gate = _gate(gather(results, note), names, recipe, margin, include_not_comparable=include_not_comparable)
        status, lines = gate.status, gate_output.lines(gate)
        pages = {junit: gate_output.junit(gate), summary: gate_output.summary(gate)}
    else:
        from reports import agreement_output

        references = _references(against)
        found = _agreement(gather(results, note), references, recipe, tolerance)
        status, lines = found.status, agreement_output.lines(found)
        pages = {junit: agreement_output.junit(found), summary: agreement_output.summary(found)}
    for line in lines:
        click.echo(line)
    for path, page in pages.items():
        if path:
            write_output(path, page)
    return status


def _refuse_elsewhere(ctx: click.Context, side: str) -> None:
    for name, (option, own) in ELSEWHERE.items():
        if own != side and ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            other = "reference runs" if side == REFERENCE else "published values"
            raise BenchError(f"{option} says nothing against {other}: leave it out")


def _gate(
    records: "Sequence[Record]",
    names: tuple[str, ...],
    recipe: str | None,
    margin: float,
    *,
    include_not_comparable: bool,
) -> "Gate":
    from benchmark.measures import leaking, measures, versions
    from reports import gate, layout, table

    measured_as, current = measures(), versions()
    return gate.check(
        [
            table.build(
                layout.resolve(name), records, measures=measured_as, versions=current, margin=margin, recipe=recipe
            )
            for name in names or layout.available()
        ],
        include_not_comparable=include_not_comparable,
        leaking=leaking(records),
    )


def _agreement(
    records: "Sequence[Record]", references: "Sequence[Record]", recipe: str | None, tolerance: float
) -> "Agreement":
    from benchmark.measures import leaking
    from reports import agreement

    chosen = [record for record in records if recipe in {None, record.spec.recipe}]
    return agreement.compare(chosen, references, tolerance=tolerance, leaking=leaking(chosen))


def _references(against: str) -> "list[Record]":
    """The records to compare with.

    Raises:
        BenchError: `against` is neither `reference`, nor a file, nor a folder.
    """
    from pathlib import Path

    from results import reference
    from results.store import Store

    path = Path(against)
    if against == REFERENCE:
        return list(reference.records())
    if path.is_dir():
        return list(Store(path, warn=note).records())
    if not path.is_file():
        hint = near(against, (PUBLISHED, REFERENCE))
        raise BenchError(f"--against {against}: neither published, nor reference, nor a file or folder of runs{hint}")
    try:
        return list(reference.read(path.read_bytes(), against))
    except OSError as error:
        raise BenchError(f"--against {against}: {error.strerror or error}; choose another file") from error
