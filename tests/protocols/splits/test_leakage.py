import dataclasses
from collections.abc import Callable

import pytest
from repository import SHARED

from protocols.datasets.manifest import Dataset, Row, assemble_dataset
from protocols.splits import leakage
from protocols.splits import split as splits
from protocols.splits.leakage import Crossing

Make = Callable[..., Dataset]

COUNTS = {"normal": 20, "bent": 15, "cut": 12}


def test_duplicates_are_the_groups_of_equal_content_sorted(make_dataset: Make) -> None:
    same = {"normal/007.png": "x", "bent/003.png": "x", "cut/001.png": "y", "cut/000.png": "y"}
    dataset = make_dataset(COUNTS, same=same)
    assert leakage.duplicate_groups(dataset) == (("bent/003.png", "normal/007.png"), ("cut/000.png", "cut/001.png"))
    assert leakage.mislabelled_groups(dataset) == (("bent/003.png", "normal/007.png"),)
    assert leakage.duplicate_groups(make_dataset(COUNTS)) == ()


def test_a_content_on_both_sides_is_found_and_deduplicate_removes_it(make_dataset: Make) -> None:
    plain = splits.draw(make_dataset(COUNTS), "general", split_seed=0, shots=10)
    train, test, labelled = plain.train_normal[0], plain.test_normal[0], plain.train_anomaly[0]
    same = {train: "x", test: "x", labelled: "y", plain.test_anomaly[2]: "y"}
    dataset = make_dataset(COUNTS, same=same | {plain.test_anomaly[0]: "z", plain.test_anomaly[1]: "z"})
    split = splits.draw(dataset, "general", split_seed=0, shots=10)
    found = leakage.split_leaks(split, dataset)
    assert set(found.contents) == {Crossing((train,), (test,)), Crossing((labelled,), (plain.test_anomaly[2],))}
    assert list(found.contents) == sorted(found.contents, key=lambda crossing: crossing.training)
    assert found.photographs == ()
    options = {"deduplicate": True}
    distinct = splits.draw(dataset, "general", split_seed=0, shots=10, options=options)
    assert leakage.split_leaks(distinct, dataset).contents == ()
    assert distinct.fingerprint != split.fingerprint


def test_crops_of_one_photograph_on_both_sides_are_a_finding_of_their_own(make_dataset: Make) -> None:
    plain = make_dataset(COUNTS)
    split = splits.draw(plain, "general", split_seed=0, shots=10)
    strips = dict.fromkeys((*split.train_normal[:2], split.test_anomaly[0]), "strip 1")
    strips |= dict.fromkeys(split.test_normal[:2], "strip 2")
    rows = [dataclasses.replace(row, group=strips.get(row.id, "")) for row in plain.rows]
    dataset = assemble_dataset("toy", plain.folder, rows)
    found = leakage.split_leaks(splits.draw(dataset, "general", split_seed=0, shots=10), dataset)
    assert found.contents == ()
    assert found.photographs == (Crossing(split.train_normal[:2], (split.test_anomaly[0],)),)


def test_the_halves_of_a_release_can_be_compared_without_a_split(make_dataset: Make) -> None:
    dataset = make_dataset(COUNTS, same={"cut/000.png": "x", "bent/000.png": "x"})
    assert leakage.list_leaks(["cut/000.png"], ["bent/000.png", "bent/001.png"], dataset).contents == (
        Crossing(("cut/000.png",), ("bent/000.png",)),
    )


def test_brain_mri_repeats_images_within_its_classes_only() -> None:
    # spec 10.7: 22 groups, 11 pairs of `no`; of `yes` 9 pairs, a triple and a quadruple
    raw = SHARED / "data" / "raw" / "BrainMRI"
    if not raw.exists():
        pytest.skip(f"{raw} is not there")
    import hashlib

    rows = [
        Row(
            f"{path.parent.name}/{path.name}",
            path.name,
            label,
            "",
            hashlib.sha256(path.read_bytes()).hexdigest(),
            1,
            1,
            1,
        )
        for folder, label in (("no", "normal"), ("yes", "defect"))
        for path in (raw / folder).iterdir()
    ]
    dataset = assemble_dataset("brain_mri", raw, rows)
    groups = leakage.duplicate_groups(dataset)
    assert sorted(len(group) for group in groups if group[0].startswith("no/")) == [2] * 11
    assert sorted(len(group) for group in groups if group[0].startswith("yes/")) == [2] * 9 + [3, 4]
    assert leakage.mislabelled_groups(dataset) == ()
    split = splits.draw(dataset, "general", split_seed=0, shots=10)
    assert leakage.split_leaks(split, dataset).contents
