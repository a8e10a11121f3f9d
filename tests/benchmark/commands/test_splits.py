"""`bench splits`: ELPV's lists equal those drawn from the design's text alone; verify and export."""

import csv
import hashlib
import importlib.util
import io
import json
import tomllib

import pytest
from array_sets import array_set
from msgspec import to_builtins
from msgspec.structs import replace
from pictures import noise
from repository import ROOT

from benchmark.cli import status
from protocols.datasets.manifest import write_manifest
from protocols.datasets.registry import our_datasets
from protocols.splits import rules

if importlib.util.find_spec("elpv_dataset") is None:
    pytest.skip("the package elpv-dataset is not installed", allow_module_level=True)

DRAWN = json.loads((ROOT / "tests" / "protocols" / "splits" / "data" / "splits_elpv.json").read_text())
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


@pytest.fixture
def elpv(data, monkeypatch):
    monkeypatch.setenv("BENCH_DATA", str(data))


@pytest.fixture
def classes(tmp_path, monkeypatch):
    """A prepared set of two classes, of which one image is both in training and in test."""
    pixels = noise(0, 40, 6, 6, 1)
    pixels[30] = pixels[3]
    dataset = array_set(tmp_path / "data" / "toyset", pixels)
    write_manifest(dataset, dataset.folder)
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    return tmp_path


