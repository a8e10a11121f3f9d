"""`bench run`: plan a suite, run what is missing, print its table."""

import re
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from benchmark.errors import BenchError
from benchmark.execution.executor import engine_names
from benchmark.numerics import PRECISIONS
from benchmark.terminal.options import (
    CommaList,
    SuiteCommand,
    accept_stale_option,
    each_once,
    note,
    parse_options,
    results_option,
    say,
    say_page,
)
from methods.devices import device_forms, parse_device
from protocols.text import plural

if TYPE_CHECKING:
    from benchmark.execution.processes.handover import Again
    from benchmark.paths import Folders
    from benchmark.planning.suite import Selection
    from benchmark.planning.types import Plan, PlannedRun, RunState, Task
    from methods.devices import Device
    from protocols.values import ParamValue
    from reports.layouts.layout import Layout
    from reports.tables.table import Table
    from results.store import Store

_REPORT_FILTERS = ("method", "dataset", "shots", "gamma")
"""Options of this command that `bench report --suite` has too."""


class Duration(click.ParamType[float]):
    """`90`, `90s`, `15m` or `2h`, in seconds."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", str(value))
        if not match or float(match[1]) == 0:
            self.fail(f"'{value}' is not a time such as 90s, 15m or 2h", param, ctx)
        return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


@click.command("run", cls=SuiteCommand, short_help="Run a suite: what is stored is not run again.")
@click.option(
    "--suite",
    required=True,
    help="quick, general, hard, ablation, cross_domain, one_class and others, or the path of a suite file.",
)
@click.option("--method", "methods", type=CommaList(), help="Only these methods, or others than the suite's.")
@click.option("--dataset", "datasets", type=CommaList(), help="Only these datasets, or others than the suite's.")
@click.option("--seed", "seeds", type=CommaList(int), help="Seeds, each of a split and a training.")
@click.option(
    "--split-seed",
    "split_seeds",
    type=CommaList(int),
    help="Seeds of splits alone: each of --seed is then of a training, on each of these splits.",
)
@click.option("--recipe", help="official, paper or quick (default: the suite's).")
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="METHOD.PARAM=VALUE[,VALUE...]",
    help="Override a hyper-parameter; repeatable. Each of several values is run, and is a column of the suite's table; "
    "where the parameter is a list itself, such as dra.heads=s,p, quote each value.",
)
@click.option("--split", "options", multiple=True, metavar="OPTION=VALUE", help="A split option; repeatable.")
@click.option("--deduplicate", is_flag=True, help="Short for --split deduplicate=true.")
@click.option("--weights", multiple=True, metavar="[ARCH=]FILE", help="ImageNet weights; or random, auto. Repeatable.")
@click.option("--precision", type=click.Choice(PRECISIONS), help="Of the trunk (default: bf16 where native).")
@click.option("--device", default="cpu", show_default=True, help=f"{device_forms()}.")
@click.option(
    "--audit-selection",
    "audit",
    is_flag=True,
    help="Score the test images after every epoch, into records of their own that no table and no gate counts: what "
    "choosing the best epoch on them would be worth. bench report --selection prints it.",
)
@click.option("--plan", "plan_only", is_flag=True, help="Say what would run, and how long; run nothing.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Fits at the same time.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads a fit (default: cores / jobs).")
@click.option("--engine", type=click.Choice(engine_names()), default="local", show_default=True)
@click.option("--address", help="Of a Dask scheduler or Ray cluster (default: one of its own on this machine).")
@click.option("--retry-failed", is_flag=True, help="Run again what failed.")
@click.option("--force", is_flag=True, help="Run again what is stored.")
@accept_stale_option
@click.option("--max-time", type=Duration(), help="Stop fits after this time and keep checkpoints.")
@click.option("--fit-timeout", type=Duration(), help="A fit that takes longer has failed; its checkpoint is kept.")
@results_option
def command(**options: Any) -> int:
    """Run what is missing of a suite, store it, and print the suite's table."""
    from dataclasses import replace

    from benchmark.paths import AUDITS_FOLDER, resolve_folders
    from benchmark.planning import suite
    from benchmark.planning.plan import plan
    from benchmark.planning.types import RunRequest
    from benchmark.views import plan_summary
    from benchmark.views.tables.suites import suite_layouts
    from protocols.coordinates import COORDINATE_FIELDS
    from results.store import Store

    _check_engine(options)
    folders = resolve_folders(options["results"])
    if options["audit"]:
        folders = replace(folders, results=folders.results / AUDITS_FOLDER)
    store = Store(folders.results, warn=note)
    chosen_suite = suite.load_suite(options["suite"])
    sets, sweeps = _assignments(options["sets"])
    selection = suite.Selection(
        methods=options["methods"],
        datasets=options["datasets"],
        seeds=options["seeds"],
        split_seeds=options["split_seeds"],
        coordinates={name: options[name] for name in COORDINATE_FIELDS if options[name]},
    )
    chosen = suite_layouts([part for part, _ in suite.suite_parts(chosen_suite, selection)])
    planned = plan(
        chosen_suite,
        selection,
        RunRequest(
            recipe=options["recipe"],
            sets=sets,
            sweeps=sweeps,
            split_options=parse_options(options["options"], deduplicate=options["deduplicate"]),
            weights=options["weights"],
            precision=options["precision"],
            device=_device(options["device"], options["precision"], is_here=options["address"] is None),
            accept_stale_code=options["accept_stale_code"],
            audit=options["audit"],
        ),
        folders=folders,
        store=store,
        notify=note,
    )
    all_blocked = planned.count("blocked") == len(planned.runs)
    plan_only = options["plan_only"] and not planned.is_refused
    if plan_only or not all_blocked:
        plan_summary.say_blocked(planned, note)
    plan_summary.say_code(planned, note)
    if plan_only:
        _print_plan(planned, folders, options)
        return 0
    if all_blocked:
        raise BenchError(plan_summary.all_blocked(planned))
    troubled = _run(planned, folders, store, chosen, options)
    if options["audit"]:
        _print_audits(planned, store)
    else:
        _print_tables(planned, selection, store, chosen, options)
    return 1 if troubled else 0


