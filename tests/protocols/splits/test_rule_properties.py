"""Properties of the rules for sets of classes: any order, any class sizes, any seed."""

import contextlib
import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from split_sets import split_of

from protocols.datasets.manifest import Dataset, Row, assemble_dataset
from protocols.errors import DataError
from protocols.splits import split as splits
from protocols.splits.rules.labelled_share import exact_share, n_anomalies

SEEDS = st.integers(0, 2**40)
GAMMAS = st.sampled_from(["0.00", "0.01", "0.05", "0.10", "0.20", "0.333", "0.50"])
MANY = settings(deadline=None, max_examples=50)


def set_of(counts: list[tuple[int, int]], contents: int) -> Dataset:
    """Numbers of training and test images by class. Of each half the first images of a class have no equal."""
    unique = {"train": 6, "test": 3}
    rows = [
        Row(
            f"{half}/{i}-{label}",
            "images.npy",
            str(label),
            half,
            f"{1000 * (2 * label + (half == 'test')) + i if i < unique[half] else 1000 * (i % 4) + i % contents:064x}",
            1,
            1,
            1,
        )
        for label, pair in enumerate(counts)
        for half, n in zip(("train", "test"), pair, strict=True)
        for i in range(n)
    ]
    return assemble_dataset("toyset", Path(), rows)


CLASS_SETS = st.builds(
    set_of,
    st.lists(st.tuples(st.integers(6, 14), st.integers(3, 6)), min_size=2, max_size=4),
    contents=st.integers(1, 6),
)
"""Sets in which each class, and all but it, can be the normal side."""


@st.composite
def options(draw: st.DrawFn, gamma: str | None = None) -> dict[str, object]:
    """Split options under which a set has enough anomalies for the share: few normals, where it is a large one."""
    few = gamma is not None and exact_share(gamma) >= exact_share("0.20")
    optional = {
        "normal_side": st.sampled_from(["one_class", "leave_one_out"]),
        "deduplicate": st.booleans(),
        "limit_test": st.integers(8, 30),
    }
    limit = {"limit_train": st.integers(1, 5 if few else 12)}
    return draw(st.fixed_dictionaries(limit if few else {}, optional=optional if few else optional | limit))


@MANY
@given(st.data(), CLASS_SETS, SEEDS, st.sampled_from("01"), st.none() | GAMMAS)
def test_lists_are_disjoint_sorted_and_on_their_side(
    data: st.DataObject, dataset: Dataset, seed: int, normal: str, gamma: str | None
) -> None:
    rule, chosen = "one_class" if gamma is None else "labelled_share", data.draw(options(gamma))
    split = split_of(dataset, rule, split_seed=seed, normal_class=normal, gamma=gamma, options=chosen)
    lists = [split.train_normal, split.train_anomaly, split.test_normal, split.test_anomaly]
    assert sum(map(len, lists)) == len(set().union(*lists))
    inverted = chosen.get("normal_side") == "leave_one_out"
    row = {row.id: row for row in dataset.rows}
    for place, ids in enumerate(lists):
        assert {(row[id_].label == normal) != inverted for id_ in ids} <= {place % 2 == 0}
        assert {row[id_].split for id_ in ids} <= {"train" if place < 2 else "test"}
        if place != 1:
            assert ids
            assert list(ids) == sorted(ids)
    if chosen.get("deduplicate"):
        assert len({row[id_].sha256 for ids in lists for id_ in ids}) == sum(map(len, lists))
    assert len(split.train_anomaly) == (n_anomalies(len(split.train_normal), exact_share(gamma)) if gamma else 0)
    splits.validate(split, dataset)


@MANY
@given(st.data(), CLASS_SETS, SEEDS, st.randoms(use_true_random=False), GAMMAS)
def test_the_order_of_the_images_does_not_matter(
    data: st.DataObject, dataset: Dataset, seed: int, generator: random.Random, gamma: str
) -> None:
    rows = list(dataset.rows)
    generator.shuffle(rows)
    shuffled = assemble_dataset("toyset", Path("elsewhere"), rows)
    arguments = {"split_seed": seed, "normal_class": "0", "gamma": gamma, "options": data.draw(options(gamma))}
    one, other = (split_of(each, "labelled_share", **arguments) for each in (dataset, shuffled))
    assert one == other


@MANY
@given(st.data(), CLASS_SETS, SEEDS, GAMMAS, GAMMAS)
def test_a_smaller_share_is_a_prefix(data: st.DataObject, dataset: Dataset, seed: int, one: str, other: str) -> None:
    gammas = sorted((one, other), key=exact_share)
    chosen = data.draw(options(gammas[-1]))
    small, large = (
        split_of(dataset, "labelled_share", split_seed=seed, normal_class="0", gamma=gamma, options=chosen)
        for gamma in gammas
    )
    assert large.train_anomaly[: len(small.train_anomaly)] == small.train_anomaly
    assert small.test_fingerprint == large.test_fingerprint


@MANY
@given(
    st.lists(st.tuples(st.integers(0, 14), st.integers(0, 6)), min_size=1, max_size=4).filter(
        lambda counts: any(map(any, counts))
    ),
    st.sampled_from([None, ("normal", "train"), ("0", "")]),
    SEEDS,
    st.sampled_from("0123"),
    GAMMAS,
)
def test_a_set_that_cannot_be_split_is_refused_for_what_it_lacks(
    counts: list[tuple[int, int]], odd: tuple[str, str] | None, seed: int, normal: str, gamma: str
) -> None:
    """Each refusal is true, and what is not refused lacks nothing."""
    extra = [] if odd is None else [Row("odd", "images.npy", *odd, "0" * 64, 1, 1, 1)]
    dataset = assemble_dataset("toyset", Path(), [*set_of(counts, 6).rows, *extra])
    train, test = (
        [row.label == normal for row in dataset.rows if row.split == half and row.id != "odd"]
        for half in ("train", "test")
    )
    needed = n_anomalies(sum(train), exact_share(gamma))
    lacks = {
        "has normal images of its own": odd == ("normal", "train"),
        "does not say which images are for training and which for test": odd == ("0", ""),
        f"has no class '{normal}'": normal not in {row.label for row in dataset.rows},
        "has no normal training images": not any(train),
        "has no normal test images": not any(test),
        "has no anomalous test images": all(test),
        f"asks for {needed} labelled anomalies and toyset has {train.count(False)}": needed > train.count(False),
    }
    first = next((text for text, is_true in lacks.items() if is_true), None)
    with contextlib.nullcontext() if first is None else pytest.raises(DataError, match=re.escape(first)):
        splits.draw(dataset, "labelled_share", split_seed=seed, normal_class=normal, gamma=gamma)
