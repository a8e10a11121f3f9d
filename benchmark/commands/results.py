"""`bench results`: what was measured, and what made each number; its verbs are files of `results_verbs`."""

import click

from benchmark.commands import results_verbs
from benchmark.terminal.verbs import Verbs


@click.group(
    "results",
    cls=Verbs,
    verbs=results_verbs,
    short_help="List, show, explain, verify and attest records; export, merge and prune them.",
)
def command() -> None:
    """Records of a results folder."""
