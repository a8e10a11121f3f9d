"""A plan in words: blocked runs with reasons, runs to be made, and the time, memory and disk that they take."""

import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmark.planning.costs.decoding import decode_seconds, image_sets
from benchmark.planning.costs.forecast import Conditions, Span, TaskForecast, forecast_tasks, jobs_span
from benchmark.planning.types import Plan, PlannedRun, StoreKey, Task
from benchmark.terminal.time_left import forecast_in_words
from protocols.datasets.manifest import read_manifest
from protocols.text import first_few, plural, size_in_words

KIB_PER_RUN = 40


def say_blocked(plan: Plan, say: Callable[[str], None]) -> None:
    """One line a cause, with the number of runs behind it; reasons that differ in a dataset's name alone are one."""
    causes: dict[str, dict[str, list[PlannedRun]]] = defaultdict(dict)
    for reason, runs in _blocked(plan).items():
        dataset = runs[0].wanted_run.dataset
        causes[re.sub(rf"(?<!\w){re.escape(dataset)}(?!\w)", "*", reason)][reason] = runs
    for reasons in causes.values():
        (first, runs), *_ = reasons.items()
        others = len(reasons) - 1
        likewise = f"; likewise {plural(others, 'other dataset')}" if others else ""
        every = [run for several in reasons.values() for run in several]
        say(f"blocked: {plural(len(every), 'run')} ({_names(every)}): {first}{likewise}")


def say_code(plan: Plan, say: Callable[[str], None]) -> None:
    """One line on stored runs that other code made: stale ones by plug-in, those of our own detectors together."""
    stale = Counter(run.fit.method for run in plan.runs if run.state == "stale" and run.fit)
    for method, count in stale.items():
        say(
            f"stale: {plural(count, 'stored run')} of {method} made by other code than is installed now: "
            "--force makes them anew, --accept-stale-code takes them as they are"
        )
    others = sum(run.state == "cached" and run.is_of_other_code for run in plan.runs)
    if others:
        say(
            f"{plural(others, 'stored run was', 'stored runs were')} made by other code than is installed now, "
            "of equal versions of the detectors"
        )


def say_models(plan: Plan, models: Collection[str] | None, say: Callable[[str], None]) -> None:
    """One line on the fits of stored runs that are made again for their models; `models` are the keys of those kept."""
    lacking = [] if models is None else plan.lacking_models(models)
    if lacking:
        fits = plural(len(lacking), "fit of stored runs is", "fits of stored runs are")
        say(f"{fits} made again to keep a model, the records stay: {_names(lacking)}")


def all_blocked(plan: Plan) -> str:
    """Reason that nothing at all can run, in one line: the most frequent one, and the number of others."""
    reasons = sorted(_blocked(plan).items(), key=lambda item: -len(item[1]))
    others = f" (and {plural(len(reasons) - 1, 'other reason')}: --plan lists them)" if len(reasons) > 1 else ""
    blocked = "the only run is blocked" if len(plan.runs) == 1 else f"all {len(plan.runs)} runs are blocked"
    return f"{blocked}: {reasons[0][0]}{others}"


def plan_lines(plan: Plan, conditions: Conditions, data: Path) -> Iterator[str]:
    """Lines of `--plan`: one a run that is not blocked, then the counts, and what the missing ones take."""
    tasks = plan.tasks({"missing"})
    forecasts = forecast_tasks(plan, tasks, conditions)
    for run in plan.runs:
        if run.spec is not None:
            forecast = forecasts[run.spec.fit.fit_key] if run.state == "missing" else None
            about = f"  {_words(forecast.of_run(run.spec.key))}" if forecast else ""
            yield f"{run.state:8} {run.spec.name}{about}"
    counts = ", ".join(
        f"{plan.count(state)} {state}"
        for state in ("cached", "missing", "failed", "blocked", "stale")
        if state != "stale" or plan.count(state)
    )
    yield f"{plural(len(plan.runs), 'run')} of suite {plan.suite.id}, recipe {plan.recipe}: {counts}"
    sources = sum(task.is_source and not task.runs for task in tasks)
    if sources:
        yield f"{plural(sources, 'source fit comes', 'source fits come')} first, where their state is not kept already"
    if tasks:
        yield _whole_time(forecasts, conditions)
        yield from _kinds(tasks, forecasts, conditions)
        yield from _needs(tasks, forecasts, conditions, data)


def plan_fields(plan: Plan, conditions: Conditions, data: Path) -> dict[str, Any]:
    """The same for a program: every run with its state; seconds are the fewest and the most, None where not known."""
    tasks = plan.tasks({"missing"})
    forecasts = forecast_tasks(plan, tasks, conditions)
    spans = [forecast.whole for forecast in forecasts.values() if forecast]
    whole = jobs_span(spans, conditions.jobs) if spans else None
    stores = image_sets((key for task in tasks for key in task.image_stores), data)
    decoding = decode_seconds(stores, conditions.cache, conditions.threads)
    peaks = [forecast.memory_mib for forecast in forecasts.values() if forecast]
    return {
        "suite": plan.suite.id,
        "recipe": plan.recipe,
        "jobs": conditions.jobs,
        "threads": conditions.threads,
        "counts": {state: plan.count(state) for state in ("cached", "missing", "failed", "blocked", "stale")},
        "fits": len(tasks),
        "fits_of_unknown_time": sum(forecast is None for forecast in forecasts.values()),
        "seconds": [whole.low, whole.high] if whole else None,
        "memory_mib": max(peaks, default=None),
        "decoding_seconds": sum(decoding.values()) if len(decoding) == len(stores) else None,
        "decoded_bytes": sum(_decoded_bytes(key, data) for key in {key for task in tasks for key in task.image_stores}),
        "runs": [_run_fields(run, forecasts) for run in plan.runs],
    }


