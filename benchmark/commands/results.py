"""`bench results`: what was measured, and what made each number."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from benchmark.errors import BenchError
from benchmark.terminal.options import (
    FilePath,
    accept_stale_option,
    echo_json,
    json_option,
    metric_option,
    note,
    results_option,
    say,
    say_page,
    write_output,
)
from protocols.text import near_miss, plural

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from benchmark.views.metric_values import MetricValues
    from results.maintenance.pruning import Prunable
    from results.maintenance.removal import RemovableItem
    from results.metrics import Metric
    from results.record import Record


@click.group("results", short_help="List, show, explain and verify records; export, merge and prune them.")
def command() -> None:
    """Records of a results folder."""


records_option = click.option(
    "--results",
    type=FilePath(),
    metavar="DIR",
    help="Results folder (default: BENCH_RESULTS, else runs); 'reference' is the packaged index.",
)


@command.command("list")
@records_option
@metric_option
@json_option
def _list_runs(results: "Path | None", metric: "Metric", as_json: bool) -> None:
    """One line a run."""
    from benchmark.views.metric_values import tell_remarks

    values = _values(results, metric)
    rows = sorted((_row(record, values) for record in _records(results)), key=lambda row: row["name"])
    tell_remarks([values], note)
    if as_json:
        echo_json(rows)
        return
    if not rows:
        note("no records yet: bench run --suite quick makes the first")
    for row in rows:
        say(f"{row['name']:56} {row['recipe']:9} {row['status']:7} {_number_text(row, metric)}")


def _number_text(row: "dict[str, Any]", metric: "Metric") -> str:
    """The number of a run, with a mark where it is worse than chance or all images got one score."""
    value = row[metric.id]
    if value is None:
        return ""
    doubt = "one score for all images" if row["one_score"] else metric.beyond_chance([value])
    return f"{value:.4f} {doubt}".rstrip()


@command.command("show")
@click.argument("run")
@records_option
@metric_option
def _show_record(run: str, results: "Path | None", metric: "Metric") -> None:
    """The record of RUN: a name, or the beginning of a key.

    A metric that records do not hold stands beside those that they hold.
    """
    import json

    from benchmark.views.metric_values import tell_remarks
    from protocols.text import printable_json
    from results.metrics import STORED_METRICS
    from results.record import encode_record

    record = _find(results, run)
    text = encode_record(record).decode()
    if metric not in STORED_METRICS:
        values, content = _values(results, metric), json.loads(text)
        content["metrics"] = (content["metrics"] or {}) | {metric.id: values(record)}
        tell_remarks([values], note)
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    say_page(printable_json(text))


@command.command("why")
@click.argument("run")
@records_option
def _explain_run(run: str, results: "Path | None") -> None:
    """Everything that made the number of RUN: parameters, data, weights, code, machine."""
    from benchmark.paths import resolve_folders
    from benchmark.views.explanation import explanation
    from results.store import Store

    record = _find(results, run)
    for line in explanation(record, Store(resolve_folders(results).results).traceback_path(record.key)):
        say(line)


@command.command("export")
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl"]),
    default="csv",
    show_default=True,
    help="A table for people, or whole records, one a line, as results/reference keeps them.",
)
@click.option("--output", type=FilePath(dir_okay=False), metavar="FILE", help="Write to FILE.")
@metric_option
@accept_stale_option
@records_option
def _export_records(
    form: str, output: "Path | None", results: "Path | None", metric: "Metric", accept_stale_code: bool
) -> None:
    """All records of a folder in one file, but those of plug-ins whose code was edited since.

    The table has AUC and average precision, and another metric beside them.
    """
    from benchmark.planning.installed import InstalledCode
    from benchmark.views.metric_values import tell_remarks
    from protocols.text import printable_json
    from results.maintenance.export import frame, json_lines
    from results.metrics import STORED_METRICS

    if form == "jsonl" and metric not in STORED_METRICS:
        raise BenchError(f"records hold no {metric.title}: take --format csv, or leave --metric out")
    values = _values(results, metric)
    code, stored = InstalledCode(accept=accept_stale_code), _records(results)
    records = [record for record in stored if not code.stale(record)]
    if left_out := len(stored) - len(records):
        note(
            f"{left_out} of {len(stored)} records left out, stale: made by other code of a plug-in than is installed; "
            "--accept-stale-code exports them too"
        )
    computed = {} if metric in STORED_METRICS else {metric.id: values}
    text = printable_json(json_lines(records)) if form == "jsonl" else _csv(frame(records, computed))
    tell_remarks([values], note)
    if output is None:
        say_page(text)
    else:
        write_output(output, text)


@command.command("verify")
@click.option(
    "--results",
    type=FilePath(),
    multiple=True,
    metavar="DIR",
    help="Results folder (default: BENCH_RESULTS, else runs); repeatable; 'reference' is the packaged index.",
)
@click.option("--require-scores", is_flag=True, help="Exit with 1 also where a finished run has no scores.")
@json_option
@click.pass_context
def _verify_records(ctx: click.Context, results: "tuple[Path, ...]", require_scores: bool, as_json: bool) -> None:
    """Recompute the numbers of every record from its scores, and check what else its key tells of it.

    Scores must be of the test images in the key; AUROC, average precision and counts those of the scores; key, series,
    weights labels and deviations those of what is hashed. What differs or cannot be read is named, with exit status 1.
    A record without scores is named too: its numbers cannot be recomputed. Nothing is changed.
    """
    from benchmark.views.records import verify_records

    rows: list[dict[str, Any]] = []
    for folder in results or (None,):
        for checked in verify_records(folder):
            rows.append(
                {
                    "from": folder and str(folder),
                    "state": checked.state,
                    "name": checked.name,
                    "reasons": checked.reasons,
                }
            )
            for reason in checked.reasons or (["no scores lie beside it"] if checked.state == "no_scores" else []):
                note(f"{checked.name}: {reason}")
    if not rows:
        raise BenchError("there is no record to verify: give another folder with --results")
    wrong = {"differs", "unreadable"} | ({"no_scores"} if require_scores else set())
    if as_json:
        echo_json(rows)
    else:
        say(_counted([row["state"] for row in rows], VERIFIED))
    ctx.exit(1 if any(row["state"] in wrong for row in rows) else 0)


VERIFIED = {
    "verified": "what their scores give",
    "no_scores": "without scores",
    "failed": "of failed runs",
    "differs": "not what their keys or scores say",
    "unreadable": "left, since they cannot be read",
}
"""States of records in words."""


@command.command("merge")
@click.argument("places", metavar="FOLDER...", nargs=-1, required=True, type=FilePath())
@click.option("--dry-run", is_flag=True, help="Say what would be brought; write nothing.")
@results_option
@json_option
@click.pass_context
def _merge_folders(
    ctx: click.Context, places: "tuple[Path, ...]", dry_run: bool, results: "Path | None", as_json: bool
) -> None:
    """Bring the records of other results folders, with their scores and artefacts, into one.

    A FOLDER may also be a file that `bench results export --format jsonl` wrote; such records come without scores. What
    is here stays: the same numbers are passed over, and other numbers of the same key are named, with exit status 1.
    Only a run that had failed here gives way to one that is done. A record that says other numbers than its scores give
    is named and left. An interrupted merge goes on by the same command.
    """
    from functools import partial

    from benchmark.paths import resolve_folders
    from protocols.splits.draw.ranking import list_fingerprint
    from results.maintenance import merging, verification
    from results.store import Store

    store = Store(resolve_folders(results).results, warn=note)
    merging.check_mergeable(places, store.root)
    differences = partial(verification.score_differences, fingerprint=list_fingerprint)
    merger = merging.Merger(store, differences, dry_run=dry_run)
    rows = []
    for folder in places:
        states = []
        for step in merger.merge_source(folder):
            states.append(step.state)
            rows.append({"from": str(folder), "state": step.state, "name": step.name, "reason": step.reason or None})
            if step.troubled:
                note(f"{step.name}: {step.reason}")
        if not as_json:
            say(f"{folder}: {_merged(states, store.root, 'would be ' if dry_run else '')}")
    if as_json:
        echo_json(rows)
    ctx.exit(1 if any(row["state"] in merging.TROUBLED_STATES for row in rows) else 0)


@command.command("prune")
@click.option("--failed", is_flag=True, help="Failed records, with their tracebacks.")
@click.option("--stale", is_flag=True, help="Records of an older version of their detector, with their scores.")
@click.option("--set-aside", is_flag=True, help="Records that cannot be read.")
@click.option("--orphans", is_flag=True, help="Scores and artefacts without a record.")
@click.option("--tracebacks", is_flag=True, help="Tracebacks without a failed record.")
@click.option("--dry-run", is_flag=True, help="List what would be removed; remove nothing.")
@results_option
@json_option
def _prune_folder(results: "Path | None", dry_run: bool, as_json: bool, **flags: bool) -> None:
    """Remove what no report counts: only the kinds that are named, and nothing of a fit that is at work."""
    from benchmark.planning.equivalence import detector_versions
    from protocols.text import size_in_words
    from results.maintenance import pruning

    store = _store(results)
    chosen = [kind for kind in pruning.PRUNABLE_KINDS if flags[kind]]
    prunable = pruning.find_prunable(store, detector_versions(), chosen)
    if prunable.items and not chosen:
        raise BenchError(f"say what to prune of {store.root}, nothing goes without a flag: {_flags(prunable)}")
    for remark in prunable.remarks:
        note(remark)
    rows = [_pruned(item, dry_run=dry_run, quiet=as_json) for item in prunable.of(chosen)]
    if as_json:
        echo_json(rows)
    elif rows:
        won = size_in_words(sum(row["bytes"] for row in rows if not row["left"]))
        say(f"{won} {'would be ' if dry_run else ''}won in {store.root}")
    else:
        say(f"nothing to prune in {store.root}" + (f" but {_flags(prunable)}" if prunable.items else ""))


def _pruned(item: "RemovableItem", *, dry_run: bool, quiet: bool) -> dict[str, Any]:
    """Remove an item and say so."""
    from results.maintenance.removal import remove_item

    reason = None if dry_run else remove_item(item)
    if reason:
        note(f"left: {item.name}: {reason}")
    elif not quiet:
        say(f"{'would remove' if dry_run else 'removed'} {item.kind.replace('_', ' ')}: {item.name}")
    return {
        "kind": item.kind,
        "name": item.name,
        "bytes": item.size,
        "removed": not (dry_run or reason),
        "left": reason,
    }


def _csv(table: "pd.DataFrame") -> str:
    from protocols.text import csv_cell

    texts = table.select_dtypes(exclude="number")
    safe = table.assign(**{str(name): column.map(csv_cell, na_action="ignore") for name, column in texts.items()})
    text: str = safe.to_csv(index=False, lineterminator="\n")
    return text


def _merged(states: "Iterable[str]", root: "Path", would: str) -> str:
    """Counts of the records of one merged folder by state, in words."""
    words = {
        "new": f"{would}brought to {root}",
        "replaced": f"{would}put in the place of failed ones",
        "completed": f"{would}completed with scores or artefacts",
        "there": "there already",
        "differs": "left, with other numbers here",
        "altered": "left, with other numbers than their scores give",
        "unreadable": "left, since they cannot be read",
        "busy": "left, since their fit is at work here",
    }
    return _counted(states, words)


def _counted(states: "Iterable[str]", words: dict[str, str]) -> str:
    """Counts of records by state, in words; `words` gives the states in their order."""
    from collections import Counter

    counts = Counter(states)
    parts = [f"{counts[state]} {text}" for state, text in words.items() if counts[state]]
    head = plural(counts.total(), "record")
    return ": ".join([head, ", ".join(parts)] if parts else [head])


def _flags(prunable: "Prunable") -> str:
    """The kinds that there are to prune, by their flags."""
    from results.maintenance.pruning import PRUNABLE_KINDS

    counts = {kind: len(prunable.of([kind])) for kind in PRUNABLE_KINDS}
    return ", ".join(f"--{kind.replace('_', '-')} ({count})" for kind, count in counts.items() if count)


def _store(results: "Path | None") -> Any:
    from benchmark.paths import resolve_folders
    from results.store import Store

    root = resolve_folders(results).results
    if results is not None and not root.exists():
        raise BenchError(f"--results {results}: there is no such folder")
    return Store(root, warn=note)


def _records(results: "Path | None") -> "list[Record]":
    from benchmark.views.records import load_records

    return load_records([] if results is None else [results], note)


def _values(results: "Path | None", metric: "Metric") -> "MetricValues":
    from benchmark.views.metric_values import MetricValues, scored_folders, scores_finder

    return MetricValues(metric, scores_finder(scored_folders([] if results is None else [results]), note))


def _row(record: "Record", values: "MetricValues") -> dict[str, Any]:
    spec = record.spec
    return {
        "key": record.key,
        "fit_key": record.fit_key,
        "name": spec.name,
        "method": spec.method,
        "recipe": spec.recipe,
        "dataset": spec.split.dataset,
        "protocol": spec.split.rule,
        **spec.split.coordinates,
        "seed": spec.fit.seed,
        "status": record.status,
        "auroc": record.metrics.auroc if record.metrics else None,
        values.metric.id: values(record),
        "one_score": record.has_one_score,
    }


def _find(results: "Path | None", run: str) -> Any:
    from benchmark.paths import resolve_folders

    records = _records(results)
    matching = [record for record in records if record.key.startswith(run) or record.spec.name == run]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise BenchError(f"'{run}' fits {len(matching)} runs: give more digits of the key (bench results list --json)")
    hint = near_miss(run, [record.spec.name for record in records][:20])
    raise BenchError(f"no run '{run}' in {resolve_folders(results).results}: {hint}")
