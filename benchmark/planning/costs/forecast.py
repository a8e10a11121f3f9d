"""Forecast of what the missing fits of a plan take, from costs of their kind on this kind of machine."""

import functools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from benchmark import numerics
from benchmark.planning.costs.measured import FitCost, cost_kind, kept_costs, record_cost
from benchmark.planning.types import Plan, Task
from protocols.text import plural

ALIKE = 0.05
"""Share by which numbers of images may differ and the time of a fit still counts as that of as many."""


@dataclass(frozen=True)
class Conditions:
    """Conditions of a forecast: where costs are kept, and how fits will be run."""

    cache: Path
    device: str
    threads: int
    jobs: int


@dataclass(frozen=True)
class Span:
    """Seconds from the fewest to the most."""

    low: float
    high: float

    def __add__(self, other: "Span") -> "Span":
        return Span(self.low + other.low, self.high + other.high)


@dataclass(frozen=True)
class TaskForecast:
    """Seconds of a task's fit, and of its scores by the key of the run; `basis` says what they are from."""

    fit: Span
    scores: dict[str, float]
    memory_mib: float
    basis: str

    @property
    def whole(self) -> Span:
        seconds = sum(self.scores.values())
        return self.fit + Span(seconds, seconds)

    def of_run(self, key: str) -> Span:
        """Seconds of one run: the first of a task has its fit too."""
        score = Span(self.scores[key], self.scores[key])
        return self.fit + score if key == next(iter(self.scores)) else score


def forecast_tasks(plan: Plan, tasks: Iterable[Task], conditions: Conditions) -> dict[str, TaskForecast | None]:
    """Forecasts by the keys of tasks; None where nothing of a task's kind was measured.

    Runs that are scored after every epoch take longer than those that were measured: nothing is foretold of them.
    """
    of_plan: dict[str, list[FitCost]] = defaultdict(list)
    for kind, cost in filter(None, (record_cost(run.record) for run in plan.runs if run.record)):
        of_plan[kind].append(cost)
    cpu = numerics.cpu_name()

    @functools.cache
    def comparable(kind: str, precision: str) -> list[FitCost]:
        return _of_class([*of_plan[kind], *kept_costs(conditions.cache, kind)], precision, conditions)

    def forecast(task: Task) -> TaskForecast | None:
        spec = task.fit.spec
        kind = cost_kind(spec, cpu=cpu, device=conditions.device, threads=conditions.threads)
        costs = comparable(kind, spec.precision)
        return _forecast(task, costs) if costs and not plan.audit else None

    return {task.key: forecast(task) for task in tasks}


def jobs_span(spans: Iterable[Span], jobs: int) -> Span:
    """Seconds of several tasks, `jobs` of them at the same time, as long as none slows another."""
    lows, highs = zip(*((span.low, span.high) for span in spans), strict=True)
    return Span(max(sum(lows) / jobs, *lows), max(sum(highs) / jobs, *highs))


def _of_class(costs: list[FitCost], precision: str, conditions: Conditions) -> list[FitCost]:
    """One cost a run, of the numerics class that fits will have here; on a device, of the last class there was."""
    unique = list({cost.run or f"stopped {number}": cost for number, cost in enumerate(costs)}.values())
    expected = unique[-1].numerics_class if unique else None
    if conditions.device == "cpu":
        expected = numerics.expected_numerics_class(precision=precision, threads=conditions.threads)
    of_class = [cost for cost in unique if cost.numerics_class == expected]
    finished = [cost for cost in of_class if cost.run]
    stopped = [cost for cost in of_class if cost.calibrated_px is None]
    return finished or stopped[-1:] or of_class[-1:]


def _forecast(task: Task, costs: list[FitCost]) -> TaskForecast:
    """From the costs whose number of training images is nearest, of which the middle eight tenths are told.

    Some fits take as long however many images there are, others longer by each: where the numbers differ, the forecast
    is from the one to the other.
    """
    count = max(1, len(task.fit.train_normal) + len(task.fit.train_anomaly))
    nearest = min((cost.train for cost in costs), key=lambda train: max(count, train) / max(1, min(count, train)))
    alike = [cost for cost in costs if cost.train == nearest]
    low, high = _most_of([cost.fit_s for cost in alike])
    ratio = count / max(1, nearest)
    source = plural(len(alike), "finished run") if alike[0].run else "the first part of a fit"
    if alike[0].calibrated_px is not None:
        source = f"a calibration at {alike[0].calibrated_px} px"
    if is_alike := abs(ratio - 1) <= ALIKE:
        ratio = 1.0
    each = [cost.score_s / cost.test for cost in costs if cost.test]
    score_seconds = median(each) if each else 0.0
    return TaskForecast(
        fit=Span(low * min(1.0, ratio), high * max(1.0, ratio)),
        scores={
            run.spec.key: score_seconds * (len(run.split.test_normal) + len(run.split.test_anomaly))
            for run in task.runs
        },
        memory_mib=max(cost.memory_mib for cost in alike),
        basis=f"from {source}"
        + ("" if is_alike else f" on {nearest} images instead of {count}")
        + ("" if each else ", without its scores"),
    )


def _most_of(seconds: list[float]) -> tuple[float, float]:
    """The ends of the middle eight tenths."""
    if len(seconds) == 1:
        return seconds[0], seconds[0]
    tenths = quantiles(seconds, n=10, method="inclusive")
    return tenths[0], tenths[-1]
