"""Splits: four lists of image ids, drawn by a rule and known by their fingerprints."""

import functools
import hashlib
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from protocols.coordinates import COORDINATE_FIELDS, Coordinates, CoordinateValue
from protocols.datasets.manifest import Dataset
from protocols.datasets.naming import NORMAL
from protocols.datasets.registry import leak_guard
from protocols.errors import DataError
from protocols.splits import rules, split_files
from protocols.splits.draw.options import LARGEST_ONE_SHOT_DRAW, SPLIT_FILE, Options, OptionValue, parse_split_options
from protocols.splits.draw.ranking import list_fingerprint
from protocols.splits.draw.steps import LIST_NAMES, DrawRequest, Ids, SplitLists
from protocols.splits.split_files import SplitFile
from protocols.text import near_miss, plural
from protocols.values import LARGEST_SEED

_TRIED_SEEDS = 100
"""Seeds, from 0, of which the draws are compared with a file that does not say its own."""


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
        return {name: list_fingerprint(getattr(self, name)) for name in LIST_NAMES}

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
    if not isinstance(split_seed, int) or isinstance(split_seed, bool) or not 0 <= split_seed <= LARGEST_SEED:
        raise DataError(f"the split seed cannot be '{split_seed}': give a whole number from 0 to {LARGEST_SEED}")
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
    differing = chosen.without(defaults)
    if SPLIT_FILE in differing:
        return _filed(request, rule, differing)
    lists = module.lists(request)
    _refuse_empty(dataset, rule, lists)
    return _assembled(request, rule, lists, differing)


def draw_from_file(
    dataset: Dataset,
    rule: str,
    path: Path,
    *,
    split_seed: int = 0,
    options: Mapping[str, object] | None = None,
    **coordinates: CoordinateValue,
) -> Split:
    """The split of a file, with the coordinates that it states or its labelled anomalies have, where none are given.

    Raises:
        DataError: the file is no such split; see `draw`.
    """
    names = rules.find_rule(rule).COORDINATES
    file = split_files.read_split_file(path)
    lists = split_files.listed_ids(file, dataset)
    given_coordinates = {name: value for name, value in coordinates.items() if value is not None}
    implied: dict[str, Any] = {"shots": LARGEST_ONE_SHOT_DRAW} if "shots" in names else {}
    implied |= split_files.implied_coordinates(file, lists, dataset, names)
    return draw(
        dataset,
        rule,
        split_seed=split_seed,
        options={**(options or {}), SPLIT_FILE: str(path)},
        is_labelled=bool(lists.train_anomaly),
        **{**implied, **given_coordinates},
    )


def _assembled(request: DrawRequest, rule: str, lists: SplitLists, options: Mapping[str, OptionValue]) -> Split:
    rule_coordinates = {name: getattr(request, name) for name in rules.find_rule(rule).COORDINATES}
    return Split(
        dataset=request.dataset.name,
        dataset_fingerprint=request.dataset.fingerprint,
        rule=rule,
        options=options,
        split_seed=request.split_seed,
        **rule_coordinates,
        train_normal=lists.train_normal,
        train_anomaly=lists.train_anomaly,
        test_normal=lists.test_normal,
        test_anomaly=lists.test_anomaly,
    )


def _filed(request: DrawRequest, rule: str, options: Mapping[str, OptionValue]) -> Split:
    """The split of a file; where our rule draws the very same lists, that draw: equal lists are one split."""
    others = options.keys() - {SPLIT_FILE}
    if others:
        raise DataError(f"{SPLIT_FILE} gives all four lists: leave out {', '.join(sorted(others))}")
    file = split_files.read_split_file(Path(str(options[SPLIT_FILE])))
    if file.rule not in {"", rule}:
        raise DataError(f"{file.path} is a split of the rule {file.rule}, not {rule}: take that rule")
    lists = split_files.listed_ids(file, request.dataset)
    _refuse_other_coordinates(request, rule, file, lists)
    drawn = _equal_draw(request, rule, file, lists)
    if drawn is not None:
        return drawn
    split = _assembled(request, rule, lists, {})
    return msgspec.structs.replace(split, options={SPLIT_FILE: split.fingerprint[: split_files.FINGERPRINT_DIGITS]})


