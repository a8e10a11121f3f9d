"""`bench check`: 0 good, 3 a regression, 4 nothing to compare."""

from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
from recorded import built, record
from records import make_split

from benchmark.cli import status
from protocols.datasets.registry import dataset_infos
from results.maintenance.export import json_lines
from results.store import Store

PUBLISHED = {"mono": 0.731, "poly": 0.800}  # DRA, ten-shot, Table 2


@pytest.fixture
def results(tmp_path):
    """Fill a results folder with three seeds of DRA on ELPV, off the published values by `shift`."""

    def fill(shift, **rest):
        store = Store(tmp_path / "runs")
        for known_class, value in PUBLISHED.items():
            for seed, noise in enumerate((-0.01, 0.0, 0.01)):
                store.put(record(known_class, seed, value + shift + noise, **rest))
        return str(tmp_path / "runs")

    return fill


def test_nothing_to_compare_is_a_status_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_RESULTS", str(tmp_path / "runs"))
    assert status(["check", "--against", "published"]) == 4


def test_values_that_reproduce_pass(results):
    assert status(["check", "--against", "published", "--results", results(0.0)]) == 0


def test_values_far_below_are_a_regression(results, capfd, tmp_path):
    folder = results(-0.3)
    junit, summary = tmp_path / "junit.xml", tmp_path / "summary.md"
    words = ["check", "--against", "published", "--results", folder, "--junit", str(junit), "--summary", str(summary)]
    assert status(words) == 3
    assert "REGRESSION: dra:2/hard/elpv/mono/dra/10" in capfd.readouterr().out
    assert int(ET.parse(junit).getroot().get("failures")) > 0
    assert "elpv" in summary.read_text()


@pytest.mark.parametrize(("shift", "expected"), [(0.0, 0), (-0.3, 3)])
def test_what_is_not_comparable_is_tested_only_if_asked_for(results, shift, expected, capfd):
    folder = results(shift, weights="custom:9400829f")
    assert status(["check", "--against", "published", "--results", folder]) == 4
    assert status(["check", "--against", "published", "--results", folder, "--include-not-comparable"]) == expected
    assert "not comparable" in capfd.readouterr().out


def test_records_of_an_older_version_are_stale_and_no_success(results, tmp_path, capfd):
    folder = results(-0.3)
    store = Store(tmp_path / "runs")
    for old in list(store.records()):
        store.record_path(old.key).unlink()
        spec = msgspec.structs.replace(old.spec, fit=msgspec.structs.replace(old.spec.fit, version=0))
        store.put(msgspec.structs.replace(old, spec=spec, key=spec.key, fit_key=spec.fit.fit_key, series=spec.series))
    assert status(["check", "--against", "published", "--results", folder]) == 3
    assert "STALE: dra:2/hard/elpv/mono/dra/10: measured by version 0 of dra, now " in capfd.readouterr().out


@pytest.mark.parametrize("form", ["folder", "jsonl"])
def test_runs_are_compared_with_earlier_ones_by_their_keys(form, results, tmp_path, capfd):
    now = Path(results(0.0))
    before = tmp_path / "before"
    now.rename(before)
    results(0.0)
    if form == "jsonl":
        text = json_lines(Store(before).records())
        before = tmp_path / "before.jsonl"
        before.write_text(text)
    words = ["check", "--against", str(before), "--results", str(now)]
    assert status(words) == 0
    assert "6 runs compared with a reference: none differs" in capfd.readouterr().out
    Store(now).put(record("mono", 0, 0.7))
    junit, summary = tmp_path / "junit.xml", tmp_path / "summary.md"
    assert status([*words, "--junit", str(junit), "--summary", str(summary)]) == 3
    assert capfd.readouterr().out.startswith("DIFFERS: hard-elpv-mono-dra-10-s0-")
    assert ET.parse(junit).getroot().get("failures") == "1"
    assert "1 differs" in summary.read_text()
    assert status([*words, "--recipe", "quick"]) == 4


def test_the_packaged_runs_are_references(tmp_path, capfd):
    assert status(["check", "--against", "reference", "--results", "reference"]) == 0
    assert "differ" in capfd.readouterr().out
    nothing = ["check", "--against", "reference", "--results", str(tmp_path)]
    assert status(nothing) == 3
    assert status([*nothing, "--partial"]) == 4


def test_a_damaged_file_of_references_is_named_with_its_line(tmp_path, capfd):
    file = tmp_path / "runs.jsonl"
    file.write_text("{}\n")
    assert status(["check", "--against", str(file)]) == 2
    assert f"{file}:1 is not a readable record" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("against", "words"),
    [
        ("reference", ["--table", "2"]),
        ("reference", ["--margin", "0.1"]),
        ("reference", ["--include-not-comparable"]),
        ("published", ["--tolerance", "0.1"]),
        ("published", ["--partial"]),
    ],
)
def test_an_option_that_says_nothing_is_refused(against, words, capfd):
    assert status(["check", "--against", against, *words]) == 2
    assert f"{words[0]} says nothing against" in capfd.readouterr().err


def test_the_packaged_index_can_be_read():
    assert status(["report", "--table", "2", "--results", "reference", "--format", "csv"]) == 0


def agad(normal_class, seed, auroc, **params):
    """A record of AGAD's UNet on Fashion-MNIST at gamma 0.05, of recipe official."""
    split = make_split(
        dataset="fashion_mnist",
        dataset_fingerprint=dataset_infos()["fashion_mnist"].releases[""][0].fingerprint,
        rule="labelled_share",
        known_class=None,
        shots=None,
        normal_class=normal_class,
        gamma="0.05",
    )
    facts = {"method": "agad_unet", "detector": "agad", "size": 32, "train_normal": normal_class}
    return built(split, seed, auroc, params=params, **facts)


@pytest.mark.parametrize(
    ("habit", "auroc", "expected"), [({}, 0.9999, 0), ({}, 0.5, 3), ({"eval_bn": "batch"}, 0.9999, 4)]
)
def test_batch_statistics_at_evaluation_never_pass_the_gate(habit, auroc, expected, tmp_path, capfd):
    """Published: 100.0. One of the ten classes has the habit, so the mean row has it."""
    store = Store(tmp_path / "runs")
    for label in range(10):
        for seed, noise in enumerate((-1e-5, 0.0, 1e-5)):
            store.put(agad(str(label), seed, auroc + noise, **(habit if label == 7 else {})))
    words = ["check", "--against", "published", "--table", "agad:5", "--results", str(tmp_path / "runs")]
    assert status([*words, "--include-not-comparable"]) == expected
    said = capfd.readouterr().out
    assert ("measured with a leak of test labels" in said) == bool(habit)
    assert status(words) == 4  # AGAD is defined by assumption, so that its cells are tested only if asked for
    assert ("measured with a leak of test labels" if habit else "1 not comparable") in capfd.readouterr().out


@pytest.mark.parametrize("option", ["--junit", "--summary"])
def test_a_file_that_cannot_be_written_is_told_before_the_gate_runs_by_the_name_of_its_option(bench, option):
    code, out, err = bench("check", "--against", "published", option, "none/a.xml")
    assert (code, out) == (2, "")
    assert f"{option} none/a.xml: the folder none is not there; make it first" in err
