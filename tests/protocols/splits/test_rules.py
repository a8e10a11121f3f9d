"""The rules for sets of classes, and cross-domain."""

import dataclasses
import itertools
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from protocols.datasets.manifest import Dataset, Row, assemble_dataset
from protocols.errors import DataError
from protocols.splits import split as splits
from protocols.splits.draw.ranking import rank
from protocols.splits.rules.labelled_share import exact_share, n_anomalies

Make = Callable[..., Dataset]


def class_set(train: int = 12, test: int = 4, classes: int = 3, name: str = "toyset") -> Dataset:
    """So many training and test images of each class, contents all different, ids that say nothing of the class."""
    rows = [
        Row(f"{half}/{i:05d}", "images.npy", str(i % classes), half, f"{half == 'train':d}{i:063x}", 8, 8, 1)
        for half, count in (("train", train), ("test", test))
        for i in range(count * classes)
    ]
    return assemble_dataset(name, Path("nowhere"), rows)


def labels(dataset: Dataset, ids: tuple[str, ...]) -> set[str]:
    return {dataset.row(id_).label for id_ in ids}


def test_one_class_trains_on_the_class_and_tests_on_the_whole_test_set() -> None:
    dataset = class_set()
    split = splits.draw(dataset, "one_class", split_seed=0, normal_class="1")
    assert split.train_normal == tuple(f"train/{i:05d}" for i in range(1, 36, 3))
    assert split.train_anomaly == ()
    assert split.test_normal == tuple(f"test/{i:05d}" for i in range(1, 12, 3))
    assert set(split.test_anomaly) == {f"test/{i:05d}" for i in range(12) if i % 3 != 1}
    assert (split.normal_class, split.shots, split.gamma, split.known_class) == ("1", None, None, None)
    splits.validate(split, dataset)


def test_one_class_does_not_depend_on_the_seed() -> None:
    one, other = (splits.draw(class_set(), "one_class", split_seed=seed, normal_class="0") for seed in (0, 1))
    assert one.fingerprint == other.fingerprint


def test_leave_one_out_makes_the_named_class_the_anomalous_one() -> None:
    dataset = class_set()
    split = splits.draw(dataset, "one_class", split_seed=0, normal_class="1", options={"normal_side": "leave_one_out"})
    assert labels(dataset, split.train_normal) == labels(dataset, split.test_normal) == {"0", "2"}
    assert labels(dataset, split.test_anomaly) == {"1"}
    assert split.options == {"normal_side": "leave_one_out"}
    shared = splits.draw(
        dataset,
        "labelled_share",
        split_seed=0,
        normal_class="1",
        gamma="0.20",
        options={"normal_side": "leave_one_out"},
    )
    assert labels(dataset, shared.train_anomaly) == {"1"}
    assert len(shared.train_anomaly) == 6  # floor(24 / 4 + 1/2)


def test_labelled_anomalies_are_the_first_by_rank_of_the_other_classes() -> None:
    dataset = class_set()
    split = splits.draw(dataset, "labelled_share", split_seed=5, normal_class="2", gamma="0.20")
    others = [row.id for row in dataset.rows if row.split == "train" and row.label != "2"]
    order = sorted(others, key=lambda id_: rank("toyset", "anomaly", "5", id_))
    assert list(split.train_anomaly) == order[:3]  # floor(12 / 4 + 1/2)
    plain = splits.draw(dataset, "one_class", split_seed=5, normal_class="2")
    assert (split.train_normal, split.test_normal, split.test_anomaly) == (
        plain.train_normal,
        plain.test_normal,
        plain.test_anomaly,
    )


def test_a_smaller_share_is_a_prefix_of_a_larger_one_and_none_is_empty() -> None:
    drawn = [
        splits.draw(class_set(60), "labelled_share", split_seed=1, normal_class="0", gamma=gamma).train_anomaly
        for gamma in ("0.00", "0.01", "0.03", "0.05", "0.10", "0.20")
    ]
    assert [len(ids) for ids in drawn] == [0, 1, 2, 3, 7, 15]
    for smaller, larger in itertools.pairwise(drawn):
        assert larger[: len(smaller)] == smaller


