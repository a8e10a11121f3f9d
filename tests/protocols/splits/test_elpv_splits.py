"""ELPV's manifest and eighteen splits, drawn elsewhere from the text of the design alone, byte for byte."""

import json
from typing import Any

import pytest
from repository import ROOT

from protocols.datasets.manifest import Dataset
from protocols.splits import split as splits
from protocols.splits.draw.ranking import rank

VECTORS = json.loads((ROOT / "tests" / "protocols" / "splits" / "data" / "splits_elpv.json").read_text())


def test_the_rank_example() -> None:
    example = VECTORS["rank_example"]
    assert rank(example["dataset"], example["purpose"], example["seed"], example["id"]) == example["sha256"]


def test_the_manifest(elpv: Dataset) -> None:
    assert len(elpv.rows) == VECTORS["manifest"]["rows"]
    assert elpv.fingerprint == VECTORS["manifest"]["fingerprint"]
    first = elpv.rows[0]
    assert f"{first.id}\t{first.label}\t{first.split}\t{first.sha256}" == VECTORS["manifest"]["first_line"]
    assert {(row.width, row.height, row.channels) for row in elpv.rows} == {(300, 300, 1)}
    assert elpv.labels == ("mono", "poly")


@pytest.mark.parametrize(
    "expected", VECTORS["splits"], ids=lambda s: f"{s['rule']}-{s['known_class']}-{s['shots']}-s{s['split_seed']}"
)
def test_each_split(elpv: Dataset, expected: dict[str, Any]) -> None:
    split = splits.draw(
        elpv,
        expected["rule"],
        split_seed=expected["split_seed"],
        known_class=expected["known_class"],
        shots=expected["shots"],
    )
    lists = (split.train_normal, split.train_anomaly, split.test_normal, split.test_anomaly)
    assert [len(ids) for ids in lists] == expected["counts"]
    assert list(split.train_anomaly) == expected["train_anomaly"]
    assert split.fingerprint == expected["fingerprint"]
    for name, fingerprint in split.fingerprints.items():
        assert fingerprint == expected[f"{name}_fingerprint"]
    assert split.options == {}
    splits.validate(split, elpv)


def test_the_released_normals_are_those_of_scikit_learn(elpv: Dataset) -> None:
    from sklearn.model_selection import train_test_split

    normals = [row.id for row in elpv.rows if row.label == "normal"]
    train, test = train_test_split(normals, test_size=0.25, random_state=42)
    split = splits.draw(elpv, "general", split_seed=0, shots=10, options={"normal_split": "released"})
    assert split.train_normal == tuple(sorted(train))
    assert split.test_normal == tuple(sorted(test))
    assert split.options == {"normal_split": "released"}
