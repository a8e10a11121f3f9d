"""`bench methods`: detectors, their recipes and hyper-parameters; a new one, and the checks that each must pass."""

import shlex
from typing import TYPE_CHECKING

import click

from benchmark.terminal.completion import complete_methods
from benchmark.terminal.options import (
    FilePath,
    each_once,
    echo_json,
    json_option,
    note,
    package_folder_option,
    put,
    say,
    say_page,
)

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark.terminal.checklist import CheckOutcome
    from methods.checks import BatteryCheck
    from methods.registry.info import MethodInfo
    from protocols.values import ParamValue


LARGEST_CHECKED = 4096
"""Pixels of a side: larger images of the battery would fill the memory."""


@click.group("methods", short_help="List detectors; show their hyper-parameters and sources; write and check your own.")
def command() -> None:
    """Detectors and variants, with every hyper-parameter, its value in each recipe, and where that comes from."""


@command.command("list")
@json_option
def _list_methods(as_json: bool) -> None:
    """One line a method."""
    from methods.registry import installed
    from methods.registry.params import RECIPES

    infos = installed.methods()
    for name, reason in installed.broken().items():
        note(f"plug-in {name} is left out: {reason}")
    if as_json:
        echo_json(
            [
                {
                    "name": info.id,
                    "title": info.title,
                    "detector": info.detector_id,
                    "version": info.version,
                    "recipes": list(RECIPES),
                    "variant_of": info.variant_of,
                    "rules": list(info.rules),
                    "assumed": info.assumed,
                    "summary": info.summary,
                }
                for info in infos.values()
            ]
        )
        return
    for info in infos.values():
        kind = f"variant of {info.variant_of}" if info.variant_of else f"version {info.version}"
        say(f"{info.id:12} {kind:18} {', '.join(info.rules)}")
        say(f"             {info.summary}")


@command.command("show")
@click.argument("method", shell_complete=complete_methods)
@json_option
def _show_method(method: str, as_json: bool) -> None:
    """Hyper-parameters of METHOD: official, paper, quick, then source, difference and note."""
    from methods.registry import installed
    from methods.registry.params import RECIPES, shown

    info = installed.get(method)
    if as_json:
        echo_json(
            {
                "id": info.id,
                "version": info.version,
                "citation": info.citation,
                "packages": dict(info.packages),
                "overrides": dict(info.overrides),
                "history": dict(info.history),
                "params": {
                    name: {
                        **{recipe: param.value(recipe) for recipe in RECIPES},
                        "allowed": param.expected,
                        "source": param.source,
                        "only_where": param.only_where,
                        "diff": param.diff,
                        "assumption": param.assumption,
                        "note": param.note,
                    }
                    for name, param in info.params.items()
                },
            }
        )
        return
    say(f"{info.title}, version {info.version}: {info.summary}")
    say(info.citation)
    say("")
    for package, requirement in info.packages.items():
        say(f"needs the package {package}: pip install '{requirement}'")
    for name, value in info.overrides.items():
        say(f"this variant sets {name} = {shown(value)}")
    for name, param in info.params.items():
        values = ", ".join(f"{recipe} {shown(param.value(recipe))}" for recipe in RECIPES)
        if len({param.value(recipe) for recipe in RECIPES}) == 1:
            values = shown(param.value("official"))
        tags = "; ".join(filter(None, [param.source, param.diff, "assumption" if param.assumption else None]))
        condition = "".join(
            f", only where {switch} is {' or '.join(map(shown, values))}" for switch, values in param.only_where.items()
        )
        say(f"{name}: {values}")
        say(f"    {param.expected}{condition} [{tags}]")
        if param.note:
            say(f"    {param.note}")
    if any(param.diff or "spec " in param.source for param in info.params.values()):
        say("ids such as D7 and sections such as spec 1.12: docs/facts.md")
    for name, meaning in info.history.items():
        say(f"history {name}: {meaning}")
    for dataset, block in info.datasets.items():
        say(f"on {dataset}: " + ", ".join(f"{name} = {shown(value)}" for name, value in block.items()))


@command.command("new")
@click.argument("name")
@package_folder_option
def _write_method(name: str, output: "Path | None") -> None:
    """Write a package with a method NAME of your own: recipe, detector, test, pyproject, README.

    The detector is a small one that trains, so that everything runs before you change it. NAME is its id, in lower
    snake case.
    """
    from benchmark.errors import BenchError
    from benchmark.scaffolds.packages import check_new_name, write_package
    from methods.registry import installed

    check_new_name(name, "method")
    known = installed.methods()
    if name in known or installed.trouble(name):
        origin = known[name].origin if name in known else "a plug-in that cannot be used"
        raise BenchError(f"there is a method '{name}' already ({origin}): choose another name")
    folder = write_package("method", name, output)
    say(f"{folder}: a package with the method {name}")
    say(f"next: pip install -e {shlex.quote(str(folder))}")
    say(f"then: bench methods check {name}")


