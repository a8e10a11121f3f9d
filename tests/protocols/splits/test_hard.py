"""The hard rule: labelled anomalies of one class, which leaves the test set."""

from collections.abc import Callable

import pytest
from split_sets import COUNTS, by_rank

from protocols.datasets.manifest import Dataset
from protocols.errors import DataError
from protocols.splits import split as splits

Make = Callable[..., Dataset]


def test_hard_draws_from_the_known_class_and_removes_all_of_it(make_dataset: Make) -> None:
    dataset = make_dataset(COUNTS)
    split = splits.draw(dataset, "hard", split_seed=3, known_class="cut", shots=10)
    assert list(split.train_anomaly) == by_rank(dataset, "cut", seed=3)[:10]
    assert not [id_ for id_ in split.test_anomaly if id_.startswith("cut/")]
    assert len(split.test_anomaly) == 15 + 4


def test_hard_takes_all_of_a_class_smaller_than_the_shots(make_dataset: Make) -> None:
    dataset = make_dataset(COUNTS)
    split = splits.draw(dataset, "hard", split_seed=0, known_class="hole", shots=10)
    assert list(split.train_anomaly) == by_rank(dataset, "hole")


def test_a_hard_split_needs_a_second_class(make_dataset: Make) -> None:
    with pytest.raises(DataError, match=r"no anomaly class but 'cut'.*use the rule general"):
        splits.draw(make_dataset({"normal": 8, "cut": 10}), "hard", split_seed=0, known_class="cut", shots=1)
