"""`bench run`: plan a suite, run what is missing, print its table."""

from typing import TYPE_CHECKING, Any

import click

from benchmark.errors import BenchError
from benchmark.execution.executor import engine_names
from benchmark.numerics import PRECISIONS
from benchmark.terminal.completion import SuiteName, complete_datasets, complete_methods, complete_recipes
from benchmark.terminal.options import (
    CommaList,
    Duration,
    ShardType,
    SuiteCommand,
    accept_stale_option,
    note,
    parse_options,
    results_option,
    say,
    split_choice_options,
)
from benchmark.terminal.run_options import (
    check_choice,
    check_engine,
    chosen_device,
    due_states,
    given_words,
    parse_settings,
    parse_slurm_options,
    runs_elsewhere,
)
from methods.devices import device_forms
from protocols.text import plural

if TYPE_CHECKING:
    from benchmark.execution.processes.handover import Again
    from benchmark.paths import Folders
    from benchmark.planning.costs.forecast import Conditions
    from benchmark.planning.suite import Selection
    from benchmark.planning.types import Plan, RunRequest, Task
    from benchmark.upkeep.memory import Shares
    from benchmark.views.settling.choice import Choice
    from methods.devices import Device
    from reports.layouts.layout import Layout
    from results.store import Store


OF_THE_CALL = {"plan_only", "form", "fits", "shard", "calibrate", "jobs"}
"""Parameters that a command for one of the fits does not repeat."""
SETTLING_SEEDS = 10
"""Seeds that --settle considers for a cell; --seed gives others."""


