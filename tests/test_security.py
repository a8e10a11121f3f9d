"""Releases that are known to do harm are kept out, and what is said of safety names what there is."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from repository import ROOT
from typing_in import parses

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
POISONED = {"lightning": ("2.6.2", "2.6.3")}
NEEDS_LIGHTNING = {"anomalib"}


@pytest.mark.parametrize("extra", sorted(NEEDS_LIGHTNING))
@pytest.mark.parametrize(("name", "release"), [(name, one) for name, all_ in POISONED.items() for one in all_])
def test_an_extra_that_brings_a_poisoned_package_keeps_its_bad_releases_out(extra, name, release):
    wanted = [Requirement(text) for text in PROJECT["optional-dependencies"][extra]]
    assert [one.specifier.contains(release) for one in wanted if one.name == name] == [False]


@pytest.mark.parametrize(
    "text", re.findall(r"`(bench [a-z][^`]*)`", (ROOT / "SECURITY.md").read_text(encoding="utf-8"))
)
def test_the_commands_of_the_page_on_security_can_be_typed(text):
    parses(text)
