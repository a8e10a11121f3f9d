"""The part of a plan that `bench run --settle` or `--budget` runs: chosen, declared, printed."""

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmark.errors import BenchError
from benchmark.planning.costs.forecast import Conditions, forecast_tasks
from benchmark.planning.installed import InstalledCode
from benchmark.planning.types import Plan
from benchmark.terminal.options import echo_json, note, say
from benchmark.views.plan_summary import plan_fields, plan_lines
from benchmark.views.settling.choice import Budget, Choice, choose_runs
from benchmark.views.settling.declared import declare_choice, go_on
from benchmark.views.settling.outlook import plan_outlooks
from benchmark.views.settling.page import choice_fields, choice_lines, terminal_width
from protocols.text import plural
from reports.layouts.layout import Layout
from results.store import Store


def choose(
    plan: Plan, layouts: Sequence[Layout], store: Store, code: InstalledCode, conditions: Conditions, budget: Budget
) -> Choice:
    """The missing runs to make within a budget, by what they bring to cells of these tables.

    Raises:
        BenchError: none can be chosen, since no time is known of any.
    """
    forecasts = forecast_tasks(plan, plan.tasks({"missing"}), conditions)
    outlooks = plan_outlooks(plan, layouts, store, code, note)
    choice = choose_runs(plan, outlooks, forecasts, budget)
    if budget.is_settling:
        choice = go_on(choice, plan, store.root, forecasts, note)
    if choice.unknown and not choice.runs and choice.unknown == len(forecasts):
        fits = plural(choice.unknown, "missing fit")
        raise BenchError(f"{budget.option}: no time is known of {fits}: --calibrate measures it in about 20 s")
    return choice


def declared(choice: Choice, store: Store) -> Plan:
    """The plan of a choice, which is said and written down before it is run."""
    for line in choice_lines(choice, terminal_width(sys.stderr)):
        note(line)
    return declare_choice(store, choice).plan if choice.runs else choice.plan


def print_plan(plan: Plan, conditions: Conditions, data: Path, choice: Choice | None, *, as_json: bool) -> None:
    """What would run and how long, and how it was chosen, on stdout."""
    if as_json:
        echo_json(plan_fields(plan, conditions, data) | ({"choice": choice_fields(choice)} if choice else {}))
        return
    for line in plan_lines(plan, conditions, data):
        say(line)
    if choice:
        say("")
        for line in choice_lines(choice, terminal_width(sys.stdout)):
            say(line)
