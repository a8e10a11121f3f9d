"""Processes that tests start run the code under test, whatever else is installed."""

import os
import subprocess
import sys

import made_up
import pytest
import strangers
from guests import Guests

import benchmark


def by_guests(house, monkeypatch):
    return Guests(house, monkeypatch).house.env


def by_made_up(house, monkeypatch):
    return made_up.environment(house.root / "installed")


def by_strangers(house, monkeypatch):
    return os.environ | {"PYTHONPATH": strangers.path(house.root / "site")}


@pytest.mark.parametrize("environment", [by_guests, by_made_up, by_strangers])
def test_a_process_with_other_packages_on_its_path_runs_the_code_under_test(environment, house, monkeypatch):
    code = "import benchmark; print(benchmark.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(house, monkeypatch),
        cwd=house.root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == benchmark.__file__, "set PYTHONPATH to this checkout, or install it with pip -e"
