"""A plan in words: blocked runs with reasons, runs to be made, and the time that they take."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from statistics import median

from benchmark.planning.types import Plan, PlannedRun
from protocols.text import plural
from results.store import Store

KIB_PER_RUN = 40


def say_blocked(plan: Plan, say: Callable[[str], None]) -> None:
    """One line a reason, with the number of runs behind it."""
    for reason, runs in _blocked(plan).items():
        say(f"blocked: {plural(len(runs), 'run')} ({_names(runs)}): {reason}")


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


def all_blocked(plan: Plan) -> str:
    """Reason that nothing at all can run, in one line: the most frequent one, and the number of others."""
    reasons = sorted(_blocked(plan).items(), key=lambda item: -len(item[1]))
    others = f" (and {plural(len(reasons) - 1, 'other reason')}: --plan lists them)" if len(reasons) > 1 else ""
    blocked = "the only run is blocked" if len(plan.runs) == 1 else f"all {len(plan.runs)} runs are blocked"
    return f"{blocked}: {reasons[0][0]}{others}"


def plan_lines(plan: Plan, store: Store) -> Iterator[str]:
    """Lines of `--plan`: one a run that is not blocked, then the counts and an estimate of time and disk."""
    times = _times(store)
    missing = [run for run in plan.runs if run.state == "missing"]
    for run in plan.runs:
        if run.spec is not None:
            seconds = times.get(_kind(run))
            about = f"  about {seconds / 60:.1f} min" if seconds and run.state == "missing" else ""
            yield f"{run.state:8} {run.spec.name}{about}"
    counts = ", ".join(
        f"{plan.count(state)} {state}"
        for state in ("cached", "missing", "failed", "blocked", "stale")
        if state != "stale" or plan.count(state)
    )
    yield f"{plural(len(plan.runs), 'run')} of suite {plan.suite.id}, recipe {plan.recipe}: {counts}"
    sources = sum(task.is_source and not task.runs for task in plan.tasks({"missing"}))
    if sources:
        yield f"{plural(sources, 'source fit comes', 'source fits come')} first, where their state is not kept already"
    if missing:
        yield _estimate([times.get(_kind(run)) for run in missing])


def _estimate(seconds: list[float | None]) -> str:
    known_seconds = [value for value in seconds if value is not None]
    disk = f"disk: about {len(seconds) * KIB_PER_RUN / 1024:.1f} MiB of records and scores"
    if not known_seconds:
        return f"time for the missing ones: not known before the first of their kind is done; {disk}"
    rest = (
        f", {len(seconds) - len(known_seconds)} of another kind not counted"
        if len(known_seconds) < len(seconds)
        else ""
    )
    return f"time for the missing ones, one after another: about {sum(known_seconds) / 3600:.1f} h{rest}; {disk}"


def _blocked(plan: Plan) -> dict[str, list[PlannedRun]]:
    groups: dict[str, list[PlannedRun]] = defaultdict(list)
    for run in plan.runs:
        if run.state == "blocked":
            groups[run.reason or ""].append(run)
    return groups


def _names(runs: list[PlannedRun]) -> str:
    datasets = list(dict.fromkeys(run.wanted_run.dataset for run in runs))
    methods = list(dict.fromkeys(run.wanted_run.method for run in runs))
    names = ", ".join(datasets[:6]) + (f" and {len(datasets) - 6} more" if len(datasets) > 6 else "")
    return f"{names}; {', '.join(methods)}"


def _kind(run: PlannedRun) -> tuple[str, str, int, str]:
    if run.spec is None:
        return "", "", 0, ""
    fit = run.spec.fit
    return fit.detector, run.spec.recipe, fit.size, fit.precision


def _times(store: Store) -> dict[tuple[str, str, int, str], float]:
    """Median seconds of a finished run by detector, recipe, size and precision, from the records at hand."""
    seconds_by_kind: dict[tuple[str, str, int, str], list[float]] = defaultdict(list)
    for record in store.records():
        if record.status == "done":
            fit = record.spec.fit
            seconds_by_kind[fit.detector, record.spec.recipe, fit.size, fit.precision].append(
                sum(record.timings.values())
            )
    return {kind: median(values) for kind, values in seconds_by_kind.items()}