@click.command("run", cls=SuiteCommand, short_help="Run a suite: what is stored is not run again.")
@click.option(
    "--suite",
    type=SuiteName(),
    required=True,
    help="quick, general, hard, ablation, cross_domain, one_class and others, or the path of a suite file.",
)
@click.option(
    "--method",
    "methods",
    type=CommaList(),
    shell_complete=complete_methods,
    help="Only these methods, or others than the suite's.",
)
@click.option(
    "--dataset",
    "datasets",
    type=CommaList(),
    shell_complete=complete_datasets,
    help="Only these datasets, or others than the suite's.",
)
@click.option("--seed", "seeds", type=CommaList(int), help="Seeds, each of a split and a training.")
@click.option(
    "--split-seed",
    "split_seeds",
    type=CommaList(int),
    help="Seeds of splits alone: each of --seed is then of a training, on each of these splits.",
)
@click.option("--recipe", shell_complete=complete_recipes, help="official, paper or quick (default: the suite's).")
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="METHOD.PARAM=VALUE[,VALUE...]",
    help="Override a hyper-parameter; repeatable. Each of several values is run, and is a column of the suite's table; "
    "where the parameter is a list itself, such as dra.heads=s,p, quote each value.",
)
@split_choice_options
@click.option("--weights", multiple=True, metavar="[ARCH=]FILE", help="ImageNet weights; or random, auto. Repeatable.")
@click.option("--precision", type=click.Choice(PRECISIONS), help="Of the trunk (default: fp32).")
@click.option(
    "--device",
    default="cpu",
    show_default=True,
    help=f"{device_forms()}; several as cuda:0,cuda:1, in turn for --jobs; auto: an accelerator if there is one.",
)
@click.option(
    "--audit-selection",
    "audit",
    is_flag=True,
    help="Score the test images after every epoch, into records of their own that no table and no gate counts: what "
    "choosing the best epoch on them would be worth. bench report --selection prints it.",
)
@click.option("--plan", "plan_only", is_flag=True, help="Say what would run, and how long; run nothing.")
@click.option("--json", "as_json", is_flag=True, help="With --plan: print JSON.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "tasks"]),
    default="text",
    help="With --plan: tasks is one command a fit, for any scheduler.",
)
@click.option("--shard", type=ShardType(), help="Only a part of the fits, such as 2/8: each machine runs one.")
@click.option("--fit", "fits", type=CommaList(), help="Only these fits, as --plan --format tasks names them.")
@click.option(
    "--calibrate",
    is_flag=True,
    help="First measure, for about 20 s, steps of fits of which no time is known; what they tell is kept.",
)
@click.option(
    "--budget",
    type=Duration(),
    help="Run only what fits into this time, such as 40h or 2h30m, and stop then: first what brings most verdicts an "
    "hour.",
)
@click.option(
    "--settle",
    is_flag=True,
    help="Run only what may bring a cell to a verdict, with more seeds than the suite has where these help; "
    "say what nothing can settle.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Fits at the same time (default: as many as cores and free memory allow; on a device, and on a cluster with "
    "--address, 1; of SLURM jobs all that can start).",
)
@click.option("--threads", type=click.IntRange(1, 1 << 10), help="Threads a fit (default: 1).")
@click.option("--engine", type=click.Choice(engine_names()), default="local", show_default=True)
@click.option("--address", help="Of a Dask scheduler or Ray cluster (default: one of its own on this machine).")
@click.option(
    "--slurm",
    multiple=True,
    metavar="OPTION=VALUE",
    help="With --engine slurm: an option of its jobs, such as partition=gpu, time=4:00:00 or gres=gpu:1; repeatable.",
)
@click.option("--retry-failed", is_flag=True, help="Run again what failed.")
@click.option("--force", is_flag=True, help="Run again what is stored.")
@click.option(
    "--keep-models",
    is_flag=True,
    help="Keep the fitted detectors for bench score; fits of stored runs without one are made again for it, and their "
    "records stay.",
)
@click.option(
    "--tracker",
    "trackers",
    multiple=True,
    metavar="NAME",
    help="Tell this tracker of experiments of fits, losses and AUCs; an installed package offers it. Repeatable.",
)
@accept_stale_option
@click.option("--max-time", type=Duration(), help="Stop fits after this time and keep checkpoints.")
@click.option("--fit-timeout", type=Duration(), help="A fit that takes longer has failed; its checkpoint is kept.")
@results_option
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> int:
    """Run what is missing of a suite, store it, and print the suite's table."""
    from dataclasses import replace

    from benchmark.paths import AUDITS_FOLDER, resolve_folders
    from benchmark.planning import suite
    from benchmark.planning.costs.forecast import Conditions
    from benchmark.planning.inputs.split_selection import with_split_file
    from benchmark.planning.plan import plan
    from benchmark.views import plan_summary
    from benchmark.views.settling import chosen_plan
    from benchmark.views.tables import run_tables
    from benchmark.views.tables.suites import suite_layouts
    from results.store import Store

    _check(options)
    request = _request(options, chosen_device(options))
    folders = resolve_folders(options["results"])
    if options["audit"]:
        folders = replace(folders, results=folders.results / AUDITS_FOLDER)
    store = Store(folders.results, warn=note)
    chosen_suite, selection = with_split_file(
        suite.load_suite(options["suite"]), _selection(options), request.split_options, folders.data, note
    )
    if options["settle"]:
        selection = suite.with_more_seeds(chosen_suite, selection, SETTLING_SEEDS)
    chosen = suite_layouts([part for part, _ in suite.suite_parts(chosen_suite, selection)])
    planned = _part(plan(chosen_suite, selection, request, folders=folders, store=store, notify=note), store, options)
    if not planned.runs and not options["plan_only"]:
        return 0
    plan_only = options["plan_only"] and not planned.is_refused
    if plan_only or not planned.is_blocked:
        plan_summary.say_blocked(planned, note)
    plan_summary.say_code(planned, note)
    plan_summary.say_models(planned, store.kept_models() if options["keep_models"] else None, note)
    shares = _shares(options, len(planned.tasks(due_states(options))))
    conditions = Conditions(folders.cache, options["device"], shares.threads, shares.jobs)
    if planned.is_blocked and not plan_only:
        raise BenchError(plan_summary.all_blocked(planned))
    if options["calibrate"]:
        from benchmark.execution.executor import worker_environment
        from benchmark.execution.processes.calibration import calibrate

        calibrate(planned, folders, conditions, worker_environment(conditions.threads), note)
    choice = None
    if options["settle"] or options["budget"]:
        choice = _choice(planned, chosen, store, conditions, options)
        planned = choice.plan if plan_only else chosen_plan.declared(choice, store)
    if plan_only:
        if options["form"] == "tasks":
            _print_tasks(planned, options, given_words(ctx, OF_THE_CALL))
        else:
            as_json = options["as_json"] or options["form"] == "json"
            chosen_plan.print_plan(planned, conditions, folders.data, choice, as_json=as_json)
        return 0
    troubled = _run(planned, folders, store, chosen, options, shares)
    run_tables.print_results(planned, selection, store, chosen, options)
    return 1 if troubled else 0


def _check(options: dict[str, Any]) -> None:
    """Refuse options that cannot be, before anything is looked up."""
    from benchmark.execution.listeners.trackers import check_trackers
    from benchmark.execution.stores.feature_files import feature_limit

    feature_limit()
    check_engine(options)
    check_choice(options)
    check_trackers(options["trackers"])


def _selection(options: dict[str, Any]) -> "Selection":
    from benchmark.planning.suite import Selection
    from protocols.coordinates import COORDINATE_FIELDS

    return Selection(
        methods=options["methods"],
        datasets=options["datasets"],
        seeds=options["seeds"],
        split_seeds=options["split_seeds"],
        coordinates={name: options[name] for name in COORDINATE_FIELDS if options[name]},
    )


def _request(options: dict[str, Any], device: "Device") -> "RunRequest":
    from benchmark.planning.types import RunRequest

    sets, sweeps = parse_settings(options["sets"])
    return RunRequest(
        recipe=options["recipe"],
        sets=sets,
        sweeps=sweeps,
        split_options=parse_options(
            options["options"], deduplicate=options["deduplicate"], split_file=options["split_file"]
        ),
        weights=options["weights"],
        precision=options["precision"],
        device=device,
        accept_stale_code=options["accept_stale_code"],
        audit=options["audit"],
    )


