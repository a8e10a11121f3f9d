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
    """Crossings of a split: `contents` of equal sha256, `photographs` of which several crops were cut."""

    contents: tuple[Crossing, ...]
    photographs: tuple[Crossing, ...]


def duplicate_groups(dataset: Dataset) -> IdGroups:
    """The groups of ids with equal sha256, each sorted, in the order of their first ids."""
    groups = _by_key((row.sha256, row.id) for row in dataset.rows).values()
    return tuple(sorted(tuple(sorted(ids)) for ids in groups if len(ids) > 1))


def mislabelled_groups(dataset: Dataset) -> IdGroups:
    """The groups of `duplicate_groups` whose images carry different labels."""
    return tuple(group for group in duplicate_groups(dataset) if len({dataset.row(id_).label for id_ in group}) > 1)


def split_leaks(split: Split, dataset: Dataset) -> Leaks:
    """Leaks between training and test of a split; with `deduplicate` no content leaks."""
    return list_leaks(split.train_normal + split.train_anomaly, split.test_normal + split.test_anomaly, dataset)


def list_leaks(training: Iterable[str], test: Iterable[str], dataset: Dataset) -> Leaks:
    """Leaks between two lists of ids, `training` and `test`."""
    rows = [dataset.row(id_) for id_ in training], [dataset.row(id_) for id_ in test]
    return Leaks(
        contents=_crossings(*([(row.sha256, row.id) for row in side] for side in rows)),
        photographs=_crossings(*([(row.group, row.id) for row in side if row.group] for side in rows)),
    )


def _crossings(training: Iterable[tuple[str, str]], test: Iterable[tuple[str, str]]) -> tuple[Crossing, ...]:
    trained, tested = _by_key(training), _by_key(test)
    shared = trained.keys() & tested.keys()
    both = (Crossing(tuple(sorted(trained[key])), tuple(sorted(tested[key]))) for key in shared)
    return tuple(sorted(both, key=lambda crossing: crossing.training))


def _by_key(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    ids_by_key: dict[str, list[str]] = defaultdict(list)
    for key, id_ in pairs:
        ids_by_key[key].append(id_)
    return ids_by_key
