"""`bench data`: datasets, what is known of them and what is prepared."""

from typing import TYPE_CHECKING, Any

import click

from benchmark.options import FilePath, echo_json, json_option, note

if TYPE_CHECKING:
    from pathlib import Path

    from protocols.datasets import DatasetInfo


@click.group("data", short_help="List, prepare, adopt and verify datasets.")
def command() -> None:
    """Datasets, with licence and citation. What a package embeds (ELPV) prepares itself at first use."""


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """One line a dataset: known ones, then those that were adopted."""
    from benchmark.settings import folders
    from protocols import datasets, prepare

    data = folders().data
    known, broken = datasets.discover()
    for name, reason in broken.items():
        note(f"plug-in {name} is left out: {reason}")
    names = [*known, *(name for name in prepare.prepared(data) if name not in known)]
    rows = [
        {
            "name": name,
            "state": prepare.state(data, name),
            "title": known[name].title if name in known else "adopted",
            "source": known[name].source if name in known else None,
            "licence": known[name].licence if name in known else None,
        }
        for name in names
    ]
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        click.echo(
            f"{row['name']:14} {row['state']:9} {row['title']}" + (f"; {row['source']}" if row["source"] else "")
        )


@command.command("show")
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Counts of NAME beside the published ones, fingerprint, licence and citation."""
    from benchmark.settings import folders
    from protocols import datasets, prepare

    data = folders().data
    info = datasets.find(name)
    state = prepare.state(data, name)
    if info is None and state == "absent":
        prepare.open_dataset(data, name)
    opened = prepare.open_dataset(data, name, notify=note) if state in {"ready", "embedded"} else None
    facts: dict[str, Any] = {
        "name": name,
        "state": "ready" if opened else state,
        "fingerprint": opened.fingerprint if opened else None,
        "counts": _counts(opened) if opened else None,
        "published": _published(info) if info else None,
    }
    if as_json:
        echo_json(facts)
        return
    for key, value in facts.items():
        click.echo(f"{key:12} {value}")
    if info:
        click.echo(f"{'licence':12} {info.licence}\n{'citation':12} {info.citation}\n{'source':12} {info.source}")


@command.command("prepare")
@click.argument("name")
@click.option("--source", type=FilePath(), help="Folder of the raw release.")
def prepare_(name: str, source: "Path | None") -> None:
    """Prepare dataset NAME from its raw release."""
    from benchmark.settings import folders
    from protocols import prepare

    opened = prepare.prepare(folders().data, name, source)
    click.echo(f"{name}: {len(opened.rows)} images in {opened.folder}")


@command.command("adopt")
@click.argument("folder", type=FilePath())
@click.option("--name", required=True, help="Id of the dataset, lower snake case.")
def adopt(folder: "Path", name: str) -> None:
    """Take FOLDER, in the layout of MVTec AD, as dataset NAME: train/good, test/good, test/CLASS."""
    from benchmark.settings import folders
    from protocols import prepare

    opened = prepare.adopt(folder, name, folders().data)
    click.echo(f"{name}: {len(opened.rows)} images, anomaly classes {', '.join(opened.labels)}")


@command.command("verify")
@click.argument("name")
@click.pass_context
def verify(ctx: click.Context, name: str) -> None:
    """Hash and decode every image of NAME; exit status 1 where one differs from the manifest."""
    from benchmark.settings import folders
    from protocols import prepare
    from protocols.verify import differences

    opened = prepare.open_dataset(folders().data, name, notify=note)
    found = differences(opened)
    for line in found:
        click.echo(line)
    click.echo(f"{name}: {len(opened.rows)} images, {len(found)} differences")
    ctx.exit(1 if found else 0)


@command.command("path")
@click.argument("name")
def path(name: str) -> None:
    """Print the folder of a prepared dataset."""
    from benchmark.settings import folders
    from protocols import prepare

    click.echo(prepare.open_dataset(folders().data, name, notify=note).folder)


def _counts(dataset: Any) -> dict[str, dict[str, int]]:
    """Images by class: normals after the seedless draw, anomalies under `test`."""
    from protocols.options import Options
    from protocols.steps import Request, normals

    train, test = normals(Request(dataset, split_seed=0, options=Options()))
    anomalies = {label: sum(row.label == label for row in dataset.rows) for label in dataset.labels}
    return {
        "normal": {"train": len(train), "test": len(test)},
        **{label: {"train": 0, "test": count} for label, count in anomalies.items()},
    }


def _published(info: "DatasetInfo") -> dict[str, int] | None:
    from dataclasses import asdict

    return asdict(info.published) if info.published else None
