"""The command line: `python -m perf run`, `compare`, `table`, `page`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from perf.compare import comparison_text, ratio_text, table_text
from perf.page import write_page
from perf.ratios import MeasurePlan
from perf.registered import find_part, part_names
from perf.result import RESULTS, measured_here, read_result, write_result


def run(options: argparse.Namespace) -> None:
    """Measure parts one after the other; each ratio is printed and written as soon as it is there."""
    plan = MeasurePlan(1 if options.quick else options.rounds, options.quick)
    output = options.output
    if output is None and not options.quick:
        output = RESULTS / f"{measured_here({}).name}.json"
    for name in options.only or part_names():
        for ratio in find_part(name).measure_ratios(plan):
            print(f"{name}/{ratio.name} / {ratio.over}: {ratio_text(ratio)}   load {ratio.load}", flush=True)
            if output is not None:
                write_result(output, measured_here({name: [ratio]}))
    if output is not None:
        print(f"written to {output}")


def compare(options: argparse.Namespace) -> None:
    print(comparison_text(read_result(options.before), read_result(options.after)))


def table(options: argparse.Namespace) -> None:
    print(table_text([read_result(options.file)]))


def page(_: argparse.Namespace) -> None:
    for path in write_page():
        print(f"written to {path}")


def parts_list(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in part_names():
            raise argparse.ArgumentTypeError(f"there is no part '{name}': known are {', '.join(part_names())}")
    return names


def at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of rounds: give 1 or more")
    return int(text)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m perf", description="Speed as ratios, measured in turns.")
    verbs = top.add_subparsers(required=True)
    verb = verbs.add_parser("run", help="measure, print, and put into a result file")
    verb.add_argument("--only", type=parts_list, metavar="PART[,PART...]", help=", ".join(part_names()))
    verb.add_argument(
        "--rounds", type=at_least_one, default=3, help="rounds that count, after one to warm up (default: 3)"
    )
    verb.add_argument("--quick", action="store_true", help="one round of tiny sizes, to see that all parts run")
    verb.add_argument("--output", type=Path, help="file (default: one of perf/results; with --quick none)")
    verb.set_defaults(command=run)
    verb = verbs.add_parser("compare", help="say which ratios moved beyond their own spread")
    verb.add_argument("before", type=Path)
    verb.add_argument("after", type=Path)
    verb.set_defaults(command=compare)
    verb = verbs.add_parser("table", help="print a result file as a table")
    verb.add_argument("file", type=Path)
    verb.set_defaults(command=table)
    verb = verbs.add_parser("page", help="write docs/speed.md and its picture from perf/results")
    verb.set_defaults(command=page)
    return top


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    options.command(options)


if __name__ == "__main__":
    main()
