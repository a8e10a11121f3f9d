"""Deviations of a run from the paper's beside its recipe and weights: one text a reason, kept in its record."""

from collections.abc import Iterator, Mapping

from methods.measures import request
from methods.registry.info import MethodInfo
from methods.registry.params import shown
from methods.registry.recipe import EVALUATION, Resolved
from protocols.catalogue import recognition
from protocols.datasets.info import DatasetInfo
from protocols.datasets.manifest import Dataset
from protocols.values import ParamValue


def of_method(method: str, info: MethodInfo, resolved: Resolved) -> Iterator[str]:
    """An assumed method, parameters that were overridden, and ways of test labels into the scores, whoever chose them.

    A measure that changes no score is no deviation, nor is the batch where scores do not depend on it.
    """
    independent = info.scores_independently(resolved.params)
    if info.assumed:
        yield f"{info.title} is defined by assumption, the papers say too little"
    for name, (usual, value) in sorted(resolved.changed.items()):
        if not name.startswith(request.PREFIX) and not (independent and name in EVALUATION):
            yield f"{method}.{name} = {shown(value)} (recipe: {shown(usual)})"
    yield from info.leaks(resolved.params)


def of_options(options: Mapping[str, ParamValue]) -> Iterator[str]:
    """Options of the split that are not the defaults."""
    for name, value in sorted(options.items()):
        yield f"split option {name} = {value}"


def of_size(size: int, resolved: Resolved, default: int) -> Iterator[str]:
    """A size in pixels other than the recipe's; `default` is the dataset's own, 0 stands for images as they are."""
    usual: ParamValue = resolved.params.get("img_size")
    if "img_size" in resolved.changed:
        usual = resolved.changed["img_size"][0]
    expected = usual if isinstance(usual, int) else default
    if size not in {0, expected}:
        yield f"image size {size} (the paper's: {expected})"


def of_data(info: DatasetInfo | None, dataset: Dataset) -> Iterator[str]:
    """Images that are not the paper's: another dataset, no known release, or other counts than it prints."""
    name = dataset.name
    if info is None:
        yield f"dataset {name} is not the paper's"
        return
    yield from of_release(info, dataset)
    anomalies = sum(row.label != "normal" for row in dataset.rows)
    published = info.published
    normals = len(dataset.rows) - anomalies
    if published and (normals, anomalies) != (published.train_normal + published.test_normal, published.anomalies):
        yield (
            f"{name} has {normals} normal and {anomalies} anomalous images, the paper's "
            f"{published.train_normal + published.test_normal} and {published.anomalies}"
        )


def of_release(info: DatasetInfo | None, dataset: Dataset) -> Iterator[str]:
    """Images that are no known release of the dataset that they are named after."""
    doubts = recognition.release_doubts(info, dataset) if info is not None else ()
    if doubts:
        yield recognition.doubts_sentence(dataset, doubts)
