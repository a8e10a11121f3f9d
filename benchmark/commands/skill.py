"""`bench skill`: the skill for coding agents that comes with swanbench."""

import click

from benchmark.terminal.options import say, say_page


@click.command("skill", short_help="Print the skill for coding agents: add a method or dataset, read a verdict.")
@click.option("--path", is_flag=True, help="Print the file's path instead.")
def command(path: bool) -> None:
    """Print SKILL.md, which tells a coding agent the commands for a new method or dataset and how to read a verdict.

    Packages of `bench methods new` and `bench data new` have a copy in .agents/skills/swanbench.
    """
    from benchmark.scaffolds.packages import skill_file, skill_text

    if path:
        say(str(skill_file()))
    else:
        say_page(skill_text())
