"""`bench splits`: the four lists of a split."""

from typing import Any

import click

from benchmark.errors import BenchError
from benchmark.options import echo_json, json_option, note


@click.group("splits", short_help="Show splits.")
def command() -> None:
    """Show which images a split trains and tests on; anybody can draw the same lists from the published rule."""


@command.command("show")
@click.option("--protocol", "--rule", "rule", required=True, help="The rule: general or hard.")
@click.option("--dataset", required=True)
@click.option("--known-class", help="The class seen in training (hard).")
@click.option("--shots", type=click.IntRange(min=1), default=10, show_default=True, help="Labelled anomalies.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--split", "options", multiple=True, metavar="OPTION=VALUE", help="A split option; repeatable.")
@click.option("--deduplicate", is_flag=True, help="Short for --split deduplicate=true.")
@json_option
def show(
    rule: str,
    dataset: str,
    known_class: str | None,
    shots: int,
    seed: int,
    options: tuple[str, ...],
    deduplicate: bool,
    as_json: bool,
) -> None:
    """The lists and fingerprints of one split."""
    from benchmark.settings import folders
    from protocols import prepare
    from protocols.split import draw

    opened = prepare.open_dataset(folders().data, dataset, notify=note)
    split = draw(
        opened,
        rule,
        split_seed=seed,
        known_class=known_class,
        shots=shots,
        options=parse_options(options, deduplicate=deduplicate),
    )
    lists = {name: getattr(split, name) for name in split.fingerprints}
    if as_json:
        echo_json(
            {
                "dataset": dataset,
                "protocol": rule,
                "known_class": known_class,
                "shots": shots,
                "seed": seed,
                "options": dict(split.options),
                "dataset_fingerprint": split.dataset_fingerprint,
                "fingerprint": split.fingerprint,
                "fingerprints": dict(split.fingerprints),
                **lists,
            }
        )
        return
    click.echo(f"fingerprint    {split.fingerprint}")
    for name, ids in lists.items():
        click.echo(
            f"{name:14} {len(ids):6}  {split.fingerprints[name][:16]}  {', '.join(ids[:3])}{' ...' if ids[3:] else ''}"
        )


def parse_options(assignments: tuple[str, ...], *, deduplicate: bool) -> dict[str, Any]:
    """`OPTION=VALUE` texts as a mapping; the value is TOML, a bare word is a text.

    Raises:
        BenchError: an assignment has no `=`.
    """
    import tomllib

    options: dict[str, Any] = {"deduplicate": True} if deduplicate else {}
    for assignment in assignments:
        name, found, value = assignment.partition("=")
        if not (found and name.strip() and value.strip()):
            raise BenchError(f"--split {assignment}: give it as OPTION=VALUE, such as --split limit_test=100")
        try:
            options[name.strip()] = tomllib.loads(f"v = {value}")["v"]
        except tomllib.TOMLDecodeError:
            options[name.strip()] = value.strip()
        if not isinstance(options[name.strip()], str | int | float | bool):
            raise BenchError(f"--split {assignment}: an option takes one value, such as --split limit_test=100")
    return options