def test_the_class_does_not_enter_the_rank() -> None:
    # images of class 2 are drawn in the same order whether class 0 or class 1 is normal
    orders = []
    dataset = class_set(60)
    for normal in ("0", "1"):
        split = splits.draw(dataset, "labelled_share", split_seed=1, normal_class=normal, gamma="0.50")
        orders.append([id_ for id_ in split.train_anomaly if dataset.row(id_).label == "2"])
    n_common = min(map(len, orders))
    assert n_common > 10
    assert orders[0][:n_common] == orders[1][:n_common]


def test_the_share_counts_the_normals_that_limit_train_leaves() -> None:
    split = splits.draw(
        class_set(), "labelled_share", split_seed=0, normal_class="0", gamma="0.20", options={"limit_train": 4}
    )
    assert (len(split.train_normal), len(split.train_anomaly)) == (4, 1)


# AGAD's counts, specs/agad.md 1.1: rows of 6,000, 5,000 and 2,500 normals a class.
@pytest.mark.parametrize(
    ("n_normal", "counts"),
    [(6000, (61, 186, 316, 667, 1500)), (5000, (51, 155, 263, 556, 1250)), (2500, (25, 77, 132, 278, 625))],
)
def test_the_papers_shares_give_the_papers_counts(n_normal: int, counts: tuple[int, ...]) -> None:
    gammas = ("0.01", "0.03", "0.05", "0.10", "0.20")
    assert tuple(n_anomalies(n_normal, exact_share(gamma)) for gamma in gammas) == counts


def test_a_half_is_rounded_up_exactly() -> None:
    # 9 * 0.1 / 0.9 = 1 exactly; 18 * 0.2 / 0.8 = 4.5, which is 5; floats would not be sure of either
    assert n_anomalies(9, exact_share("0.10")) == 1
    assert n_anomalies(18, exact_share("0.20")) == 5
    assert exact_share("0.05") == Fraction(1, 20)


