"""`bench compare`: two methods on the same test images, or two results folders run by run."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from benchmark.errors import BenchError
from benchmark.terminal.options import FilePath, accept_stale_option, metric_option, note, say_page, write_output

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark.views.metric_values import MetricValues
    from reports.comparison.folders import FolderComparison
    from reports.comparison.methods import MethodComparison
    from results.metrics import Metric
    from results.record import Record

COMPARISON_FORMATS = ("md", "csv", "json")
REASONS = 2


@click.command("compare", short_help="Two methods, or two results folders, on the same splits.")
@click.argument("a")
@click.argument("b")
@click.option(
    "--results",
    type=FilePath(),
    multiple=True,
    metavar="DIR",
    help="Where the records of two methods are (default: BENCH_RESULTS, else runs); repeatable; 'reference' is the "
    "packaged index.",
)
@click.option("--recipe", help="Only records of this recipe.")
@click.option(
    "--where",
    "wheres",
    multiple=True,
    metavar="NAME=VALUE",
    help="Only records with this hyper-parameter (of methods that have it), split option, seed, split_seed, precision, "
    "size or weights; repeatable.",
)
@metric_option
@accept_stale_option
@click.option("--format", "form", type=click.Choice(COMPARISON_FORMATS), default="md", show_default=True)
@click.option("--output", type=FilePath(dir_okay=False), metavar="FILE", help="Write to FILE.")
def command(
    a: str,
    b: str,
    results: "tuple[Path, ...]",
    recipe: str | None,
    wheres: tuple[str, ...],
    metric: "Metric",
    accept_stale_code: bool,
    form: str,
    output: "Path | None",
) -> None:
    """Compare A with B: two methods (or variants) by their ids, or two results folders.

    Two methods: runs with the same split, seeds and test images are pairs. Each difference of AUCs has a paired test;
    other metrics have those over seeds and datasets. Runs without a partner are counted with the reason.

    Two folders: runs of one key are compared score by score, and of runs of one place under two keys it is said what
    makes the keys differ. 'reference' is the packaged index.

    A word that is a method's id is the method, even if a folder has that name: write ./dra for the folder.
    """
    kinds = [_kind(name) for name in (a, b)]
    if kinds[0] != kinds[1]:
        raise BenchError(
            f"'{a}' is a {kinds[0]} and '{b}' a {kinds[1]}: give two methods or two results folders "
            "(./NAME is always a folder)"
        )
    if kinds[0] == "folder" and results:
        raise BenchError("--results says where the records of two methods are: leave it out, A and B are folders")
    from benchmark.views.metric_values import tell_remarks
    from reports.comparison.output import render_comparison

    comparison, values = (
        _folders(a, b, recipe, wheres, metric)
        if kinds[0] == "folder"
        else _methods(a, b, results, recipe, wheres, metric, accept=accept_stale_code)
    )
    text = render_comparison(comparison, form)
    tell_remarks(values, note)
    if output is None:
        say_page(text)
    else:
        write_output(output, text)


def _kind(name: str) -> str:
    """The kind of a word, method or folder; a method's id is always the method."""
    from pathlib import Path

    from benchmark.views.records import REFERENCE
    from methods.registry import installed
    from protocols.text import near_miss

    method_infos = installed.methods()
    if name in method_infos:
        if Path(name).is_dir():
            note(f"'{name}' is the method: write ./{name} for the folder of that name")
        return "method"
    if name == REFERENCE or Path(name).is_dir():
        return "folder"
    if "/" in name:
        raise BenchError(f"there is no results folder {name}")
    raise BenchError(
        f"'{name}' is neither a method nor a results folder: {near_miss(name, method_infos, 'see bench methods list')}"
    )


