"""The general rule: labelled anomalies of all classes, by rank."""

from collections.abc import Callable

import pytest
from split_sets import COUNTS, by_rank

from protocols.datasets.manifest import Dataset
from protocols.errors import DataError
from protocols.splits import split as splits

Make = Callable[..., Dataset]


def test_general_takes_ten_out_of_the_test_set_at_one_shot_too(make_dataset: Make) -> None:
    dataset = make_dataset(COUNTS)
    order = by_rank(dataset, "bent", "cut", "hole")
    ten = splits.draw(dataset, "general", split_seed=0, shots=10)
    one = splits.draw(dataset, "general", split_seed=0, shots=1)
    assert list(ten.train_anomaly) == order[:10]
    assert list(one.train_anomaly) == order[:1]
    assert list(ten.test_anomaly) == sorted(order[10:])
    assert one.test_fingerprint == ten.test_fingerprint
    assert one.fingerprint != ten.fingerprint


def test_own_takes_only_the_labelled_anomaly_out_of_the_test_set(make_dataset: Make) -> None:
    dataset = make_dataset(COUNTS)
    split = splits.draw(dataset, "general", split_seed=0, shots=1, options={"one_shot_test": "own"})
    assert list(split.test_anomaly) == sorted(by_rank(dataset, "bent", "cut", "hole")[1:])


def test_contamination_adds_the_next_anomalies_by_rank_to_the_training_normals(make_dataset: Make) -> None:
    # 15 training normals, share 0.25: trunc(15 / 0.75 * 0.25) = 5
    dataset = make_dataset(COUNTS)
    order = by_rank(dataset, "bent", "cut", "hole")
    ten = splits.draw(dataset, "general", split_seed=0, shots=10, options={"contamination": 0.25})
    one = splits.draw(dataset, "general", split_seed=0, shots=1, options={"contamination": 0.25})
    assert set(ten.train_normal) - {row.id for row in dataset.rows if row.label == "normal"} == set(order[10:15])
    assert ten.train_normal == tuple(sorted(ten.train_normal))
    assert ten.test_anomaly == tuple(sorted(order[15:]))
    assert (one.train_normal, one.test_anomaly) == (ten.train_normal, ten.test_anomaly)
    assert list(ten.train_anomaly) == order[:10]


def test_limit_train_comes_before_contamination(make_dataset: Make) -> None:
    # 6 training normals, share 0.25: trunc(6 / 0.75 * 0.25) = 2
    options = {"contamination": 0.25, "limit_train": 6}
    split = splits.draw(make_dataset(COUNTS), "general", split_seed=0, shots=1, options=options)
    assert len(split.train_normal) == 8


def test_a_general_split_needs_test_anomalies(make_dataset: Make) -> None:
    dataset = make_dataset({"normal": 8, "cut": 10})
    with pytest.raises(DataError, match="none is left: ask for fewer shots"):
        splits.draw(dataset, "general", split_seed=0, shots=10)
    with pytest.raises(DataError, match="set the split option one_shot_test to own"):
        splits.draw(dataset, "general", split_seed=0, shots=1)
    assert splits.draw(dataset, "general", split_seed=0, shots=1, options={"one_shot_test": "own"}).test_anomaly


def test_without_labels_too_few_anomalies_are_all_tested(make_dataset: Make) -> None:
    few = make_dataset({"normal": 20, "bent": 1, "cut": 4})
    with pytest.raises(DataError, match="toy has 5 anomalies and the general rule takes 10 out of the test set"):
        splits.draw(few, "general", split_seed=0, shots=10)
    split = splits.draw(few, "general", split_seed=0, shots=10, is_labelled=False)
    assert (split.train_anomaly, len(split.test_anomaly)) == ((), 5)


def test_without_labels_enough_anomalies_give_the_ten_shot_test_set(make_dataset: Make) -> None:
    many = make_dataset(COUNTS)
    with_labels, without = (
        splits.draw(many, "general", split_seed=3, shots=10, is_labelled=is_labelled) for is_labelled in (True, False)
    )
    assert with_labels.fingerprint == without.fingerprint


def test_a_number_is_the_draw_that_leaves_the_test_set_of_every_number_of_labels(make_dataset: Make) -> None:
    dataset = make_dataset(COUNTS)
    order = by_rank(dataset, "bent", "cut", "hole")
    none, one, ten, twenty = (
        splits.draw(
            dataset, "general", split_seed=0, shots=shots, options={"one_shot_test": 20}, is_labelled=is_labelled
        )
        for shots, is_labelled in ((10, False), (1, True), (10, True), (20, True))
    )
    assert [split.train_anomaly for split in (one, ten, twenty)] == [tuple(order[:n]) for n in (1, 10, 20)]
    assert {split.test_anomaly for split in (none, one, ten, twenty)} == {tuple(sorted(order[20:]))}
    assert {split.test_fingerprint for split in (none, one, ten)} == {twenty.test_fingerprint}
    assert (
        ten.fingerprints["train_anomaly"]
        == splits.draw(dataset, "general", split_seed=0, shots=10).fingerprints["train_anomaly"]
    )
    assert ten.options == {"one_shot_test": 20}


def test_the_draw_of_ten_is_the_option_that_nobody_has_to_give(make_dataset: Make) -> None:
    dataset = make_dataset(COUNTS)
    usual, stated = (
        splits.draw(dataset, "general", split_seed=0, shots=1, options=options)
        for options in ({}, {"one_shot_test": 10})
    )
    assert stated == usual
    assert stated.options == {}


def test_a_number_that_leaves_no_anomaly_is_refused_without_labels_too(make_dataset: Make) -> None:
    dataset = make_dataset({"normal": 20, "bent": 10, "cut": 10})
    for is_labelled in (True, False):
        with pytest.raises(DataError, match="set the split option one_shot_test to less than 20, or leave it out"):
            splits.draw(
                dataset, "general", split_seed=0, shots=1, options={"one_shot_test": 20}, is_labelled=is_labelled
            )


@pytest.mark.parametrize("value", [9, 0, -100, 20.0, True])
def test_a_number_below_ten_or_no_whole_one_is_refused(make_dataset: Make, value: object) -> None:
    with pytest.raises(DataError, match=f"one_shot_test cannot be '{value}'"):
        splits.draw(make_dataset(COUNTS), "general", split_seed=0, shots=1, options={"one_shot_test": value})
