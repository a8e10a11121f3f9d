"""`bench weights`: which ImageNet weights are found, and where."""

import click

from benchmark.terminal.options import echo_json, json_option, say


@click.group("weights", short_help="List the ImageNet weights that are found; fetch the genuine ones.")
def command() -> None:
    """Weights come from BENCH_WEIGHTS (a file or folder) or the torch hub cache; nothing downloads by itself."""


@command.command("list")
@json_option
def _list_weights(as_json: bool) -> None:
    """Every file that was found: what it is, or why it cannot be used."""
    from benchmark.paths import resolve_folders
    from methods.backbones import find
    from methods.backbones.table import BACKBONES

    folders = resolve_folders()
    files = find.listing(env=folders.weights, hub_dir=folders.hub, cache_dir=folders.cache)
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
                for item in files
            ]
        )
        return
    for item in files:
        what = f"{item.weights.arch} {item.weights.label}" if item.weights else f"not usable: {item.problem}"
        say(f"{item.source}: {item.path}: {what}")
    for arch, row in BACKBONES.items():
        if not any(item.weights and item.weights.arch == arch for item in files):
            text = "none; bench weights fetch {0} downloads the genuine file ({1.mebibytes:.0f} MiB)"
            say(f"{arch}: {text.format(arch, row.genuine[0]) if row.genuine else 'none'}")


@command.command("fetch")
@click.argument("arch")
def _fetch_weights(arch: str) -> None:
    """Download the genuine file of ARCH into the torch hub cache and check its digest."""
    from benchmark.paths import resolve_folders
    from benchmark.terminal.progress import show_counts
    from methods.backbones.fetch import fetch as download

    with show_counts() as progress:
        path = download(arch, resolve_folders().hub, progress=lambda done, total: progress(arch, done, total))
    say(str(path))
