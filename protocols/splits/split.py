"""Splits: four lists of image ids, drawn by a rule and known by their fingerprints."""

import functools
import hashlib
from collections.abc import Mapping
from typing import Any

from protocols.coordinates import COORDINATE_FIELDS, Coordinates, CoordinateValue
from protocols.datasets.manifest import Dataset
from protocols.datasets.naming import NORMAL
from protocols.datasets.registry import leak_guard
from protocols.errors import DataError
from protocols.splits import rules
from protocols.splits.draw.options import Options, OptionValue, parse_split_options
from protocols.splits.draw.ranking import list_fingerprint
from protocols.splits.draw.steps import DrawRequest, Ids, SplitLists
from protocols.text import near_miss

_LISTS = ("train_normal", "train_anomaly", "test_normal", "test_anomaly")


class Split(Coordinates, frozen=True, kw_only=True, dict=True):
    """Four lists of ids and what they were drawn by. `options` holds only what differs from the default.

    Drawn anomalies keep rank order, the other lists are sorted by id.
    """

    dataset: str
    dataset_fingerprint: str
    rule: str
    options: Mapping[str, OptionValue]
    split_seed: int
    train_normal: Ids
    train_anomaly: Ids
    test_normal: Ids
    test_anomaly: Ids

    @functools.cached_property
    def fingerprints(self) -> dict[str, str]:
        """The SHA-256 of each list, by the list's name."""
        return {name: list_fingerprint(getattr(self, name)) for name in _LISTS}

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the four lists' fingerprints."""
        return list_fingerprint(self.fingerprints.values())

    @functools.cached_property
    def test_fingerprint(self) -> str:
        """SHA-256 over the fingerprints of the two test lists."""
        return list_fingerprint([self.fingerprints["test_normal"], self.fingerprints["test_anomaly"]])


def draw(
    dataset: Dataset,
    rule: str,
    *,
    split_seed: int,
    options: Mapping[str, object] | None = None,
    is_labelled: bool = True,
    **coordinates: CoordinateValue,
) -> Split:
    """Draw the split of a rule at its coordinates, such as `known_class="mono", shots=10`.

    is_labelled: False for a method that is given no labelled anomalies.

    Raises:
        DataError: an unknown rule, coordinate, class or option, or a split that leaves a list empty.
    """
    if not isinstance(split_seed, int) or isinstance(split_seed, bool) or split_seed < 0:
        raise DataError(f"the split seed cannot be '{split_seed}': give a whole number from 0")
    module = rules.find_rule(rule)
    for name in (*COORDINATE_FIELDS, *coordinates):
        if (coordinates.get(name) is not None) != (name in module.COORDINATES):
            problem = "needs a value for" if name in module.COORDINATES else "takes no"
            raise DataError(f"the rule {rule} {problem} {name}: its coordinates are {', '.join(module.COORDINATES)}")
    defaults = Options(leak_guard=leak_guard(dataset.name))
    chosen = parse_split_options(options or {}, module.OPTIONS, rule, defaults)
    rule_coordinates: dict[str, Any] = {name: coordinates[name] for name in module.COORDINATES}
    request = DrawRequest(
        dataset=dataset, split_seed=split_seed, options=chosen, is_labelled=is_labelled, **rule_coordinates
    )
    lists = module.lists(request)
    _refuse_empty(dataset, rule, lists)
    return Split(
        dataset=dataset.name,
        dataset_fingerprint=dataset.fingerprint,
        rule=rule,
        options=chosen.without(defaults),
        split_seed=split_seed,
        **rule_coordinates,
        train_normal=lists.train_normal,
        train_anomaly=lists.train_anomaly,
        test_normal=lists.test_normal,
        test_anomaly=lists.test_anomaly,
    )


def split_statement(split: Split) -> dict[str, Any]:
    """Definition of a split and its fingerprints, for JSON.

    Coordinates but the known class and the shots stand only where the rule has them.
    """
    always = ("known_class", "shots")
    return {
        "dataset": split.dataset,
        "protocol": split.rule,
        **{name: value for name, value in split.coordinates.items() if value is not None or name in always},
        "seed": split.split_seed,
        "options": dict(split.options),
        "dataset_fingerprint": split.dataset_fingerprint,
        "fingerprint": split.fingerprint,
        "fingerprints": dict(split.fingerprints),
    }


def validate(split: Split, dataset: Dataset) -> None:
    """Check that a split is the one which its rule draws from `dataset`.

    Raises:
        DataError: it was drawn from other data, its lists share images or hold unknown ones, or they are not the
            lists that its rule draws.
    """
    if split.dataset_fingerprint != dataset.fingerprint:
        raise DataError(
            f"the split was drawn from {split.dataset} {split.dataset_fingerprint[:12]}, this data is {dataset.name} "
            f"{dataset.fingerprint[:12]}: prepare the same release, or draw the split again"
        )
    drawn = draw(dataset, split.rule, split_seed=split.split_seed, options=split.options, **split.coordinates)
    differing = [name for name in _LISTS if getattr(split, name) != getattr(drawn, name)]
    if differing or _n_images(split) != sum(len(getattr(split, name)) for name in _LISTS):
        _refuse_shared_and_unknown(split, dataset)
        raise DataError(
            f"{', '.join(differing)} of the split differ from what the rule {split.rule} draws: draw it again"
        )


def _n_images(split: Split) -> int:
    return len(set(split.train_normal).union(split.train_anomaly, split.test_normal, split.test_anomaly))


def _refuse_shared_and_unknown(split: Split, dataset: Dataset) -> None:
    lists_by_id: dict[str, str] = {}
    for name in _LISTS:
        for id_ in getattr(split, name):
            dataset.row(id_)
            if id_ in lists_by_id:
                raise DataError(
                    f"'{id_}' is in {lists_by_id[id_]} and again in {name} of the split: draw the split again"
                )
            lists_by_id[id_] = name


def drawable_anomalies(split: Split, dataset: Dataset) -> int:
    """The anomalies that a split's rule could draw for training: those of its known class, or all of the dataset."""
    return sum(row.label != NORMAL and split.known_class in {None, row.label} for row in dataset.rows)


def test_ids(split: Split, dataset: Dataset, order: str) -> Ids:
    """The test images in the order in which they are scored.

    `listing`: normals by id, then anomalies by class and id. `ranked`: by the hexadecimal SHA-256 of the id alone.
    """
    if order == "listing":
        return split.test_normal + tuple(sorted(split.test_anomaly, key=lambda id_: (dataset.row(id_).label, id_)))
    if order == "ranked":
        return tuple(sorted(split.test_normal + split.test_anomaly, key=_hash_of))
    raise DataError(f"there is no order of test images '{order}': {near_miss(order, ('listing', 'ranked'))}")


def _hash_of(id_: str) -> str:
    return hashlib.sha256(id_.encode()).hexdigest()


def _refuse_empty(dataset: Dataset, rule: str, lists: SplitLists) -> None:
    for name in ("train_normal", "test_normal", "test_anomaly"):
        if not getattr(lists, name):
            raise DataError(
                f"the rule {rule} leaves no {name.replace('_', ' ')} images of {dataset.name}: raise limit_test, or "
                "drop the options that take images out"
            )
