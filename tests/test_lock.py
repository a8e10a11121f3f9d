"""The committed locks: every dependency at one version within its bounds, none that does harm; groups are the extras."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError

import lock
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from repository import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
LOCKS = sorted(lock.FOLDER.glob("*.txt"))
POISONED = (Requirement("lightning==2.6.2"), Requirement("lightning==2.6.3"))


def pins(text):
    """Versions by name; every line but the first ones with # must be NAME==VERSION."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line) for line in lines), lines
    assert lines == sorted(set(lines), key=lambda line: line.partition("==")[0])
    return {name: Version(version) for name, _, version in (line.partition("==") for line in lines)}


def extras_of(text):
    """The extras that the head of a lock names."""
    return re.search(r"with the extras ([a-z, ]+):", text)[1].split(", ")


def out_of_bounds(wanted, versions):
    """The requirements without a version, or with one that they do not allow."""
    return [str(one) for one in wanted if one.name != "swanbench" and not _is_met(one, versions)]


def _is_met(requirement, versions):
    version = versions.get(canonicalize_name(requirement.name))
    return version is not None and requirement.specifier.contains(version)


def test_there_is_a_lock_for_a_linux_without_a_gpu():
    assert [path.name for path in LOCKS if path.name.startswith("linux-cpu-py3")]


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_a_lock_pins_every_dependency_within_its_bounds(path):
    text = path.read_text(encoding="utf-8")
    extras = extras_of(text)
    assert {"elpv", "plots", "docs", "dev"} <= {*extras} <= PROJECT["optional-dependencies"].keys()
    wanted = [*PROJECT["dependencies"], *(one for extra in extras for one in PROJECT["optional-dependencies"][extra])]
    versions = pins(text)
    assert out_of_bounds(map(Requirement, wanted), versions) == []
    assert out_of_bounds([Requirement("click>=999"), Requirement("nothing")], versions) == ["click>=999", "nothing"]


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_a_lock_holds_no_release_that_does_harm_and_nothing_of_cuda(path):
    versions = pins(path.read_text(encoding="utf-8"))
    for poisoned in POISONED:
        version = versions.get(poisoned.name)
        assert version is None or not poisoned.specifier.contains(version)
    assert not [name for name in versions if name.startswith(("nvidia-", "cuda-")) or name == "triton"]


def test_a_lock_is_written_from_what_is_installed_without_extras_that_are_not():
    project = {
        "name": "toy",
        "dependencies": ["torch>=2.4", "jinja2; python_version >= '3'", "absent; python_version < '3'"],
        "optional-dependencies": {"here": ["pytest>=8"], "away": ["click", "no-such-distribution>=1"]},
    }
    text = lock.lock_text(project)
    assert extras_of(text) == ["here"]
    versions = pins(text)
    assert {"torch", "jinja2", "markupsafe", "pytest", "sympy"} <= versions.keys()
    assert not {"absent", "click", "no-such-distribution"} & versions.keys()
    with pytest.raises(PackageNotFoundError):
        lock.lock_text({**project, "dependencies": ["no-such-distribution"]})


def test_groups_name_what_the_extras_dev_and_docs_do():
    groups, extras = PYPROJECT["dependency-groups"], PROJECT["optional-dependencies"]
    parts = [part["include-group"] for part in groups["dev"]]
    assert {*parts, "dev"} == groups.keys()
    listed = [text for part in parts for text in groups[part]]
    assert sorted(listed) == sorted([*extras["dev"], *extras["docs"]])