def test_ten_shots_are_the_default_where_a_rule_has_shots(elpv, capfd):
    assert status(["splits", "show", "--protocol", "general", "--dataset", "elpv", "--json"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert shown["shots"] == 10
    assert not {"normal_class", "gamma"} & shown.keys()


def test_the_class_and_the_share_are_shown_where_the_rule_has_them(classes, capfd):
    words = ["splits", "show", "--dataset", "toyset", "--normal-class", "1", "--json"]
    assert status([*words, "--protocol", "one_class"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert (shown["normal_class"], shown["shots"], shown["known_class"]) == ("1", None, None)
    assert "gamma" not in shown
    assert len(shown["train_normal"]) == 10
    assert status([*words, "--protocol", "labelled_share", "--gamma", "0.20", "--split", "limit_train=8"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert (shown["normal_class"], shown["gamma"], shown["options"]) == ("1", "0.20", {"limit_train": 8})
    assert len(shown["train_anomaly"]) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", "--protocol", "one_class", "--dataset", "toyset"], "needs a value for normal_class"),
        (["show", "--protocol", "one_class", "--dataset", "toyset", "--normal-class", "2"], "choose one of 0, 1"),
        (["show", "--protocol", "one_class", "--dataset", "toyset", "--normal-class", "1", "--shots", "1"], "no shots"),
        (
            ["show", "--protocol", "labelled_share", "--dataset", "toyset", "--normal-class", "1", "--gamma", "0.1"],
            "did you mean '0.10'?",
        ),
        (["export", "--protocol", "general", "--dataset", "toyset", "--format", "mvtec"], "give --output PATH"),
        (["export", "--protocol", "general", "--dataset", "toyset", "--format", "croissant"], "give --output PATH"),
        (["export", "--protocol", "general", "--dataset", "toyset", "--masks"], "add --format mvtec"),
        (["export", "--protocol", "general", "--dataset", "toyset", "--format", "json", "--symbolic"], "add --format"),
        (["verify", "toyset", "--deduplicate"], "add --protocol one_class and --normal-class"),
        (["verify", "toysets"], "did you mean 'toyset'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_drawn_is_one_line_and_exit_status_2(classes, capfd, words, said):
    assert status(["splits", *words]) == 2
    told = capfd.readouterr()
    assert said in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["elpv", "--protocol", "hard", "--known-class", "mono"], "elpv: hard, mono, 10 shots, seed 0"),
        (
            ["toyset", "--protocol", "labelled_share", "--normal-class", "1", "--gamma", "0.20"],
            "toyset: labelled_share, 1, gamma 0.20, seed 0",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_verify_names_the_split_by_all_its_coordinates(data, classes, monkeypatch, capfd, words, said):
    if words[0] == "elpv":
        monkeypatch.setenv("BENCH_DATA", str(data))
    status(["splits", "verify", *words])
    assert capfd.readouterr().out.startswith(f"{said}\n")


def test_the_help_names_every_rule(capfd):
    assert status(["splits", "show", "--help"]) == 0
    told = " ".join(capfd.readouterr().out.split())
    assert f"The rule: {', '.join(rules.rule_names())}." in told


def test_verify_reports_what_is_in_both_halves_of_a_release(classes, capfd):
    assert status(["splits", "verify"]) == 0
    told = capfd.readouterr().out
    assert "equal images on both sides: 1 group\n    training train/00010; test test/00003" in told
    assert "1 with different labels" in told
    assert status(["splits", "verify", "toyset", "--protocol", "one_class", "--normal-class", "0", "--json"]) == 0
    (finding,) = json.loads(capfd.readouterr().out)
    assert finding["contents"] == [{"training": ["train/00010"], "test": ["test/00003"]}]
    assert finding["duplicates"] == [["test/00003", "train/00010"]]
    assert (finding["photographs"], finding["committed"], finding["near_duplicates"]) == ([], None, None)
    words = ["splits", "verify", "toyset", "--protocol", "one_class", "--normal-class", "0", "--deduplicate", "--json"]
    assert status(words) == 0
    assert json.loads(capfd.readouterr().out)[0]["contents"] == []


def test_verify_compares_with_the_committed_fingerprints(elpv, capfd, monkeypatch):
    assert status(["splits", "verify", "elpv"]) == 0
    assert "its 11 fingerprints are the committed ones" in capfd.readouterr().out
    info = our_datasets()["elpv"]
    other = replace(info.fingerprints, splits=info.fingerprints.splits | {"hard-mono-10-s1": "f" * 64})
    monkeypatch.setitem(our_datasets(), "elpv", replace(info, fingerprints=other))
    assert status(["splits", "verify", "elpv"]) == 1
    (line,) = [line for line in capfd.readouterr().out.splitlines() if "differs" in line]
    found = info.fingerprints.splits["hard-mono-10-s1"][:16]
    assert line == f"  differs: elpv: hard-mono-10-s1 is {found}, the committed fingerprint is {'f' * 16}"


def test_verify_writes_the_fingerprints_that_are_committed(elpv, tmp_path, capfd):
    assert status(["splits", "verify", "elpv", "--write", str(tmp_path / "found.toml")]) == 0
    written = tomllib.loads((tmp_path / "found.toml").read_text())
    assert written == {"fingerprints": to_builtins(our_datasets()["elpv"].fingerprints)}


def test_verify_needs_something_prepared(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    assert status(["splits", "verify"]) == 2
    assert "no dataset is prepared: name one" in capfd.readouterr().err


def test_export_prints_or_writes_the_list(elpv, tmp_path, capfd):
    words = ["splits", "export", "--protocol", "hard", "--known-class", "mono", "--dataset", "elpv"]
    assert status(words) == 0
    printed = capfd.readouterr().out
    assert status([*words, "--output", str(tmp_path / "split.csv")]) == 0
    assert (tmp_path / "split.csv").read_text() == printed
    stated = next(s for s in DRAWN["splits"] if (s["known_class"], s["shots"], s["split_seed"]) == ("mono", 10, 0))
    lines = list(csv.DictReader(io.StringIO(printed)))
    assert [line["id"] for line in lines if line["list"] == "train_anomaly"] == stated["train_anomaly"]
    assert [sum(line["list"] == name for line in lines) for name in LISTS] == stated["counts"]


def test_export_prints_or_writes_json_of_the_same_lists(elpv, tmp_path, capfd):
    words = ["--protocol", "hard", "--known-class", "poly", "--dataset", "elpv"]
    assert status(["splits", "show", *words, "--json"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert status(["splits", "export", *words, "--format", "json"]) == 0
    printed = capfd.readouterr().out
    assert status(["splits", "export", *words, "--format", "json", "--output", str(tmp_path / "split.json")]) == 0
    assert (tmp_path / "split.json").read_text() == printed
    exported = json.loads(printed)
    assert [entry["id"] for entry in exported["labeled"]] == shown["train_normal"] + shown["train_anomaly"]
    assert [entry["id"] for entry in exported["test"]] == shown["test_normal"] + shown["test_anomaly"]
    assert exported["meta"]["split"].items() <= shown.items()


def test_export_describes_a_split_in_a_folder(elpv, tmp_path, capfd):
    words = ["--protocol", "hard", "--known-class", "mono", "--dataset", "elpv"]
    assert status(["splits", "export", *words, "--format", "croissant", "--output", str(tmp_path / "out")]) == 0
    assert status(["splits", "export", *words]) == 0
    assert (tmp_path / "out" / "split.csv").read_text() == capfd.readouterr().out
    described = json.loads((tmp_path / "out" / "croissant.json").read_text())
    assert (described["name"], described["license"]) == ("elpv-hard-mono-10-s0", our_datasets()["elpv"].licence)


def test_a_split_file_is_shown_verified_and_exported(elpv, tmp_path, capfd):
    words = ["--protocol", "hard", "--known-class", "mono", "--dataset", "elpv", "--seed", "1"]
    file = tmp_path / "split.json"
    assert status(["splits", "export", *words, "--format", "json", "--output", str(file)]) == 0
    assert status(["splits", "show", *words, "--json"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert status(["splits", "show", "--split-file", str(file), "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == shown
    assert status(["splits", "export", *words]) == 0
    printed = capfd.readouterr().out
    assert status(["splits", "export", "--split-file", str(file)]) == 0
    assert capfd.readouterr().out == printed
    foreign = {name: shown[name] for name in LISTS} | {"train_anomaly": shown["train_anomaly"][:4]}
    foreign["test_anomaly"] = [*shown["test_anomaly"], shown["train_anomaly"][9]]
    file.write_text(json.dumps(foreign))
    assert status(["splits", "verify", "elpv", "--protocol", "hard", "--split-file", str(file)]) == 0
    told = capfd.readouterr()
    assert told.out.startswith("elpv: hard, mono, 4 shots, seed 0, split_file = ")
    assert told.err == f"{file}: 1 test anomaly of the known class mono\n"
    for command in ("show", "export", "verify"):
        assert status(["splits", command, "--split-file", str(file)]) == 2
        assert "does not say its dataset: name it" in capfd.readouterr().err


def test_export_writes_folders_for_other_code(classes, capfd):
    words = ["splits", "export", "--protocol", "one_class", "--normal-class", "0", "--dataset", "toyset"]
    target = classes / "out"
    assert status([*words, "--format", "mvtec", "--masks", "--output", str(target)]) == 0
    counts = {str(folder.relative_to(target)): len(list(folder.glob("*.png"))) for folder in target.rglob("*/")}
    assert counts["toyset/train/good"] == counts["toyset/test/good"] == counts["toyset/test/1"] == 10
    assert counts["toyset/ground_truth/1"] == 10
    assert status([*words, "--format", "mvtec", "--output", str(target)]) == 2
    assert "is not empty" in capfd.readouterr().err
