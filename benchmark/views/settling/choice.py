"""Choice of a plan's missing runs by expected decisions an hour, within a budget."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

from benchmark.planning.costs.budget import TIME_ROUNDING, Offer, Step, choose_steps
from benchmark.planning.costs.forecast import TaskForecast
from benchmark.planning.types import Plan, PlannedRun, Task
from benchmark.views.settling.outlook import CellOutlook, SeedStep
from protocols.text import plural
from reports.tables.prospects import LEAST_CHANCE

Forecasts = Mapping[str, TaskForecast | None]


@dataclass(frozen=True)
class Budget:
    """Seconds of the whole call (None: no end), and how many fits run at the same time.

    is_settling: only runs that may bring a verdict are chosen; else others fill the time.
    """

    seconds: float | None
    jobs: int
    is_settling: bool

    @property
    def option(self) -> str:
        """The option of `bench run` that asks for it."""
        return "--settle" if self.is_settling else "--budget"

    @property
    def machine_seconds(self) -> float:
        return inf if self.seconds is None else self.seconds * self.jobs

    @property
    def longest(self) -> float:
        return inf if self.seconds is None else self.seconds


@dataclass(frozen=True)
class CellRow:
    """A cell with the split seeds that were chosen for it and what they bring.

    seed_seconds: those of the first step that can be added, None where they are not known. chance: of a verdict with
    the chosen seeds, or with all that can be added where none was chosen; None where none can be told. note: why none
    was chosen.
    """

    outlook: CellOutlook
    seeds: tuple[int, ...]
    seed_seconds: float | None
    seconds: float
    chance: float | None
    note: str = ""


@dataclass(frozen=True)
class Choice:
    """The plan with the missing runs that were chosen, a row a cell, and what they take together.

    expected: decisions to be expected. fillers: chosen runs that bring no cell nearer to a verdict. unknown: fits of
    which no time is known, none of them chosen. left: missing runs that were not chosen.
    """

    plan: Plan
    budget: Budget
    rows: tuple[CellRow, ...]
    expected: float
    seconds: float
    runs: int
    fillers: int
    unknown: int
    left: int


class Costs:
    """Seconds of runs and of their fits, by the upper end of each forecast; a fit and its source count once."""

    def __init__(self, tasks: Iterable[Task], forecasts: Forecasts) -> None:
        self._forecasts = forecasts
        self._sources = {task.key: task.source_key for task in tasks}

    @property
    def unknown(self) -> int:
        """Number of fits of which no time is known."""
        return sum(forecast is None for forecast in self._forecasts.values())

    def fits(self, runs: Iterable[PlannedRun]) -> tuple[str, ...]:
        """Keys of the fits behind runs, sources among them, each once."""
        keys: dict[str, None] = {}
        for run in runs:
            if run.fit is not None:
                source = self._sources.get(run.fit.key)
                keys |= {source: None} if source else {}
                keys[run.fit.key] = None
        return tuple(keys)

    def is_known(self, runs: Iterable[PlannedRun]) -> bool:
        return all(self._forecasts.get(key) for key in self.fits(runs))

    def seconds(self, runs: Iterable[PlannedRun], paid: Iterable[str] = ()) -> dict[str, float]:
        """Seconds by key of each fit, with the scores of these runs; fits that are `paid` cost their scores alone."""
        listed, paid_fits = list(runs), set(paid)
        totals: dict[str, float] = {}
        for key in self.fits(listed):
            forecast = self._forecasts.get(key)
            totals[key] = forecast.fit.high if forecast and key not in paid_fits else 0.0
        for run in {run.spec.key: run for run in listed if run.spec}.values():
            forecast = self._forecasts.get(run.fit.key) if run.fit else None
            if forecast and run.fit and run.spec:
                totals[run.fit.key] += forecast.scores.get(run.spec.key, 0.0)
        return totals


def choose_runs(plan: Plan, outlooks: Sequence[CellOutlook], forecasts: Forecasts, budget: Budget) -> Choice:
    """Choose split seeds of cells by expected decisions an hour; other missing runs fill the rest, but for --settle."""
    costs = Costs(plan.tasks({"missing"}), forecasts)
    groups = _groups(outlooks, costs)
    offers = [Offer(number, steps) for number, group in enumerate(groups) if (steps := tuple(_offered(group, costs)))]
    step_counts = choose_steps(offers, seconds=budget.machine_seconds, longest=budget.longest)
    seeds = {
        outlook.name: _seeds(group)[: step_counts.get(number, 0)]
        for number, group in enumerate(groups)
        for outlook in group
    }
    chosen = {
        run.spec.key: run
        for outlook in outlooks
        for step in outlook.steps
        if step.split_seed in seeds.get(outlook.name, ())
        for run in step.runs
        if run.spec
    }
    more = {} if budget.is_settling else _fillers(plan, chosen, costs, budget)
    return _choice(plan, budget, outlooks, seeds, chosen | more, len(more), costs)


def restricted(choice: Choice, plan: Plan, keys: Sequence[str], forecasts: Forecasts) -> Choice:
    """A choice of these runs in place of another one, as many as fit into the budget, in their order."""
    costs = Costs(plan.tasks({"missing"}), forecasts)
    runs = {run.spec.key: run for run in plan.runs if run.spec and run.state == "missing"}
    wanted_runs = [runs[key] for key in keys]
    chosen = _fitting(wanted_runs, set(), choice.budget.machine_seconds, costs, choice.budget)
    outlooks = [row.outlook for row in choice.rows]
    seeds = {
        outlook.name: [
            step.split_seed for step in outlook.steps if any(run.spec and run.spec.key in chosen for run in step.runs)
        ]
        for outlook in outlooks
    }
    return _choice(plan, choice.budget, outlooks, seeds, chosen, 0, costs)


def _choice(
    plan: Plan,
    budget: Budget,
    outlooks: Sequence[CellOutlook],
    seeds: Mapping[str, Sequence[int]],
    chosen: Mapping[str, PlannedRun],
    fillers: int,
    costs: Costs,
) -> Choice:
    rows = tuple(_row(outlook, seeds.get(outlook.name), costs) for outlook in outlooks)
    missing = {run.spec.key for run in plan.runs if run.state == "missing" and run.spec}
    return Choice(
        plan=chosen_part(plan, chosen),
        budget=budget,
        rows=rows,
        expected=sum(row.chance or 0.0 for row in rows if row.seeds),
        seconds=sum(costs.seconds(chosen.values()).values()),
        runs=len(chosen),
        fillers=fillers,
        unknown=costs.unknown,
        left=len(missing) - len(chosen),
    )


def chosen_part(plan: Plan, keys: Iterable[str]) -> Plan:
    """The plan without the missing runs of other keys."""
    kept = set(keys)
    runs = (run for run in plan.runs if run.state != "missing" or (run.spec and run.spec.key in kept))
    return replace(plan, runs=tuple(runs))


def _groups(outlooks: Iterable[CellOutlook], costs: Costs) -> list[list[CellOutlook]]:
    """Cells that can get a verdict and whose time is known, those together that share fits."""
    groups: list[tuple[set[str], list[CellOutlook]]] = []
    for outlook in outlooks:
        runs = [run for step in outlook.steps for run in step.runs]
        if not outlook.prospect.can_be_told or not runs or not costs.is_known(runs):
            continue
        keys, members, others = set(costs.fits(runs)), [outlook], []
        for group in groups:
            if group[0].isdisjoint(keys):
                others.append(group)
            else:
                keys |= group[0]
                members = [*group[1], *members]
        groups = [*others, (keys, members)]
    return [members for _, members in groups]


def _seeds(group: Iterable[CellOutlook]) -> list[int]:
    """Split seeds of a group in the order in which they are added."""
    return list(dict.fromkeys(step.split_seed for outlook in group for step in outlook.steps))


def _offered(group: Sequence[CellOutlook], costs: Costs) -> Iterator[Step]:
    """A step a split seed: the runs of all cells of the group, and the verdicts to be expected with them."""
    seeds = _seeds(group)
    values = [dict(zip(seeds, _chances(outlook, seeds), strict=True)) for outlook in group]
    paid: set[str] = set()
    for seed in seeds:
        runs = [run for outlook in group for step in outlook.steps if step.split_seed == seed for run in step.runs]
        seconds = costs.seconds(runs, paid)
        paid |= seconds.keys()
        yield Step(sum(seconds.values()), max(seconds.values(), default=0.0), sum(value[seed] for value in values))


def _chances(outlook: CellOutlook, seeds: Iterable[int]) -> list[float]:
    """Chance of a verdict after each of these split seeds, 0 where it stays below the least that is worth runs."""
    by_seed = {step.split_seed: step for step in outlook.steps}
    added, totals = 0, []
    for seed in seeds:
        added += by_seed[seed].adds if seed in by_seed else 0
        totals.append(added)
    numbers = sorted({total for total in totals if total})
    chances = dict(zip(numbers, outlook.prospect.chances(numbers), strict=True))
    if not chances or max(chances.values()) < LEAST_CHANCE:
        return [0.0] * len(totals)
    return [chances.get(total, 0.0) for total in totals]


def _fillers(plan: Plan, chosen: Mapping[str, PlannedRun], costs: Costs, budget: Budget) -> dict[str, PlannedRun]:
    """Missing runs that fit into the rest of the time: all with the first seed before any with the next one."""
    runs = [run for run in plan.runs if run.state == "missing" and run.spec and run.spec.key not in chosen]
    ranks = {seeds: rank for rank, seeds in enumerate(dict.fromkeys(_run_seeds(run) for run in plan.runs))}
    seconds_left = budget.machine_seconds - sum(costs.seconds(chosen.values()).values())
    ordered = sorted(runs, key=lambda run: ranks[_run_seeds(run)])
    return _fitting(ordered, set(costs.fits(chosen.values())), seconds_left, costs, budget)


def _fitting(
    runs: Iterable[PlannedRun], paid: set[str], seconds_left: float, costs: Costs, budget: Budget
) -> dict[str, PlannedRun]:
    """The runs, in their order, that fit into the time that is left; fits that are `paid` cost their scores alone."""
    fitting: dict[str, PlannedRun] = {}
    for run in runs:
        if run.spec is None or run.spec.key in fitting or not costs.is_known([run]):
            continue
        seconds = costs.seconds([run], paid)
        needed = sum(seconds.values())
        if needed <= seconds_left * (1 + TIME_ROUNDING) and max(seconds.values()) <= budget.longest:
            fitting[run.spec.key] = run
            paid |= seconds.keys()
            seconds_left -= needed
    return fitting


def _run_seeds(run: PlannedRun) -> tuple[int, int]:
    return run.wanted_run.split_seed, run.wanted_run.seed


def _row(outlook: CellOutlook, seeds: Sequence[int] | None, costs: Costs) -> CellRow:
    chosen = [step for step in outlook.steps if seeds and step.split_seed in seeds]
    first = outlook.steps[0].runs if outlook.steps else ()
    is_known = bool(first) and costs.is_known(first)
    every = [step.split_seed for step in outlook.steps]
    counted = [step.split_seed for step in chosen] or every
    chances = _raw_chances(outlook, counted) if outlook.prospect.can_be_told and counted else []
    return CellRow(
        outlook=outlook,
        seeds=tuple(step.split_seed for step in chosen),
        seed_seconds=sum(costs.seconds(first).values()) if is_known else None,
        seconds=_seconds(chosen, costs),
        chance=chances[-1] if chances else None,
        note="" if chosen else _note(outlook, is_known=is_known, chance=chances[-1] if chances else None),
    )


def _raw_chances(outlook: CellOutlook, seeds: Sequence[int]) -> tuple[float, ...]:
    added = sum(step.adds for step in outlook.steps if step.split_seed in seeds)
    return outlook.prospect.chances([added]) if added else ()


def _seconds(steps: Iterable[SeedStep], costs: Costs) -> float:
    return sum(costs.seconds([run for step in steps for run in step.runs]).values())


def _note(outlook: CellOutlook, *, is_known: bool, chance: float | None) -> str:
    """Why no run of a cell was chosen."""
    prospect = outlook.prospect
    if prospect.state != "open":
        return prospect.reason
    if not outlook.steps:
        return "no seed of this plan is left: give more with --seed"
    if not is_known:
        return "its time is not known: --calibrate measures it"
    if prospect.spread is None:
        return "no std is known, neither published nor of runs like it: two seeds of it tell one"
    if chance is not None and chance < LEAST_CHANCE:
        return (
            f"{plural(len(outlook.steps), 'more seed')} would bring a verdict in less than {LEAST_CHANCE:.0%} of cases"
        )
    return "the time is not enough"