def _print_plan(planned: "Plan", folders: "Folders", options: dict[str, Any]) -> None:
    from benchmark.planning.costs.forecast import Conditions
    from benchmark.views.plan_summary import plan_lines

    threads = options["threads"] or _free_threads(options["jobs"])
    for line in plan_lines(
        planned, Conditions(folders.cache, options["device"], threads, options["jobs"]), folders.data
    ):
        say(line)


def _run(planned: "Plan", folders: "Folders", store: "Store", layouts: "list[Layout]", options: dict[str, Any]) -> bool:
    """Run the tasks that are due; True where a run came to nothing, now or before."""
    from benchmark.planning.declaration import declare

    states: set[RunState] = {"missing"}
    if options["retry_failed"] or options["force"]:
        states.add("failed")
    if options["force"]:
        states |= {"cached", "stale"}
    tasks = planned.tasks(states)
    to_do = sum(len(task.runs) for task in tasks)
    total, cached, blocked = len(planned.runs), planned.count("cached"), planned.count("blocked")
    note(f"{plural(total, 'run')}: {'all' if cached == total else cached} cached, {to_do} to run, {blocked} blocked")
    skipped = planned.count("failed") if "failed" not in states else 0
    if skipped:
        verb = "is" if skipped == 1 else "are"
        note(
            f"{skipped} failed before and {verb} skipped: --retry-failed tries again, bench results list has the names"
        )
    unmeasured = sum(map(_lacks_measure, planned.runs)) if "cached" not in states else 0
    if unmeasured:
        lacking = plural(unmeasured, "stored run lacks", "stored runs lack")
        note(f"{lacking} the measure that is asked for: --force runs again what lacks it")
    if tasks:
        store.check_writable()
        declare(store.root, planned, {layout.id: layout.groups for layout in layouts})
    troubles = _engine(tasks, folders, store, options) if tasks else 0
    stale = planned.count("stale") if "stale" not in states else 0
    return bool(troubles or skipped or stale)


def _lacks_measure(run: "PlannedRun") -> bool:
    from methods.measures.request import lacking

    return bool(
        run.state == "cached" and run.fit and run.record and lacking(run.fit.measures.params, run.record.history)
    )


def _engine(tasks: "list[Task]", folders: "Folders", store: "Store", options: dict[str, Any]) -> int:
    """Run the tasks; returns how many came to nothing."""
    import time

    import benchmark
    from benchmark.execution import image_stores, provenance, scheduler
    from benchmark.execution.executor import find_engine
    from benchmark.execution.processes.handover import Machine
    from benchmark.execution.progress import show_progress

    deadline = time.monotonic() + options["max_time"] if options["max_time"] else None
    threads = options["threads"] or _default_threads(options["jobs"])
    head, dirty = provenance.commit()
    machine = Machine(
        data=folders.data.absolute(),
        cache=folders.cache.absolute(),
        store=folders.results.absolute(),
        threads=threads,
        device=options["device"],
        fit_seconds=options["fit_timeout"],
        package_version=benchmark.__version__,
        git_commit=head,
        git_dirty=dirty,
        code=None if options["address"] is None else provenance.installed_digest(),
    )
    opener = find_engine(options["engine"]).opener
    workers = opener(threads=machine.threads, address=options["address"], device=options["device"])
    again: Again = "all" if options["force"] else "failed" if options["retry_failed"] else "never"
    with show_progress(store, tasks) as progress:
        ready = image_stores.tasks_with_images(tasks, folders.data, folders.cache, progress)
        scheduler.Scheduler(machine, workers, options["jobs"], again, progress, deadline).run(ready)
    return progress.troubles


def _default_threads(jobs: int) -> int:
    """The cores that each fit may have. A busy machine is told, not heeded: the count is part of the numerics class."""
    import os

    from benchmark.upkeep import memory

    threads = _free_threads(jobs)
    others, cores = memory.others_at_work(), os.cpu_count() or 1
    if threads > 1 and others + threads * jobs > cores:
        note(f"{others} others are at work on this machine's {cores} cores: --threads 1 may be faster than {threads}")
    return threads