def _refuse_other_coordinates(request: DrawRequest, rule: str, file: SplitFile, lists: SplitLists) -> None:
    """Refuse coordinates that are not the file's; a method without labelled anomalies has no shots."""
    if request.is_labelled and not lists.train_anomaly:
        raise DataError(f"{file.path} has no labelled anomalies: choose a method that is given none")
    names = rules.find_rule(rule).COORDINATES
    for name, value in split_files.implied_coordinates(file, lists, request.dataset, names).items():
        if getattr(request, name) != value and (request.is_labelled or COORDINATE_FIELDS[name].role != "labels"):
            raise DataError(
                f"{file.path} has {name.replace('_', ' ')} {value}, not {getattr(request, name)}: give what it has"
            )
    if request.shots is not None and len(lists.train_anomaly) > request.shots and request.is_labelled:
        raise DataError(
            f"{file.path} has {len(lists.train_anomaly)} labelled anomalies and states {request.shots} shots"
        )


def _equal_draw(request: DrawRequest, rule: str, file: SplitFile, lists: SplitLists) -> Split | None:
    """The rule's own draw with these lists: by the seed and options that the file states, else by one of the first
    seeds without options. None where there is none.

    For a method that is given no labelled anomalies their list counts for nothing.
    """
    names = [name for name in LIST_NAMES if request.is_labelled or name != "train_anomaly"]
    coordinates = {name: getattr(request, name) for name in rules.find_rule(rule).COORDINATES}
    is_stated = file.seed is not None and SPLIT_FILE not in file.options
    stated = [(file.seed, file.options)] if is_stated and file.rule else []
    for seed, options in itertools.chain(stated, ((seed, {}) for seed in range(_TRIED_SEEDS))):
        try:
            drawn = draw(
                request.dataset,
                rule,
                split_seed=seed or 0,
                options=options,
                is_labelled=request.is_labelled,
                **coordinates,
            )
        except DataError:
            continue
        if all(getattr(drawn, name) == getattr(lists, name) for name in names):
            return drawn
        if not options and drawn.train_normal != lists.train_normal:
            return None  # the draw of normals knows no seed
    return None


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
    """Check that a split is the one which its rule draws from `dataset`, or from a file with images of it, each once.

    Raises:
        DataError: it was drawn from other data, its lists share images or hold unknown ones, or they are not the
            lists that its rule draws.
    """
    if split.dataset_fingerprint != dataset.fingerprint:
        raise DataError(
            f"the split was drawn from {split.dataset} {split.dataset_fingerprint[:12]}, this data is {dataset.name} "
            f"{dataset.fingerprint[:12]}: prepare the same release, or draw the split again"
        )
    if SPLIT_FILE in split.options:
        _refuse_shared_and_unknown(split, dataset)
        return
    drawn = draw(dataset, split.rule, split_seed=split.split_seed, options=split.options, **split.coordinates)
    differing = [name for name in LIST_NAMES if getattr(split, name) != getattr(drawn, name)]
    if differing or _n_images(split) != sum(len(getattr(split, name)) for name in LIST_NAMES):
        _refuse_shared_and_unknown(split, dataset)
        raise DataError(
            f"{', '.join(differing)} of the split differ from what the rule {split.rule} draws: draw it again"
        )


def _n_images(split: Split) -> int:
    return len(set(split.train_normal).union(split.train_anomaly, split.test_normal, split.test_anomaly))


def _refuse_shared_and_unknown(split: Split, dataset: Dataset) -> None:
    lists_by_id: dict[str, str] = {}
    for name in LIST_NAMES:
        for id_ in getattr(split, name):
            dataset.row(id_)
            if id_ in lists_by_id:
                raise DataError(
                    f"'{id_}' is in {lists_by_id[id_]} and again in {name} of the split: draw the split again"
                )
            lists_by_id[id_] = name


def file_remarks(split: Split, dataset: Dataset) -> Iterator[str]:
    """Images that a split from a file has where no rule would: known anomalies under test, any among normals."""
    if SPLIT_FILE not in split.options:
        return
    n_known = sum(dataset.row(id_).label == split.known_class for id_ in split.test_anomaly)
    if n_known:
        yield f"{plural(n_known, 'test anomaly', 'test anomalies')} of the known class {split.known_class}"
    n_unlabelled = sum(dataset.row(id_).label != NORMAL for id_ in split.train_normal)
    if n_unlabelled:
        yield f"{plural(n_unlabelled, 'anomaly', 'anomalies')} among the training normals"


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
