"""What the README tells people to type exists, and what it counts is so."""

import re
import tomllib

import pytest
from repository import ROOT
from typing_in import parses

from benchmark.planning.suite import Selection, expand_suite, load_suite
from protocols.datasets.registry import dataset_infos

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted({found for found in re.findall(r"(bench [a-z][^`|&\n]*)", README) if " " in found})


@pytest.mark.parametrize("text", COMMANDS)
def test_a_command_of_the_readme_can_be_typed(text):
    parses(text)


def test_the_first_command_installs_an_extra_that_exists_and_runs_a_suite_that_exists():
    assert "pip install '.[elpv]' && bench run --suite quick" in README
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "elpv" in project["optional-dependencies"]
    assert load_suite("quick").table == "dra:2"


def test_the_test_command_is_what_ci_runs():
    command = "pip install tox && tox"
    assert f"```sh\n{command}\n```" in README
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1] == command


def test_the_numbers_of_the_readme_are_counted():
    hard = load_suite("hard")
    runs = expand_suite(hard, Selection(), without_anomalies=hard.without_anomalies, classes={})
    assert f"all {len(runs)} runs" in README
    elpv = dataset_infos()["elpv"].published
    assert f"{elpv.train_normal + elpv.test_normal + elpv.anomalies:,} solar cells" in README


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", README))
def test_a_link_of_the_readme_leads_to_a_file(link):
    assert (ROOT / link).is_file()
