"""What must stay while code is only moved, as files: `python tests/support/freeze.py FOLDER`.

Run it before and after a change that should alter no behaviour, and compare the two folders with `diff -r`. It writes
the packaged tables and figures in all formats, the texts of help, lists of methods and datasets, and for each suite, on
made-up manifests, the splits and the keys of all runs. Scores are the golden test's business.
"""

import hashlib
import json
import os
import sys
import tempfile
from itertools import product
from pathlib import Path

import click
from click.testing import CliRunner

from benchmark.cli import bench
from benchmark.paths import resolve_folders
from benchmark.planning.plan import plan
from benchmark.planning.suite import Selection, load_suite, suite_names
from benchmark.planning.types import RunRequest
from methods.registry import installed
from protocols.datasets import manifest
from protocols.datasets.manifest import Row
from protocols.datasets.registry import dataset_infos
from results.spec import FitSpec
from results.store import Store

TABLES = ["dra:1", "dra:2", "dra:3", "dra:4", "dra:5", "dra:7", "dra:8", "dra:9"]
TABLES += ["agad:1", "agad:2", "agad:3", "agad:4", "agad:5", "agad:8", "agad:9"]
TABLES += ["ahl:4", "ahl:7", "ahl:8", "csi_gan:1", "csi_gan:ablation", "qsco:4", "qsco:5"]
FIGURES = ["dra:3", "dra:5", "agad:4"]
FORMATS = ["md", "latex", "html", "csv", "json"]
MOST = 24
"""Images of one label in a made-up dataset; enough for every draw."""


def main(folder: Path) -> None:
    (folder / "tables").mkdir(parents=True)
    (folder / "plans").mkdir()
    write(folder / "help.txt", "".join(help_texts(bench, ["bench"])))
    for table, form in product(TABLES, FORMATS):
        write(folder / "tables" / f"{table}.{form}", said(["report", "--table", table, "--format", form, *REFERENCE]))
    for figure, form in product(FIGURES, ("csv", "json")):
        write(
            folder / "tables" / f"{figure}.figure.{form}",
            said(["report", "--figure", figure, "--format", form, *REFERENCE]),
        )
    for against in ("published", "reference"):
        write(folder / "tables" / f"check.{against}.txt", said(["check", "--against", against, *REFERENCE]))
    for name in sorted(installed.methods()):
        write(folder / "plans" / f"method.{name}.json", said(["methods", "show", name, "--json"]))
    write(folder / "methods.json", said(["methods", "list", "--json"]))
    write(folder / "datasets.json", said(["data", "list", "--json"]))
    write(folder / "fidelity.md", said(["methods", "fidelity"]))
    with tempfile.TemporaryDirectory() as scratch:
        os.environ |= {
            "BENCH_DATA": f"{scratch}/data",
            "BENCH_CACHE": f"{scratch}/cache",
            "BENCH_RESULTS": f"{scratch}/runs",
        }
        fingerprints = {name: made_up(name, Path(scratch, "data")) for name in sorted(dataset_infos())}
        write(folder / "manifests.json", json.dumps(fingerprints, indent=1))
        for suite in sorted(suite_names()):
            for precision in ("fp32", "bf16"):
                write(folder / "plans" / f"{suite}.{precision}.txt", "".join(planned(suite, precision)))


REFERENCE = ["--results", "reference"]


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def said(args: list[str]) -> str:
    """What `bench ARGS` prints, its messages and its exit status."""
    done = CliRunner().invoke(bench, args)
    problem = f"{type(done.exception).__name__}: {done.exception}\n" if done.exception else ""
    return f"{done.stdout}\n-- {done.stderr}{problem}"


def help_texts(command: click.Command, path: list[str]) -> list[str]:
    context = click.Context(command, info_name=path[-1], terminal_width=100)
    texts = [f"## {' '.join(path)}\n\n{command.get_help(context)}\n\n"]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if inner := command.get_command(context, name):
                texts += help_texts(inner, [*path, name])
    return texts


def made_up(name: str, data: Path) -> str:
    """A manifest with every label of the release of `name`; returns its fingerprint."""
    info = dataset_infos()[name]
    counts = dict(info.releases[""][0].counts) if "" in info.releases else {}
    labels = {key.rpartition("/")[2] for key in counts}
    for label in () if info.kind == "classes" else ("normal", *info.known_classes):
        if label not in labels:
            counts[label] = MOST
    rows = []
    for key, count in sorted(counts.items()):
        split, _, label = key.rpartition("/")
        classes = info.normal_classes if label == "*" else [label]
        rows += [row(name, each, split, number) for each in classes for number in range(min(count, MOST))]
    folder = data / name
    folder.mkdir(parents=True)
    made = manifest.assemble_dataset(name, folder, {each.id: each for each in rows}.values())
    manifest.write_manifest(made, folder)
    return made.fingerprint


def row(name: str, label: str, split: str, number: int) -> Row:
    id_ = "/".join(filter(None, (split, label, f"{number:03d}.png")))
    return Row(id_, id_, label, split, hashlib.sha256(f"{name}/{id_}".encode()).hexdigest(), 32, 32, 1)


def planned(suite: str, precision: str) -> list[str]:
    """One line a run of `suite`: its state, keys, series and the fingerprints of its split."""
    request = RunRequest(precision=precision, weights=("random",), recipe="quick")
    places = resolve_folders(None)
    store = Store(places.results)
    whole = plan(load_suite(suite), Selection(), request, folders=places, store=store)
    lines = []
    for run in whole.runs:
        if run.spec is None or run.split is None:
            lines.append(f"{run.state} {run.reason}\n")
            continue
        spec, split = run.spec, run.split
        lists = (split.train_normal, split.train_anomaly, split.test_normal, split.test_anomaly)
        ids = hashlib.sha256(json.dumps(lists).encode()).hexdigest()[:16]
        fit: FitSpec = spec.fit
        lines.append(f"{spec.name} {spec.key} {fit.fit_key} {spec.series} {split.fingerprint} {ids} {run.state}\n")
    return lines


if __name__ == "__main__":
    main(Path(sys.argv[1]))
