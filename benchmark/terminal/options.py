"""Options and types of options that several verbs share, and their output on stdout and stderr."""

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from benchmark.errors import BenchError
from protocols.text import plural, printable, printable_json, printable_line
from protocols.values import LARGEST_SEED
from reports.stats.thresholds import MARGIN

if TYPE_CHECKING:
    from pathlib import Path

    from results.metrics import Metric

_Value = TypeVar("_Value")
_RUN_FILE = re.compile(r"(records|scores)/[0-9a-f]{2}/[0-9a-f]{64}\.(json|npz)")
"""The end of the path of a file that a results folder has of a run."""


class CommaList(click.ParamType[Any]):
    """`a,b,c` as a tuple of texts, or of whole numbers of at least `least` that a record can hold, each once."""

    def __init__(self, kind: type = str, least: int = 0) -> None:
        self.kind = kind
        self.least = least
        self.name = "N,N..." if kind is int else "NAME,NAME..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in value.split(",")]
        if not all(parts):
            self.fail(f"'{value}' has an empty entry: separate values by single commas", param, ctx)
        if self.kind is int:
            if not all(part.isascii() and part.isdigit() for part in parts):
                self.fail(f"'{value}' is not a list of whole numbers, such as 1,2,10", param, ctx)
            if min(map(int, parts)) < self.least:
                self.fail(f"'{value}' has a number below {self.least}", param, ctx)
            if max(map(int, parts)) > LARGEST_SEED:
                self.fail(f"'{value}' has a number above {LARGEST_SEED}, the largest that a record holds", param, ctx)
            return tuple(dict.fromkeys(int(part) for part in parts))
        return tuple(dict.fromkeys(parts))


class Duration(click.ParamType[float]):
    """`90`, `90s`, `15m`, `2h` or `2h30m`, in seconds."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = r"([0-9]+(?:\.[0-9]+)?)"
        match = re.fullmatch(f"(?:{number}h)?(?:{number}m)?(?:{number}s?)?", str(value))
        parts = zip(match.groups() if match else (), (3600, 60, 1), strict=False)
        seconds = sum(float(text or 0) * unit for text, unit in parts)
        if not 0 < seconds < inf:
            self.fail(f"'{value}' is not a time such as 90s, 15m, 2h or 2h30m", param, ctx)
        return seconds


class Shard(NamedTuple):
    """Part `number`, from 1, of `parts`."""

    number: int
    parts: int


class ShardType(click.ParamType[Shard]):
    """`2/8` as a part and the number of parts."""

    name = "I/N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Shard:
        number, _, count = str(value).partition("/")
        if not (number.isascii() and number.isdigit() and count.isascii() and count.isdigit()):
            self.fail(f"'{value}' is not a part such as 2/8", param, ctx)
        if not int(count):
            self.fail(f"'{value}' is not a part such as 2/8", param, ctx)
        if not 1 <= int(number) <= int(count):
            self.fail(f"'{value}': parts are numbered from 1 to {count}", param, ctx)
        return Shard(int(number), int(count))


class FilePath(click.Path):
    """A path as `pathlib.Path`, which is loaded only when one is given."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> "Path":
        from pathlib import Path

        if value == "":
            self.fail("it is empty: give a path, or '.' for the folder that you are in", param, ctx)
        return Path(os.fsdecode(super().convert(value, param, ctx)))


class MetricName(click.ParamType[Any]):
    """The id of a metric as the metric; the registry is loaded only when it is needed."""

    name = "ID"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> "Metric":  # noqa: ARG002 - the signature is click's
        from results.metrics import find_metric

        return find_metric(value) if isinstance(value, str) else value

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - the signature is click's
        from results.metrics import METRICS

        return f"[{'|'.join(METRICS)}]"


def split_choice_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of what a split is made with, which `parse_options` reads."""
    options = (
        click.option("--split", "options", multiple=True, metavar="OPTION=VALUE", help="A split option; repeatable."),
        click.option("--deduplicate", is_flag=True, help="Short for --split deduplicate=true."),
        click.option(
            "--split-file",
            type=FilePath(),
            metavar="FILE",
            help="A split that was drawn elsewhere: JSON or CSV of its lists (rules general and hard).",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def parse_options(
    assignments: tuple[str, ...], *, deduplicate: bool, split_file: "Path | None" = None
) -> dict[str, str | int | float | bool]:
    """Split options from `OPTION=VALUE` texts; the value is TOML, a bare word is a text.

    Raises:
        BenchError: a text has another form, or an option is given twice.
    """
    from methods.registry.params import assignment

    options: list[tuple[str, str | int | float | bool]] = [("deduplicate", True)] if deduplicate else []
    options += [("split_file", str(split_file))] if split_file else []
    for text in assignments:
        try:
            options.append(assignment(text))
        except ValueError as error:
            raise BenchError(f"--split {text}: give OPTION=VALUE {error}, such as --split limit_test=100") from None
    return each_once("--split", options)


def each_once(option: str, values: Iterable[tuple[str, _Value]]) -> dict[str, _Value]:
    """Values by name; raises BenchError where two have one name, so that none wins silently."""
    from methods.registry.params import shown

    by_name: dict[str, _Value] = {}
    for name, value in values:
        if name in by_name:
            raise BenchError(f"{option} gives {name} twice, {shown(by_name[name])} and {shown(value)}: give it once")
        by_name[name] = value
    return by_name


def results_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--results",
        type=FilePath(),
        metavar="DIR",
        help="Results folder (default: BENCH_RESULTS, else runs).",
    )(function)


def record_folder_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option of what reads the records of one folder, or those that are packaged."""
    return click.option(
        "--results",
        type=FilePath(),
        metavar="DIR",
        help="Results folder (default: BENCH_RESULTS, else runs); 'reference' is the packaged index.",
    )(function)


