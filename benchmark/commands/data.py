"""`bench data`: datasets, what is known of them and what is prepared; a new one, and the checks that each must pass."""

import shlex
from typing import TYPE_CHECKING

import click

from benchmark.terminal.completion import complete_datasets
from benchmark.terminal.options import FilePath, echo_json, json_option, note, package_folder_option, say
from protocols.text import plural

if TYPE_CHECKING:
    from pathlib import Path

    from protocols.datasets.manifest import Dataset

_jobs = click.option("--jobs", type=click.IntRange(1), help="Threads (default: the cores, at most eight).")
_near = click.option("--near", is_flag=True, help="Look for images that are alike too, by a perceptual hash.")


@click.group("data", short_help="List, prepare, adopt and verify datasets; write and check your own.")
def command() -> None:
    """Datasets, with licence and citation. What a package embeds (ELPV) prepares itself at first use."""


@command.command("list")
@json_option
def _list_datasets(as_json: bool) -> None:
    """Known datasets, then variants and those that were adopted; counts stand beside the published."""
    from benchmark.paths import resolve_folders
    from benchmark.views.datasets import dataset_row
    from protocols.catalogue import data_folder
    from protocols.datasets.registry import discover_datasets

    data = resolve_folders().data
    infos, broken = discover_datasets()
    for name, reason in broken.items():
        note(f"plug-in {name} is left out: {reason}")
    rows = [
        dataset_row(data, name)
        for name in [*infos, *(name for name in data_folder.prepared(data) if name not in infos)]
    ]
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        numbers = [
            f"{'/'.join(map(str, row[key].values()))} {'measured' if key == 'counts' else 'published'}"
            for key in ("counts", "published")
            if row[key]
        ]
        say(f"{row['name']:14} {row['state']:9} {'; '.join([row['title'], *numbers])}")
        about = [part for part in (row["size"], row["licence"], row["source"]) if part]
        if about:
            say(f"{'':25}{'; '.join(about)}")


@command.command("show")
@click.argument("name")
@_near
@_jobs
@json_option
def _show_dataset(name: str, near: bool, jobs: int | None, as_json: bool) -> None:
    """Counts of NAME beside the published ones, equal images, fingerprint, licence and citation."""
    from benchmark.paths import resolve_folders
    from benchmark.views.datasets import dataset_facts, fact_lines
    from protocols.catalogue import data_folder
    from protocols.splits import leakage

    data = resolve_folders().data
    state = data_folder.dataset_state(data, name)
    if state == "absent":
        data_folder.known_target(name, data)
    opened = data_folder.open_dataset(data, name, notify=note) if state in {"ready", "embedded"} else None
    facts = dataset_facts(data, name, opened, leakage.duplicate_groups(opened) if opened else None)
    if near and opened:
        facts["near_duplicates"] = [list(group) for group in _near_duplicates(opened, jobs)]
    if as_json:
        echo_json(facts)
        return
    for line in fact_lines(facts):
        say(line)


@command.command("prepare")
@click.argument("name", shell_complete=complete_datasets)
@click.option("--source", type=FilePath(), help="The raw release: its folder, its archive, or a folder of archives.")
@click.option("--download", is_flag=True, help="Fetch the release, where it is free to fetch.")
@_jobs
def _prepare_dataset(name: str, source: "Path | None", download: bool, jobs: int | None) -> None:
    """Prepare NAME: a dataset, a variant such as brain_mri@released_loader, or a family such as mvtec_ad.

    The release stays as it is; images that do not change are linked to, so keep a folder that you give as the source.
    """
    from benchmark.paths import resolve_folders
    from benchmark.terminal.progress import show_counts
    from benchmark.views.datasets import counts_text
    from protocols.catalogue import data_folder

    if source is not None and download:
        raise click.UsageError("give --source or --download, not both")
    with show_counts() as progress:
        datasets = data_folder.prepare_all(
            resolve_folders().data, name, source, download=download, jobs=jobs, notify=note, progress=progress
        )
    for dataset in datasets:
        say(f"{dataset.name}: {len(dataset.rows)} images in {dataset.folder}: {counts_text(dataset)}")
        _note_doubts(dataset)


@command.command("adopt")
@click.argument("folder", type=FilePath())
@click.option("--name", required=True, help="Id of the dataset, lower snake case.")
@click.option("--layout", default="mvtec", show_default=True, help="mvtec or class_folders.")
@_jobs
def _adopt_folder(folder: "Path", name: str, layout: str, jobs: int | None) -> None:
    """Take FOLDER as dataset NAME; its images are linked to, wherever links in it lead.

    In the layout mvtec it holds train/good, test/good and test/CLASS; in class_folders one folder a class, `normal` or
    `good` among them. Masks (a folder ground_truth or masks, a file 000_mask.png beside 000.png) are left out.
    """
    from benchmark.paths import resolve_folders
    from benchmark.terminal.progress import show_counts
    from protocols.catalogue import data_folder

    with show_counts() as progress:
        opened = data_folder.adopt_dataset(
            folder, name, resolve_folders().data, layout=layout, jobs=jobs, notify=note, progress=progress
        )
    say(f"{name}: {len(opened.rows)} images, anomaly classes {', '.join(opened.labels)}")
    _note_doubts(opened)


@command.command("verify")
@click.argument("name", shell_complete=complete_datasets)
@_near
@_jobs
@click.pass_context
def _verify_datasets(ctx: click.Context, name: str, near: bool, jobs: int | None) -> None:
    """Hash and decode every image of NAME and count them; exit status 1 where something differs.

    What must be equal: the files and the manifest; the manifest and the release's, or its counts, sizes and modes where
    no release was at hand to hash; the counts and the published, unless the dataset declares why a whole release has
    others. Images of equal content are listed; they are no difference.
    """
    from benchmark.paths import resolve_folders
    from protocols.catalogue import data_folder

    differences = 0
    for dataset in data_folder.open_all(resolve_folders().data, name, notify=note):
        differences += _verified(dataset, near, jobs)
    ctx.exit(1 if differences else 0)


