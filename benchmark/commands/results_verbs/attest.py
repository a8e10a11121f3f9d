"""`bench results attest`: runs of somebody in one file."""

from typing import TYPE_CHECKING

import click

from benchmark.terminal.options import FilePath, check_output, note, results_option, say, write_output
from protocols.text import plural, size_in_words

if TYPE_CHECKING:
    from pathlib import Path


@click.command("attest")
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.option("--output", type=FilePath(), metavar="FILE", required=True, help="The bundle, a zip file.")
@click.option("--by", required=True, metavar="NAME", help="Who made the runs: the name of a person or group.")
@results_option
def command(runs: tuple[str, ...], output: "Path", by: str, results: "Path | None") -> None:
    """Put finished runs into one file that anybody can verify without training.

    It holds records, scores, their SHA-256, who made them, machines and versions. RUN is a name, or the beginning of a
    name or key; without it all finished runs that have scores. Runs whose numbers are not those of their scores are
    refused. The same runs give the same file. `bench results verify FILE` is the other half.
    """
    from benchmark.views.runs.attesting import attested_bundle

    check_output(output)
    data, bundle = attested_bundle(results, runs, by, note)
    write_output(output, data)
    attestation = bundle.attestation
    machines = plural(len(attestation.machines), "machine")
    text = f"{plural(len(attestation.runs), 'run')} by {attestation.by} on {machines}, {size_in_words(len(data))}"
    say(f"{output}: {text}, SHA-256 {bundle.digest}")
