"""`bench methods`: detectors, their recipes and hyper-parameters."""

from typing import TYPE_CHECKING

import click

from benchmark.terminal.options import FilePath, echo_json, json_option, note, put, say, say_page

if TYPE_CHECKING:
    from pathlib import Path


@click.group("methods", short_help="List detectors; show their hyper-parameters and sources.")
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
@click.argument("method")
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


@command.command("page")
@click.argument("method")
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