def _shares(options: dict[str, Any], fits: int) -> "Shares":
    """Fits at the same time and threads of each: jobs of SLURM wait in its queue, devices and far workers take one."""
    from benchmark.upkeep.memory import Shares, share_cores

    jobs, threads = options["jobs"], options["threads"]
    if runs_elsewhere(options) or options["device"] != "cpu":
        return Shares(jobs or (max(1, fits) if options["engine"] == "slurm" else 1), threads or 1)
    return share_cores(jobs, threads, fits)


def _choice(
    planned: "Plan", layouts: "list[Layout]", store: "Store", conditions: "Conditions", options: dict[str, Any]
) -> "Choice":
    from benchmark.planning.installed import InstalledCode
    from benchmark.views.settling import chosen_plan
    from benchmark.views.settling.choice import Budget

    code = InstalledCode(accept=options["accept_stale_code"])
    budget = Budget(options["budget"], conditions.jobs, is_settling=options["settle"])
    return chosen_plan.choose(planned, layouts, store, code, conditions, budget)


def _part(planned: "Plan", store: "Store", options: dict[str, Any]) -> "Plan":
    from benchmark.planning.parts import named_fits, shard_of

    if options["fits"]:
        planned = named_fits(planned, options["fits"])
    if options["shard"]:
        planned = shard_of(planned, options["shard"])
    if not planned.runs:
        note("no fit of the plan falls to this shard")
        if not options["plan_only"]:
            store.check_writable()  # makes a results folder, which is merged as those of the other parts
    return planned


def _print_tasks(planned: "Plan", options: dict[str, Any], words: list[str]) -> None:
    from benchmark.planning.parts import task_commands

    for line in task_commands(planned, due_states(options), words):
        say(line)


def _run(
    planned: "Plan",
    folders: "Folders",
    store: "Store",
    layouts: "list[Layout]",
    options: dict[str, Any],
    shares: "Shares",
) -> bool:
    """Run the tasks that are due; True where a run came to nothing, now or before."""
    from benchmark.planning.declaration import declare

    states = due_states(options)
    tasks = planned.tasks(states, store.kept_models() if options["keep_models"] else None)
    to_do = sum(len(task.runs) for task in tasks)
    total, cached, blocked = len(planned.runs), planned.count("cached"), planned.count("blocked")
    stored = "all" if 0 < cached == total else cached
    note(f"{plural(total, 'run')}: {stored} cached, {to_do} to run, {blocked} blocked")
    skipped = planned.count("failed") if "failed" not in states else 0
    if skipped:
        note(
            f"{skipped} failed before and {'is' if skipped == 1 else 'are'} skipped: --retry-failed tries again, "
            "bench results list has the names"
        )
    unmeasured = sum(run.lacks_measure for run in planned.runs) if "cached" not in states else 0
    if unmeasured:
        lacking = plural(unmeasured, "stored run lacks", "stored runs lack")
        note(f"{lacking} the measure that is asked for: --force runs again what lacks it")
    if tasks:
        store.check_writable()
        declare(store.root, planned, {layout.id: layout.groups for layout in layouts})
    troubles = _engine(tasks, folders, store, options, shares) if tasks else 0
    stale = planned.count("stale") if "stale" not in states else 0
    return bool(troubles or skipped or stale)


def _engine(tasks: "list[Task]", folders: "Folders", store: "Store", options: dict[str, Any], shares: "Shares") -> int:
    """Run the tasks; returns how many came to nothing."""
    import time

    import benchmark
    from benchmark.execution import provenance, scheduler
    from benchmark.execution.executor import EngineRequest, find_engine
    from benchmark.execution.listeners.progress import show_progress
    from benchmark.execution.processes.far_fits import needs_of
    from benchmark.execution.processes.handover import Machine
    from benchmark.execution.stores import image_stores
    from benchmark.execution.stores.feature_files import feature_limit

    times = [seconds for seconds in (options["max_time"], options["budget"]) if seconds]
    deadline = time.monotonic() + min(times) if times else None
    if shares.remark:
        note(shares.remark)
    head, dirty = provenance.commit()
    machine = Machine(
        data=folders.data.absolute(),
        cache=folders.cache.absolute(),
        store=folders.results.absolute(),
        threads=shares.threads,
        device=options["device"],
        fit_seconds=options["fit_timeout"],
        feature_bytes=feature_limit(),
        package_version=benchmark.__version__,
        git_commit=head,
        git_dirty=dirty,
        code=provenance.installed_digest() if runs_elsewhere(options) else None,
    )
    again: Again = "all" if options["force"] else "failed" if options["retry_failed"] else "never"
    with show_progress(store, tasks, options["trackers"]) as progress:
        request = EngineRequest(
            machine.threads,
            machine.store,
            machine.data,
            progress.say,
            needs_of(tasks),
            options["address"],
            options["device"],
            parse_slurm_options(options["slurm"]),
        )
        workers = find_engine(options["engine"]).opener(request)
        ready = image_stores.tasks_with_images(tasks, folders.data, folders.cache, progress)
        scheduler.Scheduler(machine, workers, shares.jobs, again, progress, deadline).run(ready)
    return progress.troubles
