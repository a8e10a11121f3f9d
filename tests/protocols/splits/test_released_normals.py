"""The option `normal_split` = `released`: the authors' own draw of normals, whatever their number."""

import hashlib
from pathlib import Path

import pytest
from sklearn.model_selection import train_test_split

from protocols.datasets.manifest import Dataset, Row, assemble_dataset
from protocols.errors import DataError
from protocols.splits.split import draw


def head_ct(normals: int) -> Dataset:
    """Made-up rows under the ids of HeadCT: normals, then twelve with a haemorrhage."""
    rows = []
    for number in range(normals + 12):
        id_ = f"{number:03d}.png"
        label = "normal" if number < normals else "defect"
        rows.append(Row(id_, id_, label, "", hashlib.sha256(id_.encode()).hexdigest(), 8, 8, 3))
    return assemble_dataset("head_ct", Path("nowhere"), rows)


@pytest.mark.parametrize("normals", [20, 21, 22, 23])
def test_normals_are_split_as_scikit_learn_does_whatever_is_left_over(normals: int) -> None:
    train, test = train_test_split([f"{number:03d}.png" for number in range(normals)], test_size=0.25, random_state=42)
    split = draw(head_ct(normals), "general", split_seed=0, shots=1, options={"normal_split": "released"})
    assert split.train_normal == tuple(sorted(train))
    assert split.test_normal == tuple(sorted(test))


def optical(halves: tuple[str, ...]) -> Dataset:
    """Made-up rows under the ids of DAGM: two normals and one anomaly in each half of the ten textures."""
    ids = [f"Class{texture}/{half}/{n:04d}.PNG" for texture in range(1, 11) for half in halves for n in range(3)]
    rows = [
        Row(id_, id_, "defect" if id_.endswith("2.PNG") else "normal", "", f"{n:064x}", 8, 8, 1)
        for n, id_ in enumerate(ids)
    ]
    return assemble_dataset("optical", Path("nowhere"), rows)


def test_the_order_of_a_label_file_is_that_of_the_values_in_the_facts() -> None:
    dataset = optical(("Train", "Test"))
    listed = [
        f"Class{texture}/{half}/{n:04d}.PNG" for texture in range(1, 11) for half in ("Train", "Test") for n in range(2)
    ]
    _, test = train_test_split(listed, test_size=0.25, random_state=42)
    split = draw(dataset, "general", split_seed=0, shots=1, options={"normal_split": "released"})
    assert split.test_normal == tuple(sorted(test))


def test_ids_that_the_label_file_cannot_have_are_refused() -> None:
    with pytest.raises(DataError, match="for optical: the label file's order is not known; use 'ranked'"):
        draw(optical(("Train", "Rest")), "general", split_seed=0, shots=1, options={"normal_split": "released"})