def _run_fields(run: PlannedRun, forecasts: Mapping[str, TaskForecast | None]) -> dict[str, Any]:
    fields: dict[str, Any] = {"state": run.state, "reason": run.reason, **msgspec.to_builtins(run.wanted_run)}
    if run.spec is None:
        return fields
    forecast = forecasts.get(run.spec.fit.fit_key) if run.state == "missing" else None
    span = forecast.of_run(run.spec.key) if forecast else None
    return {
        **fields,
        "name": run.spec.name,
        "key": run.spec.key,
        "seconds": [span.low, span.high] if span else None,
        "seconds_from": forecast.basis if forecast else None,
    }


def _whole_time(forecasts: Mapping[str, TaskForecast | None], conditions: Conditions) -> str:
    """The time of all fits of which there is a forecast."""
    spans = [forecast.whole for forecast in forecasts.values() if forecast]
    if not spans:
        threads = plural(conditions.threads, "thread")
        return f"time: not known, nothing of their kind was measured on this kind of machine with {threads}"
    counted = "all fits" if len(spans) == len(forecasts) else f"{len(spans)} of {plural(len(forecasts), 'fit')}"
    text = f"time for {counted}: {_words(jobs_span(spans, 1))} one after another"
    if conditions.jobs > 1:
        together = _words(jobs_span(spans, conditions.jobs))
        text += f"; with --jobs {conditions.jobs} {together}, if they do not slow each other"
    return text


def _kinds(
    tasks: Sequence[Task], forecasts: Mapping[str, TaskForecast | None], conditions: Conditions
) -> Iterator[str]:
    """A line on equal fits: the time of one, and where that is from or how to have it measured."""
    kinds: dict[tuple[str, str | None], list[Task]] = defaultdict(list)
    for task in tasks:
        size = f" at {task.fit.spec.size} px" if task.fit.spec.size else ""
        forecast = forecasts[task.key]
        kinds[f"{task.fit.method}{size}", forecast.basis if forecast else None].append(task)
    for (name, basis), alike in kinds.items():
        known = [forecast.whole for task in alike if (forecast := forecasts[task.key])]
        fits, threads = plural(len(alike), "fit"), plural(conditions.threads, "thread")
        if known:
            each = Span(min(span.low for span in known), max(span.high for span in known))
            yield f"  {name}: {fits} of {_words(each)}, {basis} on this kind of machine with {threads}"
        else:
            fit = alike[0].fit
            yield (
                f"  {name}: {fits}, time not known: --calibrate estimates it; --method {fit.method} --dataset "
                f"{fit.dataset} --max-time 1m in place of --plan measures it, and what it does is kept"
            )


def _needs(
    tasks: Sequence[Task], forecasts: Mapping[str, TaskForecast | None], conditions: Conditions, data: Path
) -> Iterator[str]:
    """Memory and disk."""
    peaks = [forecast.memory_mib for forecast in forecasts.values() if forecast]
    if peaks:
        yield f"memory: up to {size_in_words(int(max(peaks) * 2**20))} a fit, as measured or scaled from a calibration"
    stores = image_sets((key for task in tasks for key in task.image_stores), data)
    decoding = decode_seconds(stores, conditions.cache, conditions.threads)
    if decoding:
        images = plural(sum(len(dataset.rows) for key, dataset in stores if key in decoding), "image")
        about = forecast_in_words(sum(decoding.values()))
        yield f"decoding, where it is not done yet: {images} in about {about}, from a calibration"
    kept = size_in_words(sum(len(task.runs) for task in tasks) * KIB_PER_RUN * 1024)
    decoded = size_in_words(sum(_decoded_bytes(key, data) for key in {key for t in tasks for key in t.image_stores}))
    free = next(
        shutil.disk_usage(folder).free for folder in (conditions.cache, *conditions.cache.parents) if folder.exists()
    )
    yield (
        f"disk: about {kept} of records and scores; decoded images, where they are not there yet, {decoded} of "
        f"{size_in_words(free)} free in {conditions.cache}"
    )


def _decoded_bytes(key: StoreKey, data: Path) -> int:
    """Bytes of an image store; none where images keep their own sizes."""
    dataset = read_manifest(data / key.dataset, key.dataset)
    return len(dataset.rows) * key.size**2 * dataset.channels


def _words(span: Span) -> str:
    """`about 12 min`, or `12 min to 1 h 3 min` where the two ends are told apart."""
    low, high = forecast_in_words(span.low), forecast_in_words(span.high)
    return f"about {low}" if low == high else f"{low} to {high}"


def _blocked(plan: Plan) -> dict[str, list[PlannedRun]]:
    groups: dict[str, list[PlannedRun]] = defaultdict(list)
    for run in plan.runs:
        if run.state == "blocked":
            groups[run.reason or ""].append(run)
    return groups


def _names(runs: list[PlannedRun]) -> str:
    datasets = list(dict.fromkeys(run.wanted_run.dataset for run in runs))
    methods = list(dict.fromkeys(run.wanted_run.method for run in runs))
    return f"{first_few(datasets, 6)}; {', '.join(methods)}"
