"""Properties of every split, on datasets of any shape."""

import random
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.datasets.manifest import Dataset, Row, assemble_dataset
from protocols.datasets.naming import NORMAL
from protocols.errors import DataError
from protocols.splits import split as splits

COUNTS = st.fixed_dictionaries(
    {NORMAL: st.integers(0, 12), "a": st.integers(0, 14), "b": st.integers(0, 14), "c": st.integers(1, 14)}
)
SEEDS = st.integers(0, 2**40)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "deduplicate": st.booleans(),
        "leak_guard": st.booleans(),
        "one_shot_test": st.sampled_from(["ten_shot_set", "own"]),
        "limit_train": st.integers(1, 10),
        "limit_test": st.integers(1, 30),
    },
)


@st.composite
def any_dataset(draw: st.DrawFn) -> Dataset:
    counts = draw(COUNTS)
    contents = draw(st.integers(1, 60))
    rows = [
        Row(f"{label}/{i}", f"{label}/{i}", label, "", f"{(7 * i + len(label)) % contents:064x}", 1, 1, 1)
        for label, n in counts.items()
        for i in range(n)
    ]
    return assemble_dataset("toy", Path(), rows)


def drawn(dataset: Dataset, rule: str, **arguments: object) -> splits.Split | None:
    """The split, or None where it is refused with a reason and a next step."""
    try:
        return splits.draw(dataset, rule, **arguments)  # type: ignore[arg-type]
    except DataError as error:
        reason = str(error)
    assert ": " in reason
    return None


def lists(split: splits.Split) -> list[tuple[str, ...]]:
    return [split.train_normal, split.train_anomaly, split.test_normal, split.test_anomaly]


@settings(deadline=None, max_examples=60)
@given(any_dataset(), st.sampled_from(["general", "hard", "cross_domain"]), SEEDS, st.integers(1, 12), OPTIONS)
def test_lists_are_disjoint_sorted_and_labelled(
    dataset: Dataset, rule: str, seed: int, shots: int, options: dict[str, object]
) -> None:
    known = "c" if rule == "hard" else None
    split = drawn(dataset, rule, split_seed=seed, known_class=known, shots=shots, options=options)
    if split is None:
        return
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


@settings(deadline=None, max_examples=60)
@given(any_dataset(), st.sampled_from(["general", "hard"]), SEEDS, OPTIONS)
def test_one_shot_is_nested_in_ten_shot(dataset: Dataset, rule: str, seed: int, options: dict[str, object]) -> None:
    known = "c" if rule == "hard" else None
    options = options | {"one_shot_test": "ten_shot_set"}
    one = drawn(dataset, rule, split_seed=seed, known_class=known, shots=1, options=options)
    ten = drawn(dataset, rule, split_seed=seed, known_class=known, shots=10, options=options)
    assert (one is None) == (ten is None)
    if one is not None and ten is not None:
        assert one.train_anomaly == ten.train_anomaly[:1]
        assert one.test_fingerprint == ten.test_fingerprint
        assert one.train_normal == ten.train_normal


@settings(deadline=None, max_examples=60)
@given(any_dataset(), SEEDS, st.randoms(use_true_random=False), OPTIONS)
def test_the_order_of_the_files_does_not_matter(
    dataset: Dataset, seed: int, generator: random.Random, options: dict[str, object]
) -> None:
    rows = list(dataset.rows)
    generator.shuffle(rows)
    shuffled = assemble_dataset("toy", Path("elsewhere"), rows)
    assert drawn(dataset, "general", split_seed=seed, shots=10, options=options) == drawn(
        shuffled, "general", split_seed=seed, shots=10, options=options
    )


@settings(deadline=None, max_examples=60)
@given(any_dataset(), SEEDS, st.text("abcN ", max_size=8))
def test_a_known_class_is_used_or_refused_never_replaced(dataset: Dataset, seed: int, known: str) -> None:
    split = drawn(dataset, "hard", split_seed=seed, known_class=known, shots=1)
    assert split is None or (known in dataset.labels and split.train_anomaly[0].startswith(f"{known}/"))
