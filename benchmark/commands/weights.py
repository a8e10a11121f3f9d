"""`bench weights`: which ImageNet weights are found, and where."""

import click

from benchmark.terminal.options import echo_json, json_option, say


@click.group("weights", short_help="List the ImageNet weights that are found; fetch the genuine ones.")
def command() -> None:
    """Weights come from BENCH_WEIGHTS (a file or folder) or the torch hub cache; nothing downloads by itself."""


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Every file that was found: what it is, or why it cannot be used."""
    from benchmark.paths import folders
    from methods.backbones import find
    from methods.backbones.table import BACKBONES

    places = folders()
    found = find.listing(env=places.weights, hub_dir=places.hub, cache_dir=places.cache)
    if as_json:
        echo_json(
            [
                {
                    "arch": item.weights.arch if item.weights else None,
                    "label": item.weights.label if item.weights else None,
                    "digest": item.weights.digest if item.weights else None,
                    "path": str(item.path),
                    "source": item.source,
                    "problem": item.problem,
                }
                for item in found
            ]
        )
        return
    for item in found:
        what = f"{item.weights.arch} {item.weights.label}" if item.weights else f"not usable: {item.problem}"
        say(f"{item.source}: {item.path}: {what}")
    for arch, row in BACKBONES.items():
        if not any(item.weights and item.weights.arch == arch for item in found):
            text = "none; bench weights fetch {0} downloads the genuine file ({1.mebibytes:.0f} MiB)"
            say(f"{arch}: {text.format(arch, row.genuine[0]) if row.genuine else 'none'}")


@command.command("fetch")
@click.argument("arch")
def fetch(arch: str) -> None:
    """Download the genuine file of ARCH into the torch hub cache and check its digest."""
    from benchmark.paths import folders
    from methods.backbones.fetch import fetch as download

    say(str(download(arch, folders().hub)))