def _free_threads(jobs: int) -> int:
    from benchmark.upkeep import memory

    return max(1, memory.machine_limits().usable // jobs)


def _print_audits(planned: "Plan", store: "Store") -> None:
    """The audits of these runs: last epoch, best epoch and the gap."""
    from reports.comparison.selection import render_selection, selection_audits

    stored = (record for run in planned.runs if run.spec and (record := store.get(run.spec.key)))
    say_page(render_selection(selection_audits(stored), "md"))


def _print_tables(
    planned: "Plan", selection: "Selection", store: "Store", layouts: "list[Layout]", options: dict[str, Any]
) -> None:
    """The papers' tables with what these runs measured, the suite's own with runs that stand in none, what they lack.

    All runs stand in the suite's own where a method was run with several values of a parameter.
    """
    from benchmark.planning.equivalence import detector_versions, measures, method_titles
    from benchmark.planning.installed import InstalledCode
    from benchmark.planning.suite import option_words
    from benchmark.terminal.narrow import narrow_text, say_fitting
    from benchmark.views.derived import derive_words
    from benchmark.views.metric_values import scores_digest, scores_finder
    from benchmark.views.runs.small_budget import budget_sentences
    from benchmark.views.tables.suites import suite_view, suites_tested_apart
    from reports.pages import page, render
    from reports.tables import table, unplaced_runs

    code = InstalledCode(accept=options["accept_stale_code"])
    build = partial(
        table.build_table,
        versions=detector_versions(),
        stale=code.stale,
        remark=code.note,
        scores_digest=partial(scores_digest, scores_finder([store], note)),
    )
    folder = f" --results {options['results']}" if options["results"] else ""

    def say_table(built: "Table", asked: str) -> None:
        part = built.measured_part()
        whole = f"The whole table: bench report {asked}{folder} --output table.md"
        say_fitting(render.render_table(part, "md"), partial(narrow_text, page.table_page(part), whole))

    stored = (record for run in planned.runs if run.spec and (record := store.get(run.spec.key)))
    records = derive_words(stored, note)
    others, measured_as = records, measures()
    for chosen in layouts:
        built = build(
            chosen,
            records,
            measures=measured_as,
            added_methods=sorted({run.wanted_run.method for run in planned.runs}),
            titles=method_titles(),
        )
        others = unplaced_runs.unplaced_runs(built, others, measured_as)
        if built.has_measured:
            say_table(built, f"--table {chosen.id}")
    if planned.is_swept:
        others = records
    others = [record for record in others if record.status == "done"]
    filters = {name: text for name, text in selection.options.items() if name in _REPORT_FILTERS}
    for suite in (planned.suite, *suites_tested_apart(planned.suite)) if others else ():
        view = suite_view(suite, selection, others)
        chosen_columns = build(view.layout, view.records, measures=view.measures, titles=view.titles)
        if chosen_columns.has_measured:
            name = options["suite"] if suite is planned.suite else suite.id
            say_table(chosen_columns, f"--suite {name}{option_words(filters)}")
    for sentence in budget_sentences(records, options["suite"], option_words(selection.options)):
        note(sentence)


def _assignments(
    texts: tuple[str, ...],
) -> "tuple[dict[str, dict[str, ParamValue]], dict[str, dict[str, tuple[ParamValue, ...]]]]":
    """The first value of each `--set` by method and parameter, and all values where it has several."""
    from methods.registry import installed
    from methods.registry.sweeps import parse_setting

    parsed = [parse_setting(text, installed.methods() if "," in text else {}) for text in texts]
    shown = ((f"{method}.{name}", values[0] if len(values) == 1 else values) for method, name, values in parsed)
    each_once("--set", shown)
    sets: dict[str, dict[str, ParamValue]] = {}
    sweeps: dict[str, dict[str, tuple[ParamValue, ...]]] = {}
    for method, name, values in parsed:
        sets.setdefault(method, {})[name] = values[0]
        if len(values) > 1:
            sweeps.setdefault(method, {})[name] = values
    return sets, sweeps


def _check_engine(options: dict[str, Any]) -> None:
    if options["address"] is None:
        return
    if options["engine"] == "local":
        raise BenchError("--address says where a cluster is: give --engine dask or ray with it")
    if options["threads"] is None:
        raise BenchError("with --address give --threads too: the cores of one of its workers")


def _device(name: str, precision: str | None, *, is_here: bool) -> "Device":
    """The device of that name; one that is to be used here must be here."""
    device = parse_device(name)
    if precision == "bf16" and not device.traits.bf16:
        raise BenchError(f"device '{name}' does not compute in bf16: give --precision fp32")
    missing = device.missing() if is_here else None
    if missing:
        raise BenchError(f"no device '{name}' on this machine, {missing}: give --device cpu, or run where one is")
    return device
