"""A split of a file as what it selects of a suite: its dataset, its coordinates, and one split for all seeds."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from benchmark.errors import BenchError
from benchmark.planning.suite import Selection, Suite, suite_parts
from protocols.catalogue import data_folder
from protocols.splits import rules
from protocols.splits.draw.options import SPLIT_FILE
from protocols.splits.split import draw_from_file
from protocols.splits.split_files import (
    SplitFile,
    implied_coordinates,
    listed_ids,
    read_split_file,
    release_remark,
)


def with_split_file(
    suite: Suite, selection: Selection, split_options: Mapping[str, Any], data: Path, notify: Callable[[str], None]
) -> tuple[Suite, Selection]:
    """The part of a suite that runs under the rule of a split file, and the selection that the file leaves of it.

    Both are as given where the split options name no file.

    Raises:
        BenchError: the selection is of other coordinates, of several datasets or splits, or names none.
        DataError: the file cannot be read, or is no split of the dataset.
    """
    if SPLIT_FILE not in split_options:
        return suite, selection
    file = read_split_file(Path(str(split_options[SPLIT_FILE])))
    if selection.split_seeds:
        raise BenchError(f"{file.path} is one split: leave out --split-seed; each of --seed is a training on it")
    datasets = selection.datasets or ((file.dataset,) if file.dataset else ())
    if len(datasets) != 1:
        raise BenchError(f"{file.path} is a split of one dataset: name that one with --dataset")
    part = _part_of_rule(suite, selection, file)
    if SPLIT_FILE not in rules.find_rule(part.rule).OPTIONS:
        raise BenchError(f"suite {suite.id} has the rule {part.rule}, which takes no split file: take general or hard")
    dataset = data_folder.open_dataset(data, datasets[0], notify=notify)
    names = rules.find_rule(part.rule).COORDINATES
    implied: dict[str, Any] = implied_coordinates(file, listed_ids(file, dataset), dataset, names)
    for name, values in selection.coordinates.items():
        if name in implied and values != (implied[name],):
            option = f"--{name.replace('_', '-')}"
            raise BenchError(f"{option}: {file.path} has {implied[name]}: leave {option} out")
    remark = release_remark(file, dataset)
    if remark:
        notify(remark)
    coordinates = {**selection.coordinates, **{name: (value,) for name, value in implied.items()}}
    given = {name: values[0] for name, values in selection.coordinates.items() if name in names and len(values) == 1}
    split = draw_from_file(dataset, part.rule, file.path, **{**given, **implied})
    narrowed = replace(selection, datasets=datasets, split_seeds=(split.split_seed,), coordinates=coordinates)
    return msgspec.structs.replace(part, also=()), narrowed


def _part_of_rule(suite: Suite, selection: Selection, file: SplitFile) -> Suite:
    """The first part of a suite under the rule that a file states; where it states none, the suite itself."""
    for part, _ in suite_parts(suite, selection):
        if file.rule in {"", part.rule}:
            return part
    raise BenchError(f"{file.path} is a split of the rule {file.rule}, suite {suite.id} has none: take another")