@command.command("new")
@click.argument("name")
@package_folder_option
def _write_dataset(name: str, output: "Path | None") -> None:
    """Write a package with a dataset NAME of your own: facts, preparation, test, pyproject, README.

    The preparation takes one folder a class, so that everything runs before you change it. A folder in the layout of
    MVTec AD, or of one folder a class, needs no package: bench data adopt. NAME is its id, in lower snake case.
    """
    from benchmark.errors import BenchError
    from benchmark.scaffolds.packages import check_new_name, write_package
    from protocols.datasets.registry import dataset_family, discover_datasets

    check_new_name(name, "dataset")
    infos, broken = discover_datasets()
    if name in infos or name in broken or dataset_family(name):
        raise BenchError(f"there is a dataset '{name}' already (bench data show {name}): choose another name")
    folder = write_package("dataset", name, output)
    say(f"{folder}: a package with the dataset {name}")
    say(f"next: pip install -e {shlex.quote(str(folder))}")
    say(f"then: bench data check {name} --source DIR, where DIR is the release")


@command.command("check")
@click.argument("name", shell_complete=complete_datasets)
@click.option("--source", type=FilePath(), help="The raw release: its folder, its archive, or a folder of archives.")
@_jobs
@json_option
@click.pass_context
def _check_dataset(ctx: click.Context, name: str, source: "Path | None", jobs: int | None, as_json: bool) -> None:
    """Check that dataset NAME is well-formed, a line a check; exit status 1 where one fails.

    With --source the release is prepared twice in a temporary folder, which needs the package of the dataset; without,
    what is prepared or adopted already is checked. The data folder stays as it is.
    """
    from benchmark.paths import resolve_folders
    from benchmark.terminal.checklist import check_outcomes, outcome_rows, print_outcomes
    from benchmark.terminal.progress import show_counts
    from protocols.catalogue.dataset_checks import DatasetError, dataset_checks, scratch_folder, unfilled_facts
    from protocols.datasets.registry import dataset_info, discover_datasets
    from protocols.errors import DataError

    repeated = f"repeat bench data check {name}" + (f" --source {shlex.quote(str(source))}" if source else "")
    broken = discover_datasets()[1]
    if name in broken:
        note(f"the plug-in '{name}' cannot be used: {broken[name]}; repair that package, then {repeated}")
        ctx.exit(1)
    data, info = resolve_folders().data, dataset_info(name)
    prepare = info.prepare if info and isinstance(info.prepare, str) else ""
    module = prepare.partition(":")[0]
    with scratch_folder(data) as scratch, show_counts() as progress:
        checks = dataset_checks(name, data_dir=data, source=source, scratch=scratch, jobs=jobs, progress=progress)
        outcomes = list(check_outcomes(checks, (DatasetError, DataError), module.partition(".")[0]))
    if as_json:
        echo_json({name: outcome_rows(outcomes)})
    else:
        repair = f": change {f'{module} or the facts' if module else 'the images'}, then {repeated}"
        print_outcomes(name, outcomes, repair)
    unfilled = unfilled_facts(info) if info else []
    if unfilled:
        note(f"{name}: {', '.join(unfilled)}: still to be filled in, in the file of facts")
    ctx.exit(0 if all(outcome.outcome == "holds" for outcome in outcomes) else 1)


@command.command("path")
@click.argument("name")
def _print_folder(name: str) -> None:
    """Print the folder of a prepared dataset."""
    from benchmark.paths import resolve_folders
    from protocols.catalogue import data_folder

    say(str(data_folder.open_dataset(resolve_folders().data, name, notify=note).folder))


def _verified(dataset: "Dataset", near: bool, jobs: int | None) -> int:
    """Print what verifying a dataset finds; the number of differences."""
    from benchmark.terminal.progress import show_counts
    from benchmark.views.datasets import beside_published, duplicate_lines
    from protocols.catalogue.verify import file_differences
    from protocols.datasets import manifest
    from protocols.datasets.registry import dataset_info
    from protocols.splits import leakage

    with show_counts() as progress:
        faults = file_differences(dataset, jobs=jobs, count=lambda done, total: progress(dataset.name, done, total))
    counted_differences, remarks = beside_published(dataset, dataset_info(dataset.name))
    lines = duplicate_lines(leakage.duplicate_groups(dataset), "equal content", dataset.name)
    if near and not faults:
        lines += duplicate_lines(_near_duplicates(dataset, jobs), "alike", dataset.name)
    for line in [*faults, *counted_differences, *remarks, *lines]:
        say(line)
    if not faults and manifest.seal_older_manifest(dataset.folder):
        say(f"{dataset.name}: the digest of its manifest, made by an older version, is kept from now on")
    number = len(faults) + len(counted_differences)
    say(f"{dataset.name}: {len(dataset.rows)} images, {plural(number, 'difference')}")
    return number


def _note_doubts(dataset: "Dataset") -> None:
    from protocols.catalogue import recognition
    from protocols.datasets.registry import dataset_info

    info = dataset_info(dataset.name)
    doubts = recognition.release_doubts(info, dataset) if info is not None else ()
    if doubts:
        note(recognition.doubts_sentence(dataset, doubts))


def _near_duplicates(dataset: "Dataset", jobs: int | None) -> "tuple[tuple[str, ...], ...]":
    from protocols.catalogue.near_duplicates import near_duplicates
    from protocols.io.parallel import default_jobs

    return near_duplicates(dataset, jobs or default_jobs())