@pytest.mark.parametrize(
    ("gamma", "problem"),
    [
        (".05", "gamma cannot be '.05': did you mean '0.05'"),
        ("0.1", "did you mean '0.10'"),
        ("0.050", "did you mean '0.05'"),
        ("5e-2", "did you mean '0.05'"),
        ("0", "did you mean '0.00'"),
        (0.05, "did you mean '0.05'"),
        ("5", "give a share of the training images from 0.00 up to, not including, 1, such as 0.05"),
        ("-0.05", "give a share"),
        ("1.00", "give a share"),
        ("nan", "give a share"),
        ("1e-999999999", "give a share"),
        ("0e-999999999", "did you mean '0.00'"),
        ("a twentieth", "give a share"),
    ],
)
def test_only_the_canonical_text_of_a_share_is_taken(gamma: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        splits.draw(class_set(), "labelled_share", split_seed=0, normal_class="0", gamma=gamma)


def test_more_anomalies_than_there_are_is_refused() -> None:
    with pytest.raises(DataError, match="asks for 108 labelled anomalies and toyset has 24 for training: lower gamma"):
        splits.draw(class_set(), "labelled_share", split_seed=0, normal_class="0", gamma="0.90")


def test_leak_guard_takes_the_content_of_labelled_anomalies_out_of_the_test_set() -> None:
    plain = class_set()
    drawn = splits.draw(plain, "labelled_share", split_seed=0, normal_class="0", gamma="0.20").train_anomaly
    content = plain.row(drawn[0]).sha256
    dataset = assemble_dataset(
        "toyset",
        plain.folder,
        [dataclasses.replace(row, sha256=content) if row.id == "test/00001" else row for row in plain.rows],
    )
    arguments = {"split_seed": 0, "normal_class": "0", "gamma": "0.20"}
    assert "test/00001" in splits.draw(dataset, "labelled_share", **arguments).test_anomaly
    guarded = splits.draw(dataset, "labelled_share", **arguments, options={"leak_guard": True})
    assert "test/00001" not in guarded.test_anomaly


def test_deduplicate_keeps_the_test_image_of_a_content_in_both_halves_whatever_the_labels() -> None:
    rows = [
        dataclasses.replace(row, sha256="f" * 64) if row.id in {"test/00000", "train/00000", "train/00001"} else row
        for row in class_set().rows
    ]
    dataset = assemble_dataset("toyset", Path("nowhere"), rows)
    split = splits.draw(dataset, "one_class", split_seed=0, normal_class="0", options={"deduplicate": True})
    assert "test/00000" in split.test_normal
    assert "train/00000" not in split.train_normal
    other = splits.draw(dataset, "one_class", split_seed=0, normal_class="1", options={"deduplicate": True})
    assert len(other.train_normal) == 11


def test_a_set_with_normal_images_of_its_own_is_refused(make_dataset: Make) -> None:
    dataset = make_dataset({"normal": 20, "cut": 20})
    for rule, more in (("one_class", {}), ("labelled_share", {"gamma": "0.05"})):
        with pytest.raises(DataError, match=r"toy has normal images of its own.*use the rule general"):
            splits.draw(dataset, rule, split_seed=0, normal_class="cut", **more)


def test_rules_for_normals_point_a_set_of_classes_to_one_class() -> None:
    with pytest.raises(DataError, match="toyset has no normal images: use the rule one_class for a set of classes"):
        splits.draw(class_set(), "general", split_seed=0, shots=10)


def test_a_set_that_does_not_fix_its_halves_is_refused(make_dataset: Make) -> None:
    with pytest.raises(DataError, match=r"does not say which images are for training.*fill the column 'split'"):
        splits.draw(make_dataset({"0": 5, "1": 5}), "one_class", split_seed=0, normal_class="0")


@pytest.mark.parametrize("half", ["train", "test"])
def test_a_class_without_images_in_a_half_is_refused(half: str) -> None:
    dataset = class_set()
    kept = assemble_dataset(
        "toyset", dataset.folder, [row for row in dataset.rows if (row.label, row.split) != ("0", half)]
    )
    with pytest.raises(DataError, match=f"no normal {half}.* images with the class '0': choose another class"):
        splits.draw(kept, "one_class", split_seed=0, normal_class="0")


def test_a_single_class_leaves_nothing_to_find() -> None:
    with pytest.raises(DataError, match="no anomalous test images"):
        splits.draw(class_set(classes=1), "one_class", split_seed=0, normal_class="0")


@pytest.mark.parametrize(
    ("rule", "arguments", "problem"),
    [
        ("one_class", {}, "the rule one_class needs a value for normal_class: its coordinates are normal_class"),
        ("one_class", {"normal_class": "0", "shots": 10}, "the rule one_class takes no shots"),
        ("one_class", {"normal_class": "7"}, "toyset has no class '7': choose one of 0, 1, 2"),
        ("one_class", {"normal_class": "normal"}, "toyset has no class 'normal'"),
        ("labelled_share", {"normal_class": "0"}, "needs a value for gamma: its coordinates are normal_class, gamma"),
        ("one_class", {"normal_class": "0", "options": {"leak_guard": True}}, "no split option 'leak_guard'"),
        ("one_class", {"normal_class": "0", "options": {"normal_side": "leave_one"}}, "did you mean 'leave_one_out'"),
        ("general", {"shots": 1, "options": {"normal_side": "one_class"}}, "no split option 'normal_side'"),
    ],
)
def test_what_cannot_be_drawn_from_classes_is_refused(rule: str, arguments: dict[str, object], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        splits.draw(class_set(), rule, split_seed=0, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("shots", [1, 10])
def test_cross_domain_tests_on_the_general_split_of_the_target(make_dataset: Make, shots: int) -> None:
    dataset = make_dataset({"normal": 20, "bent": 15, "cut": 12})
    options = {"limit_test": 20}
    cross = splits.draw(dataset, "cross_domain", split_seed=2, shots=shots, options=options)
    general = splits.draw(dataset, "general", split_seed=2, shots=shots, options=options)
    assert cross.fingerprints == general.fingerprints
    assert cross.rule == "cross_domain"
    splits.validate(cross, dataset)
