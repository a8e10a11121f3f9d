"""What is installed: the six packages with their data, and nothing else; it works from an empty folder."""

import os
import subprocess
import sys
import zipfile

import pytest
from repository import ROOT

PACKAGES = {"benchmark", "methods", "protocols", "reports", "results", "swanbench"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    target = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", target, ROOT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = target.glob("*.whl")
    return built


def test_the_wheel_holds_the_six_packages_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    tracked = subprocess.run(
        ["git", "ls-files", *sorted(PACKAGES)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if tracked.returncode == 0 and tracked.stdout:
        assert set(tracked.stdout.split()) <= set(names)
    for data in (
        "reports/papers/dra/dra_table2.csv",
        "reports/papers/dra/paper.toml",
        "reports/templates/table.md.j2",
        "methods/recipes/dra.toml",
        "benchmark/suites/hard.toml",
        "protocols/datasets/facts/mvtec_ad.toml",
        "benchmark/scaffolds/templates/method/detector.py.j2",
        "benchmark/scaffolds/templates/dataset/facts.toml.j2",
        "swanbench/skills/swanbench/SKILL.md",
    ):
        assert data in names
    assert not [name for name in names if name.endswith((".pyc", ".png", ".pth", ".npy"))]
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_installed_wheel_works_from_an_empty_folder(wheel, tmp_path):
    target, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    # Over the test environment: the wheel alone is installed, its dependencies are there already.
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", target, wheel]
    subprocess.run(command, check=True, timeout=300, env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    env = {**os.environ, "PYTHONPATH": str(target), "BENCH_RESULTS": str(tmp_path / "runs")}

    def call(*words):
        done = subprocess.run(
            [sys.executable, "-P", *words], cwd=empty, env=env, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert call("-c", "import benchmark; print(benchmark.__file__)").startswith(str(target))
    assert (
        len(call("-m", "benchmark", "report", "--table", "2", "--show", "published", "--format", "csv").splitlines())
        == 397
    )
    assert "official" in call("-m", "benchmark", "methods", "show", "dra")
    assert "990 runs" in call("-m", "benchmark", "run", "--suite", "hard", "--plan")
    assert call("-m", "benchmark", "skill", "--path") == f"{target}/swanbench/skills/swanbench/SKILL.md\n"
    assert list(empty.iterdir()) == []
    call("-m", "benchmark", "methods", "new", "mine")
    call("-m", "benchmark", "data", "new", "bolts")
    assert [path.name for path in sorted(empty.iterdir())] == ["swanbench-bolts", "swanbench-mine"]
