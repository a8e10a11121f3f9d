"""Properties of every split, on datasets that can be split and on any others."""

import contextlib
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from split_sets import split_of

from protocols.datasets.manifest import Dataset, Row, assemble_dataset
from protocols.datasets.naming import NORMAL
from protocols.errors import DataError
from protocols.splits import split as splits

COUNTS = st.fixed_dictionaries({NORMAL: st.integers(8, 20), **dict.fromkeys("abc", st.integers(7, 14))})
SEEDS = st.integers(0, 2**40)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "deduplicate": st.booleans(),
        "leak_guard": st.booleans(),
        "one_shot_test": st.sampled_from(["ten_shot_set", "own", 10, 12, 18]),
        "limit_train": st.integers(1, 10),
        "limit_test": st.integers(8, 30),
    },
)
MANY = settings(deadline=None, max_examples=60)


@st.composite
def splittable(draw: st.DrawFn) -> Dataset:
    """A dataset that every rule can split up to twelve shots: of each label the first six images have no equal."""
    counts = draw(COUNTS)
    contents = draw(st.integers(1, 6))
    rows = [
        Row(
            f"{label}/{i}",
            f"{label}/{i}",
            label,
            "",
            f"{1000 * place + i if i < 6 else 1000 * (i % 4) + i % contents:064x}",
            1,
            1,
            1,
        )
        for place, (label, n) in enumerate(counts.items())
        for i in range(n)
    ]
    return assemble_dataset("toy", Path(), rows)


@st.composite
def any_dataset(draw: st.DrawFn) -> Dataset:
    counts = draw(st.fixed_dictionaries({NORMAL: st.integers(0, 12), **dict.fromkeys("abc", st.integers(0, 14))}))
    rows = [
        Row(f"{label}/{i}", f"{label}/{i}", label, "", f"{1000 * place + i:064x}", 1, 1, 1)
        for place, (label, n) in enumerate(counts.items())
        for i in range(n)
    ]
    return assemble_dataset("toy", Path(), rows or [Row("c/0", "c/0", "c", "", "1" * 64, 1, 1, 1)])


def lists(split: splits.Split) -> list[tuple[str, ...]]:
    return [split.train_normal, split.train_anomaly, split.test_normal, split.test_anomaly]


@MANY
@given(splittable(), st.sampled_from(["general", "hard", "cross_domain"]), SEEDS, st.integers(1, 12), OPTIONS)
def test_lists_are_disjoint_sorted_and_labelled(
    dataset: Dataset, rule: str, seed: int, shots: int, options: dict[str, object]
) -> None:
    known = "c" if rule == "hard" else None
    split = split_of(dataset, rule, split_seed=seed, known_class=known, shots=shots, options=options)
    ids = [id_ for list_ in lists(split) for id_ in list_]
    assert len(ids) == len(set(ids))
    for list_ in (split.train_normal, split.test_normal, split.test_anomaly):
        assert list_
        assert list(list_) == sorted(list_)
    label = {row.id: row.label for row in dataset.rows}
    assert {label[id_] for id_ in split.train_normal + split.test_normal} == {NORMAL}
    assert NORMAL not in {label[id_] for id_ in split.train_anomaly + split.test_anomaly}
    if known is not None:
        assert {label[id_] for id_ in split.train_anomaly} == {known}
        assert known not in {label[id_] for id_ in split.test_anomaly}
    splits.validate(split, dataset)


@MANY
@given(splittable(), st.sampled_from(["general", "hard"]), SEEDS, OPTIONS)
def test_one_shot_is_nested_in_ten_shot(dataset: Dataset, rule: str, seed: int, options: dict[str, object]) -> None:
    known = "c" if rule == "hard" else None
    options = options | {"one_shot_test": "ten_shot_set"}
    one, ten = (
        split_of(dataset, rule, split_seed=seed, known_class=known, shots=shots, options=options) for shots in (1, 10)
    )
    assert one.train_anomaly == ten.train_anomaly[:1]
    assert one.test_fingerprint == ten.test_fingerprint
    assert one.train_normal == ten.train_normal


@MANY
@given(splittable(), st.sampled_from(["general", "hard"]), SEEDS, st.randoms(use_true_random=False), OPTIONS)
def test_the_order_of_the_files_does_not_matter(
    dataset: Dataset, rule: str, seed: int, generator: random.Random, options: dict[str, object]
) -> None:
    rows = list(dataset.rows)
    generator.shuffle(rows)
    shuffled = assemble_dataset("toy", Path("elsewhere"), rows)
    known = "c" if rule == "hard" else None
    one, other = (
        split_of(each, rule, split_seed=seed, known_class=known, shots=10, options=options)
        for each in (dataset, shuffled)
    )
    assert one == other


@MANY
@given(splittable(), SEEDS, st.sampled_from("abc"))
def test_a_known_class_is_the_one_that_is_drawn_from(dataset: Dataset, seed: int, known: str) -> None:
    split = splits.draw(dataset, "hard", split_seed=seed, known_class=known, shots=1)
    assert split.train_anomaly[0].startswith(f"{known}/")


@MANY
@given(any_dataset(), st.sampled_from(["general", "hard"]), SEEDS, st.text("abcN ", max_size=2), st.integers(1, 12))
def test_a_dataset_that_cannot_be_split_is_refused_for_what_it_lacks(
    dataset: Dataset, rule: str, seed: int, known: str, shots: int
) -> None:
    """Each refusal is true, and what is not refused lacks nothing."""
    n_normal = sum(row.label == NORMAL for row in dataset.rows)
    anomalies = [row.label for row in dataset.rows if row.label != NORMAL]
    n_leaving = max(10, shots)
    lacks = {
        r"no anomaly class '.*': ": rule == "hard" and known not in anomalies,
        r"has no normal images: ": n_normal == 0,
        r"has no training normals: ": n_normal == 1,
        r"no anomaly class but '.', so none is left to test: ": rule == "hard" and {*anomalies} == {known},
        rf"has {len(anomalies)} anomalies .* takes {n_leaving} out of the test set, so none is left: ": (
            rule == "general" and len(anomalies) <= n_leaving
        ),
    }
    first = next((text for text, is_true in lacks.items() if is_true), None)
    with contextlib.nullcontext() if first is None else pytest.raises(DataError, match=first):
        splits.draw(dataset, rule, split_seed=seed, known_class=known if rule == "hard" else None, shots=shots)
