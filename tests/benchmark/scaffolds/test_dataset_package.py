"""The package that `bench data new` writes, built and installed: checked, prepared, run, and with a test that passes."""

import json
import shutil

import new_packages
import numpy as np
import pytest
from pictures import noise, save_picture

NAME = "steel_bolts"


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    folder, draw = tmp_path_factory.mktemp("release"), np.random.default_rng(0)
    for label, count in (("normal", 16), ("bent", 12), ("Rusty Head", 12)):
        for number in range(count):
            pixels = noise(draw, 16, 16)
            save_picture(folder / label / f"{number:03}.png", pixels if label == "normal" else pixels // 2)
    return folder


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp("written")
    done = new_packages.call("-m", "benchmark", "data", "new", NAME, cwd=root, path=root / "site")
    assert (done.returncode, done.stderr) == (0, "")
    assert "next: pip install -e swanbench-steel-bolts" in done.stdout
    new_packages.install(root / "swanbench-steel-bolts", root / "site")
    return root


@pytest.fixture
def bench(written, tmp_path):
    folders = {f"BENCH_{name.upper()}": str(tmp_path / name) for name in ("data", "cache", "results")}

    def call(*words):
        return new_packages.call("-m", "benchmark", *words, cwd=written, path=written / "site", **folders)

    return call


@pytest.mark.slow
def test_its_own_test_passes(written):
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "swanbench-steel-bolts")
    done = new_packages.call(*words, cwd=written, path=written / "site")
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_it_is_checked_and_leaves_nothing_behind(bench, release, tmp_path):
    (tmp_path / "data").mkdir()
    done = bench("data", "check", NAME, "--source", release)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == f"{NAME}: all 8 checks hold"
    assert done.stderr == f"{NAME}: licence, citation, source: still to be filled in, in the file of facts\n"
    assert list((tmp_path / "data").iterdir()) == []
    done = bench("data", "check", NAME, "--source", release, "--json")
    assert [row["outcome"] for row in json.loads(done.stdout)[NAME]] == ["holds"] * 8


def test_a_release_in_another_form_is_named_with_the_line_that_wants_it(bench, release, tmp_path):
    shutil.copytree(release / "bent", tmp_path / "other" / "bent")
    done = bench("data", "check", NAME, "--source", tmp_path / "other")
    assert done.returncode == 1
    assert "holds no folder with normal: give the folder of the whole release (" in done.stdout
    assert "preparation.py, line " in done.stdout
    assert "7 further checks not run" in done.stdout


@pytest.mark.slow
def test_it_is_prepared_and_run(bench, release):
    done = bench("data", "prepare", NAME, "--source", release)
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads(bench("data", "show", NAME, "--json").stdout)
    assert facts["counts"] == {
        "normal": {"train": 12, "test": 4},
        "bent": {"train": 0, "test": 12},
        "rusty_head": {"train": 0, "test": 12},
    }
    assert bench("data", "check", NAME).stdout.splitlines()[-1] == f"{NAME}: all 7 checks hold"
    small = [
        word
        for setting in ("img_size=32", "budget.epochs=1", "budget.steps=2")
        for word in ("--set", f"devnet.{setting}")
    ]
    words = ("--suite", "general", "--recipe", "quick", "--seed", "0", "--shots", "10", "--threads", "1")
    done = bench("run", *words, "--dataset", NAME, "--method", "devnet", *small)
    assert done.returncode == 0, done.stderr
    assert "Steel bolts" in done.stdout or f"| {NAME}" in done.stdout


def test_a_second_package_of_that_name_is_refused(bench, written):
    done = bench("data", "new", NAME, "--output", "second")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"there is a dataset '{NAME}' already" in done.stderr
    assert not (written / "second").exists()
