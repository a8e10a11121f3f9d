"""`bench check`: 0 good, 3 a regression, 4 nothing to compare."""

import hashlib
from xml.etree import ElementTree as ET

import msgspec
import pytest

from benchmark.cli import status
from benchmark.measures import fit_params
from methods import registry
from methods.recipe import resolve
from results.record import Metrics, Provenance, Record
from results.spec import Evaluation, FitSpec, RunSpec, SplitDefinition
from results.store import Store

PUBLISHED = {"mono": 0.731, "poly": 0.800}  # DRA, ten-shot, Table 2


def record(known_class, seed, auroc, *, recipe="official", weights="genuine:resnet18-f37072fd.pth"):
    info = registry.get("dra")
    fit = FitSpec(
        detector="dra",
        version=info.version,
        params=fit_params(resolve(info, recipe, "elpv", {}).params),
        dataset_fingerprint="d" * 64,
        train_normal="a" * 64,
        train_anomaly=f"{seed:064x}",
        size=224,
        resize="squash",
        pools={},
        weights={"resnet18": "c" * 64},
        precision="fp32",
        seed=seed,
    )
    spec = RunSpec(
        fit=fit,
        test=hashlib.sha256(known_class.encode()).hexdigest(),
        evaluation=Evaluation(order="listing", batch=48),
        method="dra",
        recipe=recipe,
        split=SplitDefinition(
            dataset="elpv", dataset_fingerprint="d" * 64, rule="hard", known_class=known_class, shots=10
        ),
        split_seed=seed,
    )
    made = Provenance(
        package_version="0.1.0",
        git_commit=None,
        git_dirty=None,
        code_digest="f" * 64,
        numerics_class="cpu",
        weights={"resnet18": weights},
        device="cpu",
        cpu="one",
        libraries={},
        threads=1,
        started="2026-01-01T00:00:00+00:00",
        test_evaluations=1,
    )
    return Record(
        key=spec.key,
        fit_key=fit.fit_key,
        series=spec.series,
        spec=spec,
        status="done",
        metrics=Metrics(auroc=auroc, average_precision=0.5),
        provenance=made,
    )


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
    assert "REGRESSION: dra:2 elpv mono dra 10" in capfd.readouterr().out
    assert int(ET.parse(junit).getroot().get("failures")) > 0
    assert "elpv" in summary.read_text()


@pytest.mark.parametrize(("shift", "expected"), [(0.0, 0), (-0.3, 3)])
def test_what_is_not_comparable_is_tested_only_if_asked_for(results, shift, expected, capfd):
    folder = results(shift, weights="custom:9400829f")
    assert status(["check", "--against", "published", "--results", folder]) == 4
    assert status(["check", "--against", "published", "--results", folder, "--include-not-comparable"]) == expected
    assert "not comparable" in capfd.readouterr().out


def test_records_of_an_older_version_are_stale_and_not_compared(results, tmp_path, capfd):
    folder = results(-0.3)
    store = Store(tmp_path / "runs")
    for old in list(store.records()):
        store.record_path(old.key).unlink()
        spec = msgspec.structs.replace(old.spec, fit=msgspec.structs.replace(old.spec.fit, version=0))
        store.put(msgspec.structs.replace(old, spec=spec, key=spec.key, fit_key=spec.fit.fit_key, series=spec.series))
    assert status(["check", "--against", "published", "--results", folder]) == 4
    assert "stale" in capfd.readouterr().out


def test_the_packaged_index_can_be_read():
    assert status(["report", "--table", "2", "--results", "reference", "--format", "csv"]) == 0
