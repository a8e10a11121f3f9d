"""`bench splits show`: the lists of ELPV's splits, equal to those drawn from the design's text alone."""

import hashlib
import importlib.util
import json
from pathlib import Path

import pytest

from benchmark.cli import status

if importlib.util.find_spec("elpv_dataset") is None:
    pytest.skip("the package elpv-dataset is not installed", allow_module_level=True)

DRAWN = json.loads((Path(__file__).parents[1] / "protocols" / "data" / "splits_elpv.json").read_text())
LISTS = ("train_normal", "train_anomaly", "test_normal", "test_anomaly")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.mark.parametrize(
    "stated", DRAWN["splits"], ids=lambda s: f"{s['rule']}-{s['known_class']}-{s['shots']}-{s['split_seed']}"
)
def test_a_split_is_the_stated_one(stated, data, monkeypatch, capfd):
    monkeypatch.setenv("BENCH_DATA", str(data))
    known = ["--known-class", stated["known_class"]] if stated["known_class"] else []
    words = ["splits", "show", "--protocol", stated["rule"], "--dataset", "elpv", *known, "--json"]
    assert status([*words, "--shots", str(stated["shots"]), "--seed", str(stated["split_seed"])]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert {"dataset", "protocol", "known_class", "shots", "seed", "fingerprint", *LISTS} <= shown.keys()
    assert [len(shown[name]) for name in LISTS] == stated["counts"]
    assert shown["train_anomaly"] == stated["train_anomaly"]
    assert shown["fingerprint"] == stated["fingerprint"]
    for name in LISTS:
        text = "".join(f"{image}\n" for image in shown[name])
        assert hashlib.sha256(text.encode()).hexdigest() == stated[f"{name}_fingerprint"]
