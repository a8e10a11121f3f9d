"""Leakage: equal contents, and photographs on both sides of a split (spec D31)."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from protocols.datasets.manifest import Dataset
from protocols.splits.draw.steps import Ids
from protocols.splits.split import Split

IdGroups = tuple[Ids, ...]


@dataclass(frozen=True)
class Crossing:
    """Images that belong together although a split trains on some and tests on others; both lists sorted."""

    training: Ids
    test: Ids


@dataclass(frozen=True)
class Leaks:
    """What is on both sides of a split: `contents` of equal sha256, `photographs` of which several crops were cut."""

    contents: tuple[Crossing, ...]
    photographs: tuple[Crossing, ...]


def duplicate_groups(dataset: Dataset) -> IdGroups:
    """The groups of ids with equal sha256, each sorted, in the order of their first ids."""
    groups = _by_key((row.sha256, row.id) for row in dataset.rows).values()
    return tuple(sorted(tuple(sorted(ids)) for ids in groups if len(ids) > 1))


def mislabelled_groups(dataset: Dataset) -> IdGroups:
    """The groups of `duplicates` whose images carry different labels."""
    return tuple(group for group in duplicate_groups(dataset) if len({dataset.row(id_).label for id_ in group}) > 1)


def split_leaks(split: Split, dataset: Dataset) -> Leaks:
    """What is on both sides of a split; with `deduplicate` no content is."""
    return list_leaks(split.train_normal + split.train_anomaly, split.test_normal + split.test_anomaly, dataset)


def list_leaks(training: Iterable[str], test: Iterable[str], dataset: Dataset) -> Leaks:
    """What is both in `training` and in `test`, two lists of ids."""
    rows = [dataset.row(id_) for id_ in training], [dataset.row(id_) for id_ in test]
    return Leaks(
        contents=_crossings(*([(row.sha256, row.id) for row in side] for side in rows)),
        photographs=_crossings(*([(row.group, row.id) for row in side if row.group] for side in rows)),
    )


def _crossings(training: Iterable[tuple[str, str]], test: Iterable[tuple[str, str]]) -> tuple[Crossing, ...]:
    seen, tested = _by_key(training), _by_key(test)
    both = (Crossing(tuple(sorted(seen[key])), tuple(sorted(tested[key]))) for key in seen.keys() & tested.keys())
    return tuple(sorted(both, key=lambda crossing: crossing.training))


def _by_key(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for key, id_ in pairs:
        found[key].append(id_)
    return found
