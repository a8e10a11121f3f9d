"""The example of somebody else's detector, installed as its user would: it is listed, keeps the contract, and runs."""

import json
import os
import subprocess
import sys

import pytest
import strangers
from plugins import forget_installed
from repository import ROOT

from methods.checks import check_detector
from methods.registry import installed
from protocols.catalogue.data_folder import adopt_dataset
from results.store import Store

EXAMPLE = ROOT / "examples" / "swanbench-colour-gauss"
SMALL = ("--suite", "general", "--recipe", "quick", "--seed", "0", "--shots", "10", "--threads", "1")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder into which the example was built and installed, from what is here already."""
    target = tmp_path_factory.mktemp("site")
    options = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--no-compile", "--target", target)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, EXAMPLE],
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return target


@pytest.fixture
def bench(tmp_path, site):
    """`bench` as a process of its own, with or without the example on its path."""

    def call(*words, path=site):
        folders = {f"BENCH_{name.upper()}": str(tmp_path / name) for name in ("data", "cache", "results")}
        env = {**os.environ, **folders, "PYTHONPATH": strangers.path(path), "BENCH_WEIGHTS": "", "COLUMNS": "200"}
        return subprocess.run(
            [sys.executable, "-m", "benchmark", *map(str, words)],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    call.site = site
    return call


@pytest.fixture
def info(site, monkeypatch):
    monkeypatch.syspath_prepend(site)
    forget_installed()
    yield installed.get("colour_gauss")
    forget_installed()
    sys.modules.pop("colour_gauss", None)


def test_it_is_a_method_where_it_is_installed_and_nowhere_else(bench, tmp_path):
    found = {
        way: bench("methods", "list", "--json", path=path) for way, path in (("in", bench.site), ("out", tmp_path))
    }
    listed = {way: {method["name"]: method for method in json.loads(done.stdout)} for way, done in found.items()}
    assert listed["in"].keys() - listed["out"].keys() == {"colour_gauss"}
    assert listed["in"]["colour_gauss"]["recipes"] == ["official", "paper", "quick"]
    assert found["in"].stderr == ""


def test_it_passes_the_battery(info):
    check_detector(info)


@pytest.mark.slow
def test_it_runs_in_a_suite_of_ours_and_stands_in_its_table(bench, tmp_path, tiny_folder):
    adopt_dataset(tiny_folder, "tiny", tmp_path / "data")
    done = bench("run", *SMALL, "--dataset", "tiny", "--method", "colour_gauss")
    assert done.returncode == 0, done.stderr
    (record,) = Store(tmp_path / "results").records()
    assert (record.status, record.spec.method, record.spec.fit.weights) == ("done", "colour_gauss", {})
    assert record.metrics.auroc > 0.9, "dots and bars change the mean and the spread of their cells"
    assert f"{record.spec.name} | quick" in " ".join(done.stdout.split())
    assert f"{record.metrics.auroc:.4f}" in done.stdout


def test_the_readme_shows_a_method_and_a_package_that_exist(info):
    text = (EXAMPLE.parent / "README.md").read_text(encoding="utf-8")
    assert f"--method {info.id}," in text
    assert f'get_method("{info.id}")' in text
    assert f"pip install ./examples/{EXAMPLE.name}" in text
    assert len(text.splitlines()) <= 60
