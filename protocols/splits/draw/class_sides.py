"""Sides of a set of classes (CIFAR-10): the normal class against the others, in training and test images."""

from dataclasses import dataclass
from itertools import islice

from protocols.datasets.naming import NORMAL
from protocols.errors import DataError
from protocols.splits.draw.ranking import ranked_ids
from protocols.splits.draw.steps import DrawRequest, Ids
from protocols.text import near_miss

# In the order of the fields of ClassSides; a part with a name must not be empty.
_PARTS = {
    ("train", True): "normal training",
    ("train", False): None,
    ("test", True): "normal test",
    ("test", False): "anomalous test",
}


@dataclass(frozen=True)
class ClassSides:
    """Ids by the release's half and by whether they count as normal, each sorted."""

    train_normal: Ids
    train_other: Ids
    test_normal: Ids
    test_other: Ids


def class_sides(request: DrawRequest) -> ClassSides:
    """The release's halves, each divided by `normal_class` and the option `normal_side`.

    Raises:
        DataError: the set has normal images of its own, does not fix training and test images, or lacks the class or
            images of a side.
    """
    cache: dict[tuple[str, ...], ClassSides] = request.dataset.rule_cache
    key = ("sides", *_cache_key(request))
    if key not in cache:
        cache[key] = _sides(request)
    return cache[key]


def first_others(request: DrawRequest, count: int) -> Ids:
    """The first `count` training images of the other side by rank, first drawn first.

    All training images are ranked once a seed, whichever class is normal: neither class nor count enters the rank.
    """
    if not count:
        return ()
    cache = request.dataset.rule_cache
    key, seed = _cache_key(request), str(request.split_seed)
    order_key, others_key = ("order", seed, key[-1]), ("others", *key)
    if order_key not in cache:
        training = [row.id for row in request.rows if row.split == "train"]
        cache[order_key] = ranked_ids(request.dataset.name, "anomaly", seed, training)
    if others_key not in cache:
        cache[others_key] = frozenset(class_sides(request).train_other)
    return tuple(islice(filter(cache[others_key].__contains__, cache[order_key]), count))


def _cache_key(request: DrawRequest) -> tuple[str, str, str]:
    """Normal class and options that the sides depend on, beside the rows."""
    options = request.options
    return str(request.normal_class), options.normal_side, str(options.deduplicate)


def _sides(request: DrawRequest) -> ClassSides:
    _check(request)
    inverted = request.options.normal_side == "leave_one_out"
    parts: dict[tuple[str, bool], list[str]] = {key: [] for key in _PARTS}
    for row in request.rows:
        parts[row.split, (row.label == request.normal_class) != inverted].append(row.id)
    for key, name in _PARTS.items():
        if name and not parts[key]:
            raise DataError(
                f"{request.dataset.name} has no {name} images with the class '{request.normal_class}': choose another "
                "class, or drop the options that take images out"
            )
    return ClassSides(*(tuple(parts[key]) for key in _PARTS))


def _check(request: DrawRequest) -> None:
    dataset, name = request.dataset, request.dataset.name
    cache = dataset.rule_cache
    if ("halves",) not in cache:
        cache["halves",] = {(row.split, row.label) for row in dataset.rows}
    halves = cache["halves",]
    if any(label == NORMAL for _, label in halves):
        raise DataError(
            f"{name} has normal images of its own, so no class of it can be the normal one: use the rule general"
        )
    if any(not half for half, _ in halves):
        raise DataError(
            f"{name} does not say which images are for training and which for test: fill the column 'split' of its "
            "manifest"
        )
    if request.normal_class not in dataset.labels:
        raise DataError(
            f"{name} has no class '{request.normal_class}': {near_miss(str(request.normal_class), dataset.labels)}"
        )
