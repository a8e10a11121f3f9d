"""`bench verdict`: published means beside measured runs of any field, from two CSV files."""

from typing import TYPE_CHECKING, get_args

import click

from benchmark.errors import BenchError
from benchmark.terminal.options import CommaList, FilePath, check_output, note, say, say_page, write_output
from reports.stats.thresholds import MARGIN, BetterValue
from reports.text import page_formats

if TYPE_CHECKING:
    from pathlib import Path

JUDGEMENT_FORMATS = page_formats("judgement")


@click.command("verdict", short_help="Published means beside measured runs of any field, from two CSV files.")
@click.option(
    "--published",
    type=FilePath(),
    required=True,
    metavar="FILE",
    help="CSV, one line a cell: mean, and where they are known std and n (runs); all other columns say which cell.",
)
@click.option(
    "--measured",
    type=FilePath(),
    required=True,
    metavar="FILE",
    help="CSV, one line a run: value, the same other columns, and if runs share splits a column split.",
)
@click.option(
    "--margin",
    type=float,
    default=MARGIN,
    show_default=True,
    help="Smallest difference that counts, in the unit of the files; to be declared before measuring.",
)
@click.option(
    "--by",
    type=CommaList(),
    multiple=True,
    metavar="COLUMN,COLUMN...",
    help="Judge cells together that share these columns; repeatable (default: all cells together).",
)
@click.option(
    "--better",
    type=click.Choice(get_args(BetterValue)),
    default="higher",
    show_default=True,
    help="Which value is the better one; turns the gate round, and nothing else.",
)
@click.option("--format", "form", type=click.Choice(JUDGEMENT_FORMATS), default="md", show_default=True)
@click.option("--output", type=FilePath(dir_okay=False), metavar="FILE", help="Write to FILE.")
@click.option(
    "--gate", is_flag=True, help="Test whether ours is worse than published by the margin; see exit statuses."
)
@click.option(
    "--see", type=float, metavar="LOSS", help="With --gate: what each group of the first --by must be able to see."
)
def command(
    published: "Path",
    measured: "Path",
    margin: float,
    by: tuple[tuple[str, ...], ...],
    better: BetterValue,
    form: str,
    output: "Path | None",
    gate: bool,
    see: float | None,
) -> int:
    """Judge runs of any field against published means: each cell, groups of cells, and a gate.

    Exit status with --gate: 3 a group or a cell is worse than published by more than the margin; else 4 nothing could
    be compared, or --see is not met; else 0. A cell that is not measured is counted, and no fault. The gate's lines
    follow a Markdown page on stdout, and go to stderr beside other formats.
    """
    from math import isfinite

    if see is not None and not gate:
        raise BenchError("--see is a demand on the gate: add --gate")
    if see is not None and not (isfinite(see) and see > 0):
        raise BenchError(f"--see {see}: give a finite number above 0")
    from reports.judgement.gate import judgement_gate
    from reports.judgement.judge import judge_sources
    from reports.judgement.output import render_judgement
    from reports.judgement.sources import read_source

    if output is not None:
        check_output(output, others={"--published": published, "--measured": measured})
    judgement = judge_sources(read_source(published), read_source(measured), margin=margin, by=by, better=better)
    text = render_judgement(judgement, form)
    outcome = judgement_gate(judgement, see) if gate else None
    if output is None:
        say_page(text)
    else:
        write_output(output, text)
    if outcome is None:
        return 0
    tell = say if output or form == "md" else note
    if output is None and form == "md":
        say_page("\n")
    for line in outcome.lines:
        tell(line)
    return outcome.status
