"""From a suite and a selection to runs with keys: cached, missing, failed before, or blocked and why."""

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

from benchmark.errors import BenchError
from benchmark.paths import Folders
from benchmark.planning.inputs.resources import Resources
from benchmark.planning.planner import Planner
from benchmark.planning.suite import Selection, Suite, expand_suite, suite_parts
from benchmark.planning.types import Plan, PlannedRun, RunRequest
from methods.registry import installed
from methods.registry.params import RECIPES
from protocols.errors import DataError
from protocols.splits import rules
from protocols.splits.draw import options
from protocols.text import near_miss
from results.store import Store


def plan(
    suite: Suite,
    selection: Selection,
    request: RunRequest,
    *,
    folders: Folders,
    store: Store,
    notify: Callable[[str], None] | None = None,
) -> Plan:
    """Resolve every wanted run to its key and look it up in `store`. Loads neither torch nor any image.

    Raises:
        BenchError: a selected method, dataset, class or recipe does not exist, or nothing is left.
        DataError: a selected share of labelled anomalies is none, or a split option cannot be.
        MethodError: `--set` names no parameter, or a value that it cannot have; or `--weights` or BENCH_WEIGHTS names
            nothing that can be used.
    """
    recipe = suite.recipe if request.recipe is None else request.recipe
    if recipe not in RECIPES:
        raise BenchError(f"unknown recipe '{recipe}': {near_miss(recipe, RECIPES)}")
    together = suite_parts(suite, selection)
    _check_sets(request, {name for part, part_selection in together for name in part_selection.methods or part.methods})
    _check_split_options(request, [part.rule for part, _ in together])
    resources = Resources(folders, tuple(request.weights), quick=recipe == "quick", notify=notify)
    resources.check_weights()
    runs = [
        planned
        for part, part_selection in together
        for setting, setting_selection in _settings(request, part, part_selection)
        for planned in _planned(Planner(part, recipe, setting, resources, store), setting_selection)
    ]
    return Plan(suite=suite, recipe=recipe, runs=tuple(runs), audit=request.audit, is_swept=bool(request.sweeps))


def _settings(request: RunRequest, part: Suite, selection: Selection) -> Iterator[tuple[RunRequest, Selection]]:
    """The request itself, then for each method with a sweep one for every further setting, of what it changes."""
    yield request, selection
    asked = selection.methods or part.methods
    for method, several in request.sweeps.items():
        changed = tuple(name for name in asked if name == method or _takes_from_base(name, method, several))
        if changed:
            for values in itertools.islice(itertools.product(*several.values()), 1, None):
                params = {**request.sets[method], **dict(zip(several, values, strict=True))}
                yield replace(request, sets={**request.sets, method: params}), replace(selection, methods=changed)


def _takes_from_base(method: str, base: str, names: Collection[str]) -> bool:
    """Whether a method starts from a fit of `base` that any of these parameters changes."""
    info = installed.methods().get(method)
    return (
        info is not None and info.base is not None and info.base.method == base and not {*names} <= {*info.base.shared}
    )


def _check_sets(request: RunRequest, methods: Collection[str]) -> None:
    """Refuse to set parameters of a method that is none of those to be run, nor the base of one that takes them.

    Raises BenchError, MethodError.
    """
    infos = installed.methods()
    for name, params in request.sets.items():
        if name in methods:
            continue
        based = {method: base for method in sorted(methods) if method in infos and (base := infos[method].base)}
        based = {method: base for method, base in based.items() if base.method == name}
        if not based:
            installed.get(name)
            raise BenchError(f"--set {name}...: no run of {name} is asked for: leave it out, or add it to --method")
        for param, value in params.items():
            givers = [method for method, base in based.items() if param in base.shared]
            is_given = all(request.sets.get(method, {}).get(param) == value for method in givers)
            if len(givers) == len(based) and (param in request.sweeps.get(name, {}) or not is_given):
                instead = " ".join(f"--set {method}.{param}=VALUE" for method in givers)
                raise BenchError(
                    f"--set {name}.{param} changes nothing: the fit of {name} takes it from {' and '.join(givers)}; "
                    f"give {instead}"
                )


def _check_split_options(request: RunRequest, rules_asked: Sequence[str]) -> None:
    """Refuse split options that none of the rules has, or in other values; raises DataError."""
    refused: list[DataError] = []
    for rule in rules_asked:
        try:
            options.parse_split_options(request.split_options, rules.find_rule(rule).OPTIONS, rule, options.Options())
        except DataError as error:
            refused.append(error)
    if len(refused) == len(rules_asked):
        raise refused[0]


def _planned(planner: Planner, selection: Selection) -> list[PlannedRun]:
    planner.check_names(selection)
    suite = planner.suite
    runs = expand_suite(
        suite,
        selection,
        without_anomalies=planner.without_anomalies(),
        classes={name: planner.classes(name) for name in selection.datasets or suite.datasets},
    )
    if not runs:
        raise BenchError(
            f"the selection leaves nothing of suite {suite.id}, whose rule is '{suite.rule}': leave out a filter"
            + (", or take suite general for a dataset with one anomaly class" if suite.rule == "hard" else "")
        )
    return [planner.planned(item) for item in runs]
