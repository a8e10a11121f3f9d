"""Properties of the rules for sets of classes: any order, any class sizes, any seed."""

import random
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.datasets.manifest import Dataset, Row, assemble_dataset
from protocols.errors import DataError
from protocols.splits import split as splits
from protocols.splits.rules.labelled_share import exact_share, n_anomalies

SEEDS = st.integers(0, 2**40)
GAMMAS = st.sampled_from(["0.00", "0.01", "0.05", "0.10", "0.20", "0.333", "0.50"])
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "normal_side": st.sampled_from(["one_class", "leave_one_out"]),
        "deduplicate": st.booleans(),
        "limit_train": st.integers(1, 12),
        "limit_test": st.integers(1, 30),
    },
)
MANY = settings(deadline=None, max_examples=50)


@st.composite
def any_class_set(draw: st.DrawFn) -> Dataset:
    counts = draw(st.lists(st.tuples(st.integers(0, 14), st.integers(0, 6)), min_size=1, max_size=4))
    contents = draw(st.integers(1, 80))
    rows = [
        Row(f"{half}/{i}-{label}", "images.npy", str(label), half, f"{(7 * i + label) % contents:064x}", 1, 1, 1)
        for label, pair in enumerate(counts)
        for half, n in zip(("train", "test"), pair, strict=True)
        for i in range(n)
    ]
    if draw(st.booleans()):
        rows += [Row("odd", "images.npy", draw(st.sampled_from(["normal", "0"])), "", "0" * 64, 1, 1, 1)]
    return assemble_dataset("toyset", Path(), rows or [Row("only", "only", "0", "train", "1" * 64, 1, 1, 1)])


def drawn(dataset: Dataset, rule: str, **arguments: object) -> splits.Split | None:
    """The split, or None where it is refused with a reason and a next step."""
    try:
        return splits.draw(dataset, rule, **arguments)  # type: ignore[arg-type]
    except DataError as error:
        reason = str(error)
    assert ": " in reason
    return None


@MANY
@given(any_class_set(), SEEDS, st.sampled_from("0123"), st.none() | GAMMAS, OPTIONS)
def test_lists_are_disjoint_sorted_and_on_their_side(
    dataset: Dataset, seed: int, normal: str, gamma: str | None, options: dict[str, object]
) -> None:
    rule = "one_class" if gamma is None else "labelled_share"
    split = drawn(dataset, rule, split_seed=seed, normal_class=normal, gamma=gamma, options=options)
    if split is None:
        return
    lists = [split.train_normal, split.train_anomaly, split.test_normal, split.test_anomaly]
    assert sum(map(len, lists)) == len(set().union(*lists))
    inverted = options.get("normal_side") == "leave_one_out"
    row = {row.id: row for row in dataset.rows}
    for place, ids in enumerate(lists):
        assert {(row[id_].label == normal) != inverted for id_ in ids} <= {place % 2 == 0}
        assert {row[id_].split for id_ in ids} <= {"train" if place < 2 else "test"}
        if place != 1:
            assert ids
            assert list(ids) == sorted(ids)
    if options.get("deduplicate"):
        assert len({row[id_].sha256 for ids in lists for id_ in ids}) == sum(map(len, lists))
    assert len(split.train_anomaly) == (n_anomalies(len(split.train_normal), exact_share(gamma)) if gamma else 0)
    splits.validate(split, dataset)


@MANY
@given(any_class_set(), SEEDS, st.randoms(use_true_random=False), GAMMAS, OPTIONS)
def test_the_order_of_the_images_does_not_matter(
    dataset: Dataset, seed: int, generator: random.Random, gamma: str, options: dict[str, object]
) -> None:
    rows = list(dataset.rows)
    generator.shuffle(rows)
    arguments = {"split_seed": seed, "normal_class": "0", "gamma": gamma, "options": options}
    shuffled = assemble_dataset("toyset", Path("elsewhere"), rows)
    assert drawn(dataset, "labelled_share", **arguments) == drawn(shuffled, "labelled_share", **arguments)


@MANY
@given(any_class_set(), SEEDS, GAMMAS, GAMMAS, OPTIONS)
def test_a_smaller_share_is_a_prefix(
    dataset: Dataset, seed: int, one: str, other: str, options: dict[str, object]
) -> None:
    small, large = (
        drawn(dataset, "labelled_share", split_seed=seed, normal_class="0", gamma=gamma, options=options)
        for gamma in sorted((one, other), key=exact_share)
    )
    if large is not None:
        assert small is not None
        assert large.train_anomaly[: len(small.train_anomaly)] == small.train_anomaly
        assert small.test_fingerprint == large.test_fingerprint
