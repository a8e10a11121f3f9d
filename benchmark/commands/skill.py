"""`bench skill`: the skill for coding agents that comes with swanbench."""

from typing import TYPE_CHECKING

import click

from benchmark.errors import BenchError
from benchmark.terminal.options import FilePath, put, say

if TYPE_CHECKING:
    from pathlib import Path


@click.command("skill", short_help="Print the skill for coding agents: add a method or dataset, read a verdict.")
@click.option("--path", "is_path", is_flag=True, help="Print where the installed file is.")
@click.option("--output", type=FilePath(dir_okay=False), metavar="FILE", help="Write to FILE.")
def command(is_path: bool, output: "Path | None") -> None:
    """Print SKILL.md, which tells a coding agent the commands for a new method or dataset and how to read a verdict.

    Packages of `bench methods new` and `bench data new` have a copy in .agents/skills/swanbench.
    """
    from benchmark.scaffolds.packages import skill_file, skill_text

    if is_path and output is not None:
        raise BenchError("--path only says where the installed file is: leave it out, or leave out --output")
    if is_path:
        say(str(skill_file()))
    else:
        put(skill_text(), output)