@command.command("check")
@click.argument("methods", nargs=-1, required=True, metavar="METHOD...", shell_complete=complete_methods)
@click.option("--recipe", default="quick", show_default=True, help="The recipe whose hyper-parameters are checked.")
@click.option(
    "--set", "settings", multiple=True, metavar="METHOD.PARAM=VALUE", help="Another hyper-parameter; repeatable."
)
@click.option(
    "--size",
    type=click.IntRange(8, LARGEST_CHECKED),
    default=32,
    show_default=True,
    help="Side of the images in pixels.",
)
@json_option
@click.pass_context
def _check_methods(
    ctx: click.Context, methods: tuple[str, ...], recipe: str, settings: tuple[str, ...], size: int, as_json: bool
) -> None:
    """Run the battery on each METHOD: what every detector must hold, a line a check; exit status 1 where one fails.

    Each check fits the detector on a dozen made-up images with random weights, on the processor, with one epoch or two
    steps where budget.epochs or budget.steps are hyper-parameters.
    """
    from benchmark.terminal.checklist import check_outcomes, outcome_rows, print_outcomes
    from methods.checks import CheckError
    from methods.errors import MethodError
    from methods.registry import installed
    from protocols.text import near_miss

    listed: dict[str, list[CheckOutcome]] = {}
    infos = {name: installed.get(name) for name in methods if not installed.trouble(name)}
    overrides = _overrides(settings)
    for name in overrides:
        if name not in methods:
            raise click.UsageError(f"--set names {name}, which is not checked: {near_miss(name, methods)}")
    batteries = {
        name: _battery(name, infos.get(name), recipe, overrides.get(name, {}), size) for name in dict.fromkeys(methods)
    }
    sound = []
    for name, checks in batteries.items():
        if checks is None:
            sound.append(False)
            continue
        info = infos[name]
        outcomes = check_outcomes(checks, (CheckError, MethodError), info.package)
        if as_json:
            listed[name] = list(outcomes)
            sound.append(all(outcome.outcome == "holds" for outcome in listed[name]))
        else:
            say(f"{name}, version {info.version}, recipe {recipe}")
            repair = f": change {info.module}, then repeat bench methods check {name}"
            sound.append(print_outcomes(name, outcomes, repair))
    if as_json:
        echo_json({name: outcome_rows(outcomes) for name, outcomes in listed.items()})
    ctx.exit(0 if all(sound) else 1)


def _overrides(settings: tuple[str, ...]) -> "dict[str, dict[str, ParamValue]]":
    """Hyper-parameters by method, from texts `METHOD.PARAM=VALUE`."""
    from methods.registry.recipe import parse_assignment

    parsed = [parse_assignment(text) for text in settings]
    values = each_once("--set", ((f"{method}.{name}", value) for method, name, value in parsed))
    overrides: dict[str, dict[str, ParamValue]] = {}
    for method, name, _ in parsed:
        overrides.setdefault(method, {})[name] = values[f"{method}.{name}"]
    return overrides


def _battery(
    name: str, info: "MethodInfo | None", recipe: str, overrides: "dict[str, ParamValue]", size: int
) -> "tuple[BatteryCheck, ...] | None":
    """The checks of a method; None where it cannot be loaded, which is said in one sentence."""
    from methods.errors import MethodError
    from methods.registry import installed

    again = f"then repeat bench methods check {name}"
    if info is None:
        note(f"{installed.trouble(name)}; repair that package or pip uninstall it, {again}")
        return None
    try:
        installed.load(info)
    except MethodError as error:
        note(f"{error}; {again}" if info.lacking() else f"{error}; repair it, {again}")
        return None
    from methods.checks import battery

    return battery(info, overrides=overrides, size=size, recipe=recipe)


@command.command("page")
@click.argument("method", shell_complete=complete_methods)
@click.option(
    "--results",
    type=FilePath(),
    multiple=True,
    metavar="DIR",
    help="Results folder; repeatable; 'reference' is the packaged index.",
)
@click.option("--output", type=FilePath(dir_okay=False), metavar="FILE", help="Write to FILE.")
def _print_page(method: str, results: "tuple[Path, ...]", output: "Path | None") -> None:
    """Print all that is known of METHOD in Markdown: idea, recipe, sources, history, measured cells, commands."""
    from benchmark.views.pages.detectors import DetectorPages
    from benchmark.views.records import load_records
    from methods.registry import installed

    info = installed.get(method)
    put(DetectorPages(installed.methods(), load_records(results, note)).page(info), output)


@command.command("sizes")
def _print_sizes() -> None:
    """Count the parameters of networks whose size papers print; in JSON, by table and printed method."""
    from benchmark.views.tables.fact_tables import count_networks, sized_tables

    echo_json({table.id: count_networks(table, note) for table in sized_tables()})


@command.command("fidelity")
def _print_fidelity() -> None:
    """Print the page on fidelity: every choice that papers and released code leave open, in Markdown."""
    from benchmark.views.fidelity import fidelity_page
    from methods.registry import installed
    from protocols.datasets.registry import dataset_infos
    from protocols.splits.draw import options

    say_page(fidelity_page(installed.methods().values(), options.OPTION_DESCRIPTIONS, dataset_infos().values()))
