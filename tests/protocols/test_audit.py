import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from repository import SHARED

from protocols import audit
from protocols import split as splits
from protocols.audit import Crossing
from protocols.datasets.manifest import Dataset, Row, build
from protocols.errors import DataError
from protocols.prepare import adopt

Make = Callable[..., Dataset]

COUNTS = {"normal": 20, "bent": 15, "cut": 12}


def test_duplicates_are_the_groups_of_equal_content_sorted(make_dataset: Make) -> None:
    same = {"normal/007.png": "x", "bent/003.png": "x", "cut/001.png": "y", "cut/000.png": "y"}
    dataset = make_dataset(COUNTS, same=same)
    assert audit.duplicates(dataset) == (("bent/003.png", "normal/007.png"), ("cut/000.png", "cut/001.png"))
    assert audit.mislabelled(dataset) == (("bent/003.png", "normal/007.png"),)
    assert audit.duplicates(make_dataset(COUNTS)) == ()


def test_a_content_on_both_sides_is_found_and_deduplicate_removes_it(make_dataset: Make) -> None:
    plain = splits.draw(make_dataset(COUNTS), "general", split_seed=0, shots=10)
    train, test, labelled = plain.train_normal[0], plain.test_normal[0], plain.train_anomaly[0]
    same = {train: "x", test: "x", labelled: "y", plain.test_anomaly[2]: "y"}
    dataset = make_dataset(COUNTS, same=same | {plain.test_anomaly[0]: "z", plain.test_anomaly[1]: "z"})
    split = splits.draw(dataset, "general", split_seed=0, shots=10)
    found = audit.across(split, dataset)
    assert set(found.contents) == {Crossing((train,), (test,)), Crossing((labelled,), (plain.test_anomaly[2],))}
    assert list(found.contents) == sorted(found.contents, key=lambda crossing: crossing.training)
    assert found.photographs == ()
    options = {"deduplicate": True}
    distinct = splits.draw(dataset, "general", split_seed=0, shots=10, options=options)
    assert audit.across(distinct, dataset).contents == ()
    assert distinct.fingerprint != split.fingerprint


def test_crops_of_one_photograph_on_both_sides_are_a_finding_of_their_own(make_dataset: Make) -> None:
    plain = make_dataset(COUNTS)
    split = splits.draw(plain, "general", split_seed=0, shots=10)
    strips = dict.fromkeys((*split.train_normal[:2], split.test_anomaly[0]), "strip 1")
    strips |= dict.fromkeys(split.test_normal[:2], "strip 2")
    rows = [dataclasses.replace(row, group=strips.get(row.id, "")) for row in plain.rows]
    dataset = build("toy", plain.folder, rows)
    found = audit.across(splits.draw(dataset, "general", split_seed=0, shots=10), dataset)
    assert found.contents == ()
    assert found.photographs == (Crossing(split.train_normal[:2], (split.test_anomaly[0],)),)


def test_the_halves_of_a_release_can_be_compared_without_a_split(make_dataset: Make) -> None:
    dataset = make_dataset(COUNTS, same={"cut/000.png": "x", "bent/000.png": "x"})
    assert audit.between(["cut/000.png"], ["bent/000.png", "bent/001.png"], dataset).contents == (
        Crossing(("cut/000.png",), ("bent/000.png",)),
    )


@pytest.fixture
def alike(tmp_path: Path) -> Dataset:
    """Five pictures as a folder: `b` is `a` a little brighter, `c` is `a` byte for byte, the others are different."""
    source = tmp_path / "raw" / "toy"
    ramp = np.add.outer(np.arange(64) * 2, np.arange(64)).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (2, 64, 64), dtype=np.uint8)
    pictures = {
        "train/good/a": ramp,
        "test/good/b": ramp + np.uint8(3),
        "test/cut/c": ramp,
        "train/good/d": noise[0],
        "test/cut/e": noise[1],
    }
    for name, pixels in pictures.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(source / f"{name}.png")
    return adopt(source, "toy", tmp_path / "data")


def test_pictures_that_look_alike_are_grouped(alike: Dataset) -> None:
    pytest.importorskip("imagehash", reason="the extra audit is not installed")
    assert audit.near_duplicates(alike, 2) == (("test/cut/c.png", "test/good/b.png", "train/good/a.png"),)
    assert audit.near_duplicates(alike, 1, distance=64) == (tuple(row.id for row in alike.rows),)


def test_equal_contents_alone_are_no_near_duplicates(alike: Dataset) -> None:
    pytest.importorskip("imagehash", reason="the extra audit is not installed")
    kept = build("toy", alike.folder, [row for row in alike.rows if row.id != "test/good/b.png"])
    assert audit.duplicates(kept) == (("test/cut/c.png", "train/good/a.png"),)
    assert audit.near_duplicates(kept, 2) == ()


def test_near_codes_are_joined_through_chains_and_across_blocks() -> None:
    # 0 and 0b11 differ in two bits, 0b11 and 0b1111 in two; 0 and 0b1111 in four
    codes = np.full(400, 0, dtype=np.uint64)
    codes[:] = np.random.default_rng(1).integers(0, 2**63, 400, dtype=np.uint64)
    codes[[3, 200, 399]] = 0b0, 0b11, 0b1111
    assert audit._joined(codes, 2) == [[3, 200, 399]]
    assert audit._joined(codes, 1) == []


def test_without_imagehash_the_next_step_is_named(make_dataset: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imagehash", None)
    with pytest.raises(DataError, match=r"pip install 'swanbench\[audit\]'"):
        audit.near_duplicates(make_dataset(COUNTS), 1)


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
    dataset = build("brain_mri", raw, rows)
    groups = audit.duplicates(dataset)
    assert sorted(len(group) for group in groups if group[0].startswith("no/")) == [2] * 11
    assert sorted(len(group) for group in groups if group[0].startswith("yes/")) == [2] * 9 + [3, 4]
    assert audit.mislabelled(dataset) == ()
    split = splits.draw(dataset, "general", split_seed=0, shots=10)
    assert audit.across(split, dataset).contents
