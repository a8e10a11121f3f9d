"""`bench splits`: the four lists of a split, what leaks across it, and the same lists for other code."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from benchmark.errors import BenchError
from benchmark.terminal.options import (
    FilePath,
    SplitCommand,
    echo_json,
    json_option,
    note,
    parse_options,
    put,
    say,
    split_choice_options,
    write_output,
)
from protocols.text import plural

if TYPE_CHECKING:
    from pathlib import Path

    from protocols.datasets.manifest import Dataset
    from protocols.splits.split import Split

SHOTS = 10
LISTED = 10


@click.group("splits", short_help="Show, verify and export splits.")
def command() -> None:
    """Show which images a split trains and tests on; anybody can draw the same lists from the published rule."""


class _OfRules(click.Option):
    """An option whose help names the rules, which are listed when a person asks for help."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        from protocols.splits.rules import rule_names

        record = super().get_help_record(ctx)
        return record and (record[0], record[1].format(rules=", ".join(rule_names())))


def split_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that name a split."""
    options = (
        click.option(
            "--protocol", "--rule", "rule", cls=_OfRules, help="The rule: {rules}. A split file may say it itself."
        ),
        click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True),
        split_choice_options,
    )
    for option in reversed(options):
        function = option(function)
    return function


@command.command("show", cls=SplitCommand)
@click.option("--dataset", help="Its dataset. A split file may say it itself.")
@split_options
@json_option
def _show_split(dataset: str | None, as_json: bool, **coordinates: Any) -> None:
    """The lists and fingerprints of one split."""
    from protocols.splits.split import split_statement

    _, split = _named_split(dataset, **coordinates)
    lists = {name: getattr(split, name) for name in split.fingerprints}
    if as_json:
        echo_json({**split_statement(split), **lists})
        return
    say(f"fingerprint    {split.fingerprint}")
    for name, ids in lists.items():
        say(f"{name:14} {len(ids):6}  {split.fingerprints[name][:16]}  {', '.join(ids[:3])}{' ...' if ids[3:] else ''}")


@command.command("verify", cls=SplitCommand)
@click.argument("datasets", nargs=-1, metavar="[DATASET]...")
@split_options
@click.option("--near", is_flag=True, help="Look for pictures that are alike, too (needs 'swanbench[audit]').")
@click.option(
    "--write", "file", type=FilePath(), metavar="FILE", help="Write the fingerprints of DATASET... into FILE, and stop."
)
@json_option
def _verify_splits(
    datasets: tuple[str, ...], near: bool, file: "Path | None", as_json: bool, **coordinates: Any
) -> int:
    """Check for leaks across a split of each DATASET, and that the papers' splits are the committed ones.

    Without DATASET: all that are prepared. Without --protocol: general with ten shots; of a set of classes, the
    release's training and test images. Leaks are part of the papers' protocols and are only reported; a fingerprint
    that is not the committed one is exit status 1.
    """
    from benchmark.paths import resolve_folders
    from protocols.catalogue import data_folder
    from protocols.splits import fingerprints

    if coordinates["split_file"] is not None:
        named = datasets[0] if datasets else None
        dataset, coordinates["rule"] = _stated(coordinates["split_file"], named, coordinates["rule"])
        datasets = datasets or (dataset,)
    names = datasets or tuple(data_folder.prepared(resolve_folders().data))
    if not names:
        raise BenchError("no dataset is prepared: name one that prepares itself, such as 'bench splits verify elpv'")
    if file is not None:
        pinned = {name: fingerprints.split_fingerprints(_opened(name)) for name in names}
        write_output(file, fingerprints.fingerprints_text(pinned))
        return 0
    findings = [_finding(_opened(name), near=near, **coordinates) for name in names]
    if as_json:
        echo_json(findings)
    else:
        for finding in findings:
            for line in _told(finding):
                say(line)
    return 1 if any(finding["differences"] for finding in findings) else 0


@command.command("export", cls=SplitCommand)
@click.option("--dataset", help="Its dataset. A split file may say it itself.")
@split_options
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "json", "croissant", "mvtec"]),
    default="csv",
    show_default=True,
    help="A list, ArcAD's JSON, a Croissant description, or folders of images in the layout of MVTec AD.",
)
@click.option("--output", type=FilePath(), metavar="PATH", help="File (csv, json; default: print) or new folder.")
@click.option("--symbolic", is_flag=True, help="Symbolic links, not copies (mvtec); anomalib passes over them.")
@click.option("--masks", is_flag=True, help="Add masks, white all over, which anomalib's loader asks for (mvtec).")
def _export_split(
    dataset: str | None, form: str, output: "Path | None", symbolic: bool, masks: bool, **coordinates: Any
) -> None:
    """The same split for other code.

    csv: one line an image with its id, file, place in the manifest, label, side, list and place in the draw.

    json: the form of ArcAD's published splits, with ids, the definition of the split and its fingerprints besides.

    croissant: PATH/croissant.json describes, in JSON-LD, the split and the two lists beside it, split.csv and
    manifest.csv; no image is copied.

    mvtec: PATH/DATASET/train/good, test/good and test/CLASS hold copies of the images; the labelled anomalies lie in
    PATH/labelled-anomalies/CLASS, since loaders take all of train for normal. PATH/split.csv says which file is which
    id. Images of an array set are written as PNG.
    """
    from benchmark.paths import resolve_folders
    from protocols.catalogue import export as split_export
    from protocols.catalogue.croissant import write_croissant
    from protocols.catalogue.replaced import refuse_replaced
    from protocols.catalogue.split_json import split_json
    from protocols.io.parallel import default_jobs

    if form in {"croissant", "mvtec"} and output is None:
        raise BenchError(f"--format {form} needs a folder: give --output PATH, new or empty")
    if form != "mvtec" and (masks or symbolic):
        raise BenchError("--masks and --symbolic go with folders only: add --format mvtec")
    opened, split = _named_split(dataset, **coordinates)
    if form == "croissant" and output is not None:
        write_croissant(split, opened, output)
    elif form != "mvtec":
        put(split_json(split, opened) if form == "json" else split_export.split_csv(split, opened), output)
    elif output is not None:
        refuse_replaced(opened, resolve_folders().cache, jobs=default_jobs())
        split_export.write_tree(split, opened, output, symbolic=symbolic, masks=masks)


def _opened(name: str) -> "Dataset":
    from benchmark.paths import resolve_folders
    from protocols.catalogue import data_folder

    return data_folder.open_dataset(resolve_folders().data, name, notify=note)


def _named_split(dataset: str | None, **coordinates: Any) -> "tuple[Dataset, Split]":
    """The split that the options name, and its dataset."""
    if coordinates["split_file"] is not None:
        dataset, coordinates["rule"] = _stated(coordinates["split_file"], dataset, coordinates["rule"])
    for option, value in (("--dataset", dataset), ("--protocol", coordinates["rule"])):
        if value is None:
            raise BenchError(f"a split is of a dataset under a rule: give {option}, or a --split-file that says it")
    opened = _opened(str(dataset))
    return opened, _drawn(opened, **coordinates)


def _stated(path: "Path", dataset: str | None, rule: str | None) -> tuple[str, str]:
    """Dataset and rule of a split file, as given or as it says itself."""
    from protocols.splits.split_files import read_split_file

    file = read_split_file(path)
    dataset, rule = dataset or file.dataset, rule or file.rule
    if not dataset:
        raise BenchError(f"{path} does not say its dataset: name it in the command")
    if not rule:
        raise BenchError(f"{path} does not say its rule: give --protocol general or hard")
    return dataset, rule


def _drawn(
    dataset: "Dataset",
    *,
    rule: str,
    seed: int,
    options: tuple[str, ...],
    deduplicate: bool,
    split_file: "Path | None",
    **coordinates: Any,
) -> "Split":
    from protocols.splits import rules
    from protocols.splits.split import draw, draw_from_file, file_remarks
    from protocols.splits.split_files import read_split_file, release_remark

    chosen = parse_options(options, deduplicate=deduplicate)
    if split_file is not None:
        split = draw_from_file(dataset, rule, split_file, split_seed=seed, options=chosen, **coordinates)
        for remark in file_remarks(split, dataset):
            note(f"{split_file}: {remark}")
        release = release_remark(read_split_file(split_file), dataset)
        if release:
            note(release)
        return split
    if coordinates["shots"] is None and "shots" in rules.find_rule(rule).COORDINATES:
        coordinates["shots"] = SHOTS
    return draw(dataset, rule, split_seed=seed, options=chosen, **coordinates)


def _finding(dataset: "Dataset", *, near: bool, rule: str | None, **coordinates: Any) -> dict[str, Any]:
    """Leaks across a split of one dataset, and its differences from the committed fingerprints, for JSON."""
    from protocols.catalogue.near_duplicates import near_duplicates
    from protocols.datasets.naming import NORMAL
    from protocols.io.parallel import default_jobs
    from protocols.splits import fingerprints, leakage
    from protocols.splits.split import split_statement

    if rule is None and all(row.label != NORMAL for row in dataset.rows):
        if any(value for name, value in coordinates.items() if name != "seed"):
            raise BenchError(f"{dataset.name} is a set of classes: add --protocol one_class and --normal-class")
        split = None
        train, test = ([row.id for row in dataset.rows if row.split == half] for half in ("train", "test"))
        leaks = leakage.list_leaks(train, test, dataset)
    else:
        split = _drawn(dataset, rule=rule or "general", **coordinates)
        leaks = leakage.split_leaks(split, dataset)
    pinned = fingerprints.pinned_fingerprints(dataset.name)
    return {
        "dataset": dataset.name,
        "split": split_statement(split) if split else None,
        "contents": _crossings(leaks.contents),
        "photographs": _crossings(leaks.photographs),
        "duplicates": leakage.duplicate_groups(dataset),
        "mislabelled": leakage.mislabelled_groups(dataset),
        "near_duplicates": near_duplicates(dataset, default_jobs()) if near else None,
        "committed": len(pinned.splits) if pinned else None,
        "differences": fingerprints.fingerprint_differences(dataset, pinned) if pinned else [],
    }


def _crossings(crossings: Any) -> list[dict[str, Any]]:
    return [{"training": crossing.training, "test": crossing.test} for crossing in crossings]


def _told(finding: dict[str, Any]) -> Iterator[str]:
    """The finding on one dataset in lines of text."""
    split = finding["split"]
    yield f"{finding['dataset']}: {_name(split) if split else 'the training and test images of the release'}"
    for kind, words in (("contents", "equal images"), ("photographs", "crops of one photograph")):
        yield f"  {words} on both sides: {_groups(finding[kind])}"
        for crossing in finding[kind][:LISTED]:
            yield f"    training {_some(crossing['training'])}; test {_some(crossing['test'])}"
        if finding[kind][LISTED:]:
            yield f"    and {len(finding[kind]) - LISTED} more: --json lists them all"
    mixed = len(finding["mislabelled"])
    yield f"  equal images in all: {_groups(finding['duplicates'])}, {mixed} with different labels"
    if finding["near_duplicates"] is not None:
        yield f"  images that look alike: {_groups(finding['near_duplicates'])}"
        for group in finding["near_duplicates"][:LISTED]:
            yield f"    {_some(group)}"
    if finding["committed"] is None:
        yield "  no fingerprints of it are committed"
    elif not finding["differences"]:
        yield f"  its {finding['committed']} fingerprints are the committed ones"
    for line in finding["differences"]:
        yield f"  differs: {line}"


def _groups(groups: Sequence[Any]) -> str:
    return plural(len(groups), "group") if groups else "no group"


def _name(split: dict[str, Any]) -> str:
    """The coordinates of a split in words."""
    from protocols.coordinates import COORDINATE_FIELDS

    parts = [split["protocol"]]
    for name, field in COORDINATE_FIELDS.items():
        if split.get(name):
            label = f"{split[name]} {field.plural}" if field.kind is int else f"{name} {split[name]}"
            parts.append(split[name] if field.role == "subset" else label)
    return ", ".join([*parts, f"seed {split['seed']}", *(f"{k} = {v}" for k, v in split["options"].items())])


def _some(ids: tuple[str, ...]) -> str:
    return ", ".join(ids[:3]) + (f" and {len(ids) - 3} more" if ids[3:] else "")
