"""The command line: one verb, one file under `benchmark/commands`; trouble is one line and an exit status."""

import sys

import click

import benchmark.commands
from benchmark.errors import BenchError
from benchmark.terminal import collector, interrupts, signals, streams
from benchmark.terminal.options import note
from benchmark.terminal.verbs import Verbs
from methods.errors import MethodError
from protocols.errors import DataError
from protocols.text import printable
from reports.errors import ReportError
from results.errors import ResultsError

KNOWN_TROUBLE = (BenchError, DataError, MethodError, ReportError, ResultsError)
WRONG_INPUT = 2


@click.command(
    cls=Verbs,
    verbs=benchmark.commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(benchmark.__version__, prog_name="swanbench")
def bench() -> None:
    """Reproduce tables of papers on image anomaly detection: published and measured AUCs side by side."""


def main(args: list[str] | None = None) -> None:
    """Run the command line and leave with its exit status; no traceback for anything a person can type."""
    streams.secure()
    interrupts.patient()
    with signals.as_exceptions():
        code = status(args)
        collector.leave_uncollected()
        sys.exit(code)


def status(args: list[str] | None = None) -> int:
    """The exit status of one call: 0 good, 1 some runs failed, 2 wrong input, 3 and 4 the gate's, 130 interrupted; 128
    and the number of the signal where SIGTERM or SIGHUP ended it.
    """
    try:
        outcome = bench.main(args, prog_name="bench", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except (click.ClickException, *KNOWN_TROUBLE) as error:
        click.echo(printable(_said(error)), err=True)
        return WRONG_INPUT
    except (KeyboardInterrupt, click.Abort):
        note(f"bench: interrupted{_kept(args, 'finished runs are kept')}")
        return interrupts.INTERRUPTED
    except signals.Terminated as ended:
        note(f"bench: ended by {ended}{_kept(args, 'finished runs and checkpoints are kept')}")
        return ended.status
    except streams.StreamError as error:
        if not error.is_left:
            note(f"bench: {error}")
        return 0 if error.is_left else WRONG_INPUT
    return outcome if isinstance(outcome, int) else 0


def _kept(args: list[str] | None, what: str) -> str:
    """What stays of a `bench run` that ended early; nothing is said of other verbs."""
    words = sys.argv[1:] if args is None else args
    return f"; {what}, the same command goes on from there" if words[:1] == ["run"] else ""


def _said(error: Exception) -> str:
    """Trouble in one line; a verb without its words shows its help."""
    text = error.format_message() if isinstance(error, click.ClickException) else str(error)
    return text if isinstance(error, click.exceptions.NoArgsIsHelpError) else f"bench: {' '.join(text.split())}"
