"""What the splits of one dataset share of their work changes none of them."""

import itertools
from pathlib import Path

from protocols.datasets.manifest import Dataset, Row, assemble_dataset
from protocols.splits.split import draw


def class_set() -> Dataset:
    """Twenty training and four test images of each of three classes."""
    rows = [
        Row(f"{half}/{i:05d}", "images.npy", str(i % 3), half, f"{half == 'train':d}{i:063x}", 8, 8, 1)
        for half, count in (("train", 60), ("test", 12))
        for i in range(count)
    ]
    return assemble_dataset("toyset", Path("nowhere"), rows)


def test_a_split_is_the_same_whichever_were_drawn_from_the_dataset_before() -> None:
    together = class_set()
    found = []
    for seed, normal, side in itertools.product((0, 1), ("0", "1"), ("one_class", "leave_one_out")):
        coordinates = {"split_seed": seed, "normal_class": normal, "gamma": "0.20", "options": {"normal_side": side}}
        alone = draw(class_set(), "labelled_share", **coordinates)
        assert draw(together, "labelled_share", **coordinates).train_anomaly == alone.train_anomaly
        found.append(alone.train_anomaly)
    assert len(set(found)) == len(found)
