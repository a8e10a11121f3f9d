"""A method that needs a package which is not installed: its runs are blocked, with the way to it, and stored ones stay."""

import pytest
from plugins import forget_installed

from benchmark.execution.worker import execute

SUITE = """
id = "packaged"
title = "One detector that needs a package"
rule = "general"
recipe = "official"
methods = ["drift", "drift_normal"]
shots = [10]
seeds = [0]
[datasets]
carpet = []
"""
LACKING = "drift needs the package no_such_thing: pip install 'drift[all]'"


@pytest.fixture
def carpet(drifting, rows):
    drifting.prepare("carpet", rows["texture"](60))
    return drifting


@pytest.fixture
def needs(tmp_path):
    """Let the recipe of `drift` name a package."""
    path = tmp_path / "site" / "plugged" / "drift.toml"
    recipe = path.read_text()

    def write(package):
        path.write_text(f'packages = {{ {package} = "drift[all]" }}\n{recipe}')
        forget_installed()

    return write


def planned(house, methods=None, **request):
    return house.plan(house.suite(SUITE), methods=methods, **request).runs


def test_a_run_whose_package_is_not_there_is_blocked_and_others_are_not(carpet, needs):
    needs("no_such_thing")
    assert [(run.state, run.reason) for run in planned(carpet)] == [("blocked", LACKING), ("missing", None)]


def test_the_command_line_says_so_in_a_line(carpet, needs):
    needs("no_such_thing")
    words = ("run", "--suite", carpet.suite(SUITE), "--method", "drift", "--threads", "1")
    done, plan = carpet.house.bench(*words), carpet.house.bench(*words, "--plan")
    assert (done.returncode, plan.returncode) == (2, 0)
    for text in (done.stderr, plan.stderr):
        assert LACKING in text
        assert "Traceback" not in text
    assert not list(carpet.store.records())


def test_a_stored_run_needs_no_package_and_making_it_again_is_blocked(carpet, needs):
    (task,) = carpet.plan(carpet.suite(SUITE), methods=("drift",)).tasks({"missing"})
    assert execute(task, carpet.machine).state == "done"
    needs("no_such_thing")
    (run,) = planned(carpet, ("drift",))
    assert (run.state, run.reason) == ("cached", None)
    again = execute(task, carpet.machine, again="all")
    assert (again.state, again.reason) == ("blocked", LACKING)
    assert [record.status for record in carpet.store.records()] == ["done"]


def test_the_record_holds_the_version_of_the_package(carpet, needs):
    needs("msgspec")
    (task,) = carpet.plan(carpet.suite(SUITE), methods=("drift",)).tasks({"missing"})
    assert execute(task, carpet.machine).state == "done"
    (record,) = carpet.store.records()
    assert {"msgspec", "torch"} <= record.provenance.libraries.keys()


def test_patchcore_is_blocked_without_anomalib(carpet, monkeypatch):
    monkeypatch.setattr("methods.registry.info.find_spec", lambda name: None)
    (run,) = planned(carpet, ("patchcore",))
    assert (run.state, run.reason) == (
        "blocked",
        "patchcore needs the package anomalib: pip install 'swanbench[anomalib]'",
    )


def test_patchcore_is_planned_without_importing_anomalib(carpet, tmp_path):
    package = tmp_path / "site" / "anomalib"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    words = ("run", "--suite", carpet.suite(SUITE), "--method", "patchcore", "--weights", "random", "--plan")
    done = carpet.house.bench(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert "0 cached, 1 missing, 0 failed, 0 blocked" in done.stdout
