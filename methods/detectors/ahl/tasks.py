"""The tasks of AHL: clusters of the normals, and a support and a query set of each ordered pair (spec ahl 2.3, 2.4)."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from methods.detector import FitContext
from methods.detectors.ahl.params import ClusterParams, TaskParams, TaskPseudoParams
from methods.nn.data.samplers import NORMAL, PSEUDO, SEEN, Indices

SMALLEST_CLUSTER = 3
"""Smaller clusters are skipped (spec ahl 2.3)."""
SHARED_SEEN = 2
"""Anomalies of one draw's half that the released code adds to the query set of another draw (F4)."""
FEWEST_SPLIT = 4
"""Seen anomalies from which on the released code can make these two draws (F13)."""
COIN_ROUNDS = 100


@dataclass(frozen=True)
class TaskSet:
    """Images of one set by their index: `normal` and `pseudo` of the training normals, of which the latter are
    replaced by their version of `kind`; `seen` of the labelled anomalies.
    """

    normal: Indices
    seen: Indices
    pseudo: Indices
    kind: str | None

    @property
    def groups(self) -> dict[int, Indices]:
        """The indices by label, without empty groups."""
        groups = {NORMAL: self.normal, SEEN: self.seen, PSEUDO: self.pseudo}
        return {label: indices for label, indices in groups.items() if len(indices)}


@dataclass(frozen=True)
class MetaTask:
    """A base model's support and query set."""

    support: TaskSet
    query: TaskSet


def clusters_of(features: npt.NDArray[np.floating], params: ClusterParams, context: FitContext) -> list[Indices]:
    """Clusters of the normals (n, F) in the order of their first members, each a sorted list of indices; may be fewer.

    Random clusters have equal sizes, as far as that goes.
    """
    count = min(params.count, len(features))
    if params.assign == "random":
        order = torch.randperm(len(features), generator=context.generator("clusters")).numpy()
        parts = [np.sort(part) for part in np.array_split(order, count)]
    else:
        labels = _kmeans_labels(features, count, params.restarts, context)
        parts = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return sorted((part for part in parts if len(part)), key=lambda part: int(part[0]))


def _kmeans_labels(
    features: npt.NDArray[np.floating], count: int, restarts: int, context: FitContext
) -> npt.NDArray[np.int32]:
    """Labels by scikit-learn's k-means, in one thread: sums of several come in any order."""
    import warnings

    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    seed = context.generator("clusters").initial_seed() % 2**32
    kmeans: Any = KMeans  # its stubs know only the default of n_init
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different images than clusters
        labels: npt.NDArray[np.int32] = kmeans(count, n_init=restarts, random_state=seed).fit_predict(features)
    return labels


def normals_of_pairs(
    clusters: Sequence[Indices], assign: str, *, all_normals: bool, n_normal: int, context: FitContext
) -> list[tuple[Indices, Indices]]:
    """Normals of support and query set of each task: all ordered pairs of the clusters that are large enough.

    With `assign` "prefix" a cluster stands for as many of the first normals (F3). `all_normals` adds the task of all
    normals, halved at random (H7); it is also what is left where there is no pair.
    """
    kept = [part for part in clusters if len(part) >= SMALLEST_CLUSTER]
    if assign == "prefix":
        kept = [np.arange(len(part)) for part in kept]
    pairs = [*itertools.combinations(kept, 2)]
    tasks = [*pairs, *((second, first) for first, second in pairs)]
    if all_normals or not tasks:
        order = torch.randperm(n_normal, generator=context.generator("tasks.halves")).numpy()
        halves = np.sort(order[: -(-n_normal // 2)]), np.sort(order[-(-n_normal // 2) :])
        tasks.append((halves[0], halves[1] if len(halves[1]) else halves[0]))
    return tasks


def seen_of_task(count: int, mode: str, task: int, context: FitContext) -> tuple[Indices, Indices]:
    """Labelled anomalies of support and query set out of `count`, sorted (H8).

    One anomaly is in both. "independent" is the released way: the query set is of a draw of its own, with two of that
    draw's support half (F4); it needs four, and with two or three the sets are disjoint (F13).
    """
    if count < SHARED_SEEN:
        return np.arange(count), np.arange(count)
    half = count // 2
    first = torch.randperm(count, generator=context.generator("tasks.seen", task, 0)).numpy()
    support, query = first[:half], first[half:]
    if mode == "independent" and count >= FEWEST_SPLIT:
        second = torch.randperm(count, generator=context.generator("tasks.seen", task, 1)).numpy()
        query = np.concatenate([second[half:], second[:SHARED_SEEN]])
    elif mode == "shared_support":
        query = first
    return np.sort(support), np.sort(query)


def kinds_of_task(params: TaskPseudoParams, task: int, context: FitContext) -> tuple[str | None, str | None]:
    """Kinds of pseudo anomalies of support and query set: one for both, or two different ones at random (F5, H10)."""
    kinds = params.chosen
    if not kinds:
        return None, None
    order = torch.randperm(len(kinds), generator=context.generator("tasks.kinds", task)).tolist()
    second = order[0] if params.pairing == "same" or len(kinds) == 1 else order[1]
    return kinds[order[0]], kinds[second]


def without_replaced(
    normal: Indices, share: float, task: int, side: int, context: FitContext
) -> tuple[Indices, Indices]:
    """The normals of a set that stay, and those that are replaced, each with probability `share`.

    A draw that replaces all is made again; if it always does, the first stays (F14).
    """
    for number in range(COIN_ROUNDS):
        generator = context.generator("tasks.coins", task, side, number)
        heads = (torch.rand(len(normal), generator=generator, dtype=torch.float64) < share).numpy()
        if not heads.all():
            return normal[~heads], normal[heads]
    return normal[:1], normal[1:]


def build_tasks(
    normals: Sequence[tuple[Indices, Indices]],
    n_seen: int,
    tasks: TaskParams,
    pseudo: TaskPseudoParams,
    context: FitContext,
) -> list[MetaTask]:
    """Tasks with their anomalies and pseudo anomalies, drawn once for a fit."""
    built = []
    for number, pair in enumerate(normals):
        seen = seen_of_task(n_seen, tasks.seen, number, context)
        kinds = kinds_of_task(pseudo, number, context)
        sets = []
        for side in (0, 1):
            share = pseudo.share if kinds[side] else 0.0
            stay, replaced = without_replaced(pair[side], share, number, side, context)
            sets.append(TaskSet(stay, seen[side], replaced, kinds[side] if len(replaced) else None))
        built.append(MetaTask(*sets))
    return built
