"""From a suite and a selection to runs with keys: cached, missing, failed before, or blocked and why."""

from collections.abc import Callable

from benchmark.errors import BenchError
from benchmark.names import near
from benchmark.planned import Plan, PlannedRun, Request
from benchmark.planner import Planner
from benchmark.resources import Resources
from benchmark.settings import Folders
from benchmark.suite import Selection, Suite, expand, parts
from methods.params import RECIPES
from results.store import Store


def plan(
    suite: Suite,
    selection: Selection,
    request: Request,
    *,
    folders: Folders,
    store: Store,
    notify: Callable[[str], None] | None = None,
) -> Plan:
    """Resolve every wanted run to its key and look it up in `store`. Loads neither torch nor any image.

    Raises:
        BenchError: a selected method, dataset, class or recipe does not exist, or nothing is left.
        DataError: a selected share of labelled anomalies is none.
        MethodError: `--set` names no parameter, or a value that it cannot have.
    """
    recipe = request.recipe or suite.recipe
    if recipe not in RECIPES:
        raise BenchError(f"unknown recipe '{recipe}'{near(recipe, RECIPES)}")
    resources = Resources(folders, tuple(request.weights), quick=recipe == "quick", notify=notify)
    runs = [
        planned
        for part, own in parts(suite, selection)
        for planned in _planned(Planner(part, recipe, request, resources, store), own)
    ]
    return Plan(suite=suite, recipe=recipe, runs=tuple(runs))


def _planned(planner: Planner, selection: Selection) -> list[PlannedRun]:
    planner.check_names(selection)
    suite = planner.suite
    wanted = expand(
        suite,
        selection,
        without_anomalies=planner.without_anomalies(),
        classes={name: planner.classes(name) for name in selection.datasets or ()},
    )
    if not wanted:
        raise BenchError(
            f"the selection leaves nothing of suite {suite.id}, whose rule is '{suite.rule}': leave out a filter"
            + (", or take suite general for a dataset with one anomaly class" if suite.rule == "hard" else "")
        )
    return [planner.planned(item) for item in wanted]
