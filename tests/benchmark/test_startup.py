"""What is quick must load nothing heavy: torch alone takes seconds to import."""

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "sklearn", "pandas", "scipy.stats", "PIL", "rich", "joblib")

LISTING = """
import json, sys
from benchmark.cli import status
code = status(sys.argv[1:])
print(json.dumps([code, sorted(sys.modules)]))
"""


def loaded(house, *words):
    done = subprocess.run(
        [sys.executable, "-c", LISTING, *map(str, words)],
        env=house.env,
        cwd=house.root,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    code, modules = json.loads(done.stdout.splitlines()[-1])
    return code, set(modules)


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("run", "--help"),
        ("methods", "list"),
        ("methods", "show", "dra"),
        ("methods", "new", "mine", "--output", "mine"),
        ("methods", "check", "--help"),
        ("data", "new", "bolts", "--output", "bolts"),
        ("skill",),
        ("report", "--table", "2"),
        ("report", "--table", "5", "--format", "csv"),
        ("report", "--table", "2", "--format", "html", "--results", "reference"),
        ("report", "--table", "agad:8"),
        ("results", "list"),
        ("results", "why", "hard/elpv/mono/dra/10", "--results", "reference"),
        ("results", "curves", "general-elpv-dra-10-s1", "--results", "reference"),
        ("data", "list"),
        ("run", "--suite", "tiny.toml", "--plan"),
        ("check", "--against", "published", "--help"),
        ("check", "--against", "reference", "--results", "reference"),
        ("compare", "--help"),
        ("verdict", "--help"),
    ],
    ids=" ".join,
)
def test_it_loads_nothing_heavy(house, words):
    code, modules = loaded(house, *words)
    assert code == 0
    assert sorted(modules.intersection(HEAVY)) == []


def test_help_loads_click_and_little_else(house):
    _, modules = loaded(house, "--help")
    assert not modules.intersection({"msgspec", "numpy", "jinja2", "importlib.metadata", "platformdirs", "tomllib"})


def test_an_all_cached_run_loads_nothing_heavy(finished):
    code, modules = loaded(finished, "run", "--suite", finished.suite, *finished.small, "--threads", "1")
    assert code == 0
    assert sorted(modules.intersection(HEAVY)) == []


def test_a_table_that_did_not_change_needs_no_numpy(finished):
    """What its statistics came to is kept, so that numpy and scipy are for new runs alone."""
    for _ in range(2):
        code, modules = loaded(finished, "report", "--table", "2")
    assert code == 0
    assert not modules.intersection({"numpy", "scipy"})