def record_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of reports and the gate: results folders, recipe, margin."""
    options = (
        click.option(
            "--results",
            type=FilePath(),
            multiple=True,
            metavar="DIR",
            help="Results folder; repeatable; 'reference' is the packaged index.",
        ),
        click.option("--recipe", help="Only records of this recipe."),
        click.option(
            "--margin", type=click.FloatRange(0, 1, max_open=True), default=MARGIN, show_default=True, help="In AUC."
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def metric_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--metric",
        type=MetricName(),
        default="auroc",
        show_default=True,
        help="What is shown and compared; computed from stored scores where records do not hold it.",
    )(function)


def accept_stale_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--accept-stale-code", is_flag=True, help="Count runs of plug-ins whose code was edited since, as they are."
    )(function)


def package_folder_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--output` of the verbs that write a package for a person to change."""
    return click.option(
        "--output",
        type=FilePath(),
        metavar="DIR",
        help="Write the package into DIR, a new or empty folder (default: swanbench-NAME).",
    )(function)


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def say(line: str) -> None:
    """A line of the result, on stdout. What a person reads goes out here, in `say_page` or in `note` alone."""
    click.echo(printable_line(line))


def say_page(text: str) -> None:
    """A page of the result with its own line ends, on stdout."""
    click.echo(printable(text), nl=False)


def note(line: str) -> None:
    """A message for the person, on stderr."""
    click.echo(printable_line(line), err=True)


def counts_in_words(states: Iterable[str], words: dict[str, str]) -> str:
    """Counts of records by state, in words; `words` gives the states in their order."""
    from collections import Counter

    counts = Counter(states)
    parts = [f"{counts[state]} {text}" for state, text in words.items() if counts[state]]
    head = plural(counts.total(), "record")
    return ": ".join([head, ", ".join(parts)] if parts else [head])


def echo_json(value: Any) -> None:
    import json

    say_page(printable_json(json.dumps(value, indent=2, ensure_ascii=False)) + "\n")


def check_output(path: "Path", option: str = "--output", others: "Mapping[str, Path | None] | None" = None) -> None:
    """Refuse a file that cannot be written or must not be replaced, before the work whose outcome it is for.

    `others`: inputs and other outputs by option.

    Raises:
        BenchError: its folder is not there, it is one of the others, or a file of a run; the sentence names the option.
    """
    target = path.resolve()
    if not target.parent.is_dir():
        raise BenchError(f"{option} {path}: the folder {path.parent} is not there; make it first")
    if _RUN_FILE.fullmatch("/".join(target.parts[-3:])):
        raise BenchError(f"{option} {path} is a file of a run: give another file")
    for name, other in (others or {}).items():
        if (
            other is not None
            and name != option
            and other.resolve() == target
            and (other.is_file() or not other.exists())
        ):
            raise BenchError(f"{option} {path} is that of {name} too: give another file")


def write_output(path: "Path", content: str | bytes, option: str = "--output") -> None:
    """Write content into a file, whole or not at all; into a device or pipe as it comes.

    Raises:
        BenchError: its folder is not there or cannot be written.
    """
    from results.errors import ResultsError
    from results.files import write_atomic

    check_output(path, option)
    target = path.resolve()  # a link stays one
    data = content.encode() if isinstance(content, str) else content
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
        else:
            write_atomic(target, data)
    except (OSError, ResultsError) as error:
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
        reason = cause.strerror if isinstance(cause, OSError) else None
        raise BenchError(f"{option} {path}: {reason or cause}; choose another file") from error


def put(content: str | bytes, output: "Path | None") -> None:
    """A page or picture into a file, or on stdout; raises BenchError for a picture that would go to a terminal."""
    if output is not None:
        write_output(output, content)
    elif isinstance(content, str):
        say_page(content)
    elif sys.stdout.isatty():
        raise BenchError("bytes such as those of a picture are not for a terminal: give --output FILE")
    else:
        sys.stdout.buffer.write(content)


class SplitCommand(click.Command):
    """A command with an option for each coordinate of a split, after its parameter `after`.

    They are made when parameters are first asked for: the list of verbs needs no coordinates.
    """

    after = "rule"
    several = False

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        from protocols.coordinates import COORDINATE_FIELDS

        if not any(param.name in COORDINATE_FIELDS for param in self.params):
            at = next(number for number, param in enumerate(self.params, 1) if param.name == self.after)
            self.params[at:at] = [
                click.Option(
                    [f"--{name.replace('_', '-')}", name],
                    type=self._type(field.kind),
                    help=field.several if self.several else field.meaning,
                )
                for name, field in COORDINATE_FIELDS.items()
                if self.several or name != "source_dataset"
            ]
        return super().get_params(ctx)

    def _type(self, kind: type) -> click.ParamType[Any]:
        if self.several:
            return CommaList(kind, least=1)
        return click.IntRange(min=1) if kind is int else click.STRING


class SuiteCommand(SplitCommand):
    """A command whose options select several values of each coordinate."""

    after = "datasets"
    several = True
