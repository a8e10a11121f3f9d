"""The example of somebody else's detector, installed as its user would: it is listed, keeps the contract, and runs."""

import json
import os
import re
import subprocess
import sys

import pytest
import strangers
from plugins import forget_installed
from recorded import built
from records import make_split
from repository import ROOT

from benchmark.cli import status
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
    assert f"| tiny | {record.metrics.auroc:.3f} [1] |" in " ".join(done.stdout.split())
    assert "| Colour Gauss |" in done.stdout


@pytest.mark.parametrize("form", ["md", "html", "latex", "csv", "json"])
def test_its_column_is_in_a_table_of_a_paper_in_every_format(info, tmp_path, capfd, form):
    """Records as its runs leave them, beside those of DRA and DevNet, on both classes of ELPV."""
    store = Store(tmp_path / "runs")
    values = {"dra": (0.7, 0.9), "devnet": (0.6, 0.5), info.id: (0.65, 0.95)}
    for method, aucs in values.items():
        for known_class, auroc in zip(("mono", "poly"), aucs, strict=True):
            shots = {"shots": None} if method == info.id else {}
            split = make_split(dataset_fingerprint="d" * 64, known_class=known_class, **shots)
            store.put(built(split, 0, auroc, method=method, size=128), None)
    assert status(["report", "--table", "2", "--results", str(store.root), "--format", form]) == 0
    out = capfd.readouterr().out
    if form == "csv":
        assert "elpv,mean,colour_gauss,,,,0.800,,1,no_published_value" in out
    elif form == "json":
        (group,) = [group for group in json.loads(out)["groups"] if group["coordinates"]["method"] == info.id]
        assert group["no_published_value"] == 2
        assert (group["ranking"]["rank"], group["ranking"]["methods"]) == (1.5, 3)
    else:
        text = re.sub("<[^>]+>", "", out)
        assert "Colour Gauss: 2 of 30 cells measured, no published value; mean rank 1.5 of 3 methods measured" in text
        assert "0.800" in out


def test_the_readme_shows_a_method_and_a_package_that_exist(info):
    text = (EXAMPLE.parent / "README.md").read_text(encoding="utf-8")
    assert f"--method {info.id}," in text
    assert f'get_method("{info.id}")' in text
    assert f"pip install ./examples/{EXAMPLE.name}" in text
    assert len(text.splitlines()) <= 60