def _methods(
    a: str,
    b: str,
    results: "tuple[Path, ...]",
    recipe: str | None,
    wheres: tuple[str, ...],
    metric: "Metric",
    *,
    accept: bool,
) -> "tuple[MethodComparison, list[MetricValues]]":
    from benchmark.planning.equivalence import detector_versions, measures
    from benchmark.planning.installed import InstalledCode
    from benchmark.views.metric_values import MetricValues, scored_folders, scores_finder, tell_remarks
    from benchmark.views.records import load_records
    from methods.registry import installed
    from reports.comparison import methods
    from reports.tables.measured import CellValue

    if a == b:
        raise BenchError(f"A and B are both {a}: name two methods")
    records = _chosen(load_records(results, note), recipe, wheres)
    find_scores = scores_finder(scored_folders(results), note)
    values = MetricValues(metric, find_scores)
    measured_as, code = measures(), InstalledCode(accept=accept)
    if told := code.note(record for record in records if not measured_as(record).isdisjoint((a, b))):
        note(told)
    comparison = methods.compare_methods(
        a,
        b,
        records,
        measures=measured_as,
        versions=detector_versions(),
        stale=code.stale,
        scores=find_scores,
        alone=[name for name in (a, b) if not installed.get(name).anomalies],
        value=CellValue(metric, values),
    )
    if not comparison.settings:
        tell_remarks([values], note)
        rules = [record.spec.split.rule for record in records if not measured_as(record).isdisjoint((a, b))]
        raise BenchError(_nothing(comparison, rules, recipe))
    return comparison, [values]


def _nothing(comparison: "MethodComparison", rules: "Sequence[str]", recipe: str | None) -> str:
    """Reason that two methods have no pair, and a way to one; `rules` are those that either was run under."""
    from methods.registry import installed

    a, b = installed.get(comparison.a), installed.get(comparison.b)
    shared = [rule for rule in a.rules if rule in b.rules]
    if not shared:
        protocols = f"{', '.join(a.rules)}; {', '.join(b.rules)}"
        return f"{a.id} and {b.id} have no protocol in common ({protocols}): name two methods that do"
    suite = next((rule for rule in shared if rule in rules), shared[0])
    reasons = "; ".join(
        f"{len(unpaired.runs)} of {unpaired.method}: {unpaired.reason}" for unpaired in comparison.unpaired[:REASONS]
    )
    return (
        f"{a.id} and {b.id} have no runs on the same test images ({reasons or 'none of either is there'}): "
        f"bench run --suite {suite} --method {a.id},{b.id}{f' --recipe {recipe}' if recipe else ''} first"
    )


def _folders(
    a: str, b: str, recipe: str | None, wheres: tuple[str, ...], metric: "Metric"
) -> "tuple[FolderComparison, list[MetricValues]]":
    from pathlib import Path

    from benchmark.views.derived import derive_words
    from benchmark.views.metric_values import MetricValues, scores_finder
    from benchmark.views.records import REFERENCE
    from reports.comparison import folders as compare_folders
    from reports.tables.measured import CellValue
    from results.reference import reference_records
    from results.store import Store

    if a == b or (REFERENCE not in {a, b} and Path(a).samefile(b)):
        raise BenchError(f"{a} and {b} are one folder: name two")
    stores = [None if name == REFERENCE else Store(Path(name), warn=note) for name in (a, b)]
    records = [derive_words(store.records() if store else reference_records(), note) for store in stores]
    keys = {record.key for record in _chosen([*records[0], *records[1]], recipe, wheres)}
    sides = [[record for record in side if record.key in keys] for side in records]
    first, second = (scores_finder([store] if store else [], note) for store in stores)
    values = MetricValues(metric, first), MetricValues(metric, second)
    comparison = compare_folders.compare_folders(
        a,
        b,
        (sides[0], sides[1]),
        scores=(first, second),
        values=(CellValue(metric, values[0]), CellValue(metric, values[1])),
    )
    if not comparison.twins and not comparison.changed:
        raise BenchError(
            f"{a} and {b} have no run in common ({len(sides[0])} and {len(sides[1])} runs): bench results list "
            "--results DIR shows what is in a folder"
        )
    return comparison, [*values]


def _chosen(records: "list[Record]", recipe: str | None, wheres: "Sequence[str]") -> "list[Record]":
    """The records of a recipe with these hyper-parameters; one without such a hyper-parameter stays."""
    from benchmark.views.records import parse_conditions
    from reports.tables.lookup import chosen_records, has_facts, record_facts

    conditions = parse_conditions(wheres)
    chosen_records(records, recipe, conditions)  # refuses what no record knows
    of_methods = {name for record in records for name in record.spec.fit.params}
    return [
        record
        for record in chosen_records(records, recipe, {})
        if has_facts(
            record,
            {name: conditions[name] for name in conditions if name in record_facts(record) or name not in of_methods},
        )
    ]
