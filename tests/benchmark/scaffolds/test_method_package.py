"""The package that `bench methods new` writes, built and installed: shown, checked, run, and with a test that passes."""

import json

import new_packages
import pytest

from results.store import Store

NAME = "my_head"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The folder in which the package was written, and the one into which it was installed."""
    root = tmp_path_factory.mktemp("written")
    done = new_packages.call("-m", "benchmark", "methods", "new", NAME, cwd=root, path=root / "site")
    assert (done.returncode, done.stderr) == (0, "")
    assert "next: pip install -e swanbench-my-head" in done.stdout
    new_packages.install(root / "swanbench-my-head", root / "site")
    return root


def bench(written, *words, **variables):
    return new_packages.call("-m", "benchmark", *words, cwd=written, path=written / "site", **variables)


def test_it_is_shown_with_its_parameters(written):
    done = bench(written, "methods", "show", NAME, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["params"]["budget.epochs"]["quick"] == 5


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["quick", "official"])
def test_it_passes_the_battery(written, recipe):
    done = bench(written, "methods", "check", NAME, "--recipe", recipe)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"{NAME}: all 10 checks hold"


@pytest.mark.slow
def test_its_own_test_passes(written):
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "swanbench-my-head")
    done = new_packages.call(*words, cwd=written, path=written / "site")
    assert "10 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
def test_it_learns_in_a_suite_of_ours(written, prepared, tmp_path):
    folders = {"BENCH_DATA": str(prepared), "BENCH_CACHE": str(tmp_path / "c"), "BENCH_RESULTS": str(tmp_path / "runs")}
    words = ("--suite", "general", "--recipe", "quick", "--seed", "0", "--shots", "10", "--threads", "1")
    done = bench(written, "run", *words, "--dataset", "tiny", "--method", NAME, **folders)
    assert done.returncode == 0, done.stderr
    (record,) = Store(tmp_path / "runs").records()
    assert (record.status, record.spec.method) == ("done", NAME)
    assert record.metrics.auroc > 0.9, "dots and bars are plain to see"
    losses = record.history["loss"]
    assert len(losses) == 5
    assert losses[-1] < losses[0], "the head is trained"


def test_a_second_package_of_that_name_is_refused(written):
    done = bench(written, "methods", "new", NAME, "--output", "second")
    assert done.returncode == 2
    assert done.stderr == (
        f"bench: there is a method '{NAME}' already ({NAME} (swanbench_{NAME}:{NAME}.toml)): choose another name\n"
    )
    assert not (written / "second").exists()
