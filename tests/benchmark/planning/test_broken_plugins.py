"""A broken plug-in costs itself alone: others run, a mistyped name is told, and asked for it says why it is broken."""

import sys

import pytest
import strangers

from benchmark.planning import suite
from benchmark.upkeep import inventory
from protocols.datasets.registry import discover_datasets

NO_TEXT = "no UTF-8"
EXITS = "print('hello from a guest')\nimport sys\nsys.exit(0)\n"
RAISES = "raise RuntimeError('no driver')\n"
OF_SUITES = {
    "no package": ("nowhere_at_all:suite.toml", {}, "nowhere_at_all"),
    "no file": ("odd:gone.toml", {}, "gone.toml"),
    "no file named": ("odd", {}, "package:file.toml"),
    "no toml": ("odd:suite.toml", {"suite.toml": "id = "}, "not valid TOML"),
    "no suite": ("odd:suite.toml", {"suite.toml": "id = 3"}, "Expected `str`"),
    "nested too deep": ("odd:suite.toml", {"suite.toml": "id = " + "[" * 9000 + "]" * 9000}, "recursion"),
    "no text": ("odd:suite.toml", {"suite.toml": NO_TEXT}, "cannot be read"),
}
OF_DATASETS = {
    "no package": ("nowhere_at_all:DATASETS", {}, "nowhere_at_all"),
    "an exit": ("odd.facts:DATASETS", {"facts.py": EXITS}, "SystemExit: 0"),
    "an error": ("odd.facts:DATASETS", {"facts.py": RAISES}, "no driver"),
    "no name": ("odd.facts:DATASETS", {"facts.py": ""}, "DATASETS"),
    "no mapping": ("odd.facts:DATASETS", {"facts.py": "DATASETS = 3"}, "no mapping"),
    "no facts": ("odd.facts:DATASETS", {"facts.py": "DATASETS = {'mine': 3}"}, "mine"),
    "no file": ("odd:gone.toml", {}, "gone.toml"),
    "no toml": ("odd:facts.toml", {"facts.toml": "id = "}, "odd:facts.toml is not TOML"),
    "no text": ("odd:facts.toml", {"facts.toml": NO_TEXT}, "cannot be read"),
    "no key": ("odd:facts.toml", {"facts.toml": 'id = "mine"\nlicense = "x"'}, "did you mean 'licence'?"),
}


@pytest.fixture
def site(house, monkeypatch):
    """A folder of packages on the path, of this process and of others."""
    (house.root / "site").mkdir()
    monkeypatch.syspath_prepend(house.root / "site")
    monkeypatch.setenv("PYTHONPATH", strangers.path(house.root / "site"))
    monkeypatch.delitem(sys.modules, "odd", raising=False)
    monkeypatch.delitem(sys.modules, "odd.facts", raising=False)
    return house.root / "site"


def install(site, group, value, files):
    plain = {name: text for name, text in files.items() if text != NO_TEXT}
    strangers.install(site, "odd", {f"swanbench.{group}": {"lost": value}}, plain)
    for name in files.keys() - plain.keys():
        (site / "odd" / name).write_bytes(b"\xff\xfe")


def refused(done, *said):
    code, out, err = done
    assert code == 2
    assert out == ""
    assert "Traceback" not in err
    for text in said:
        assert text in err


@pytest.mark.parametrize(("value", "files", "reason"), OF_SUITES.values(), ids=OF_SUITES)
def test_a_broken_suite_costs_itself_alone(house, site, bench, value, files, reason):
    install(site, "suites", value, files)
    assert bench("run", "--suite", house.suite, "--plan")[0] == 0
    refused(bench("run", "--suite", "hrad", "--plan"), "did you mean 'hard'?")
    refused(bench("run", "--suite", "lots", "--plan"), "did you mean 'lost'?")
    refused(bench("run", "--suite", "lost", "--plan"), "the plug-in 'lost' cannot be used", reason)
    assert reason in suite.broken_suites()["lost"]


def test_a_suite_that_has_a_taken_name_is_told_and_ours_stays(house, site, bench):
    text = house.suite.read_text()
    points = {"swanbench.suites": {"hard": "odd:suite.toml", "mine": "odd:suite.toml"}}
    strangers.install(site, "odd", points, {"suite.toml": text})
    strangers.install(site, "even", {"swanbench.suites": {"mine": "even:suite.toml"}}, {"suite.toml": text})
    assert "is that of a suite of swanbench" in suite.broken_suites()["hard"]
    assert suite.load_suite("hard").id == "hard"
    refused(bench("run", "--suite", "mine", "--plan"), "even:suite.toml and odd:suite.toml")


@pytest.mark.parametrize(("value", "files", "reason"), OF_DATASETS.values(), ids=OF_DATASETS)
def test_a_broken_dataset_costs_itself_alone(house, site, bench, value, files, reason):
    install(site, "datasets", value, files)
    code, out, _ = bench("run", "--suite", house.suite, "--plan")
    assert code == 0
    assert "hello" not in out
    for words in (("run", "--suite", house.suite, "--dataset", "lost"), ("data", "show", "lost")):
        refused(bench(*words), "the plug-in 'lost' cannot be used", reason)
    assert reason in discover_datasets()[1]["lost"]


def test_a_broken_method_says_why_where_it_is_asked_for(house, site):
    recipe = strangers.RECIPE.replace("source =", 'allowed = ["a"]\nsource =')
    install(site, "methods", "odd:m.toml", {"m.toml": recipe.format(id="mine", package="odd")})
    house.suite.write_text(house.suite.read_text().replace('"devnet", "dra"', '"devnet", "lost"'))
    own = ("run", "--suite", "general", "--dataset", "tiny", "--method")
    for words in ((*own, "lost"), (*own, "mine"), ("run", "--suite", house.suite, "--plan")):
        done = house.bench(*words)
        assert done.returncode == (0 if "--plan" in words else 2)
        assert "the plug-in 'lost' cannot be used: lost (odd:m.toml)" in done.stderr
        assert "unknown key 'allowed'" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("text", ["[swanbench.suites]\nnothing here\n", "\udcff"], ids=["no entry", "no text"])
def test_a_package_that_lists_its_entry_points_wrongly_takes_no_other_down(house, site, bench, text):
    strangers.install(site, "even", {"swanbench.suites": {"mine": "even:s.toml"}}, {"s.toml": house.suite.read_text()})
    strangers.install(site, "odd", {}, {})
    (site / "odd-1.0.dist-info" / "entry_points.txt").write_bytes(text.encode(errors="surrogateescape"))
    assert bench("run", "--suite", "mine", "--plan")[0] == 0
    refused(bench("run", "--suite", "mien", "--plan"), "did you mean 'mine'?")
    assert "entry_points.txt cannot be read" in {one.name: one.problem for one in inventory.list_plug_ins()}["odd"]


BOLTS = """
id = "bolts"
title = "Bolts"
kind = "industrial"
image_size = 16
licence = "none"
citation = "nobody"
source = "https://example.org"
prepare = "odd.facts:prepare"
"""
PREPARE = """
def prepare(building):
    print("hello from a guest")
    {body}
"""


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (PREPARE.format(body="raise SystemExit(0)"), "SystemExit: 0"),
        (PREPARE.format(body="return [1 / 0]"), "division by zero"),
        (EXITS, "SystemExit: 0"),
        (RAISES, "no driver"),
        ("", "has no attribute 'prepare'"),
        ("prepare = 3", "not callable"),
    ],
)
def test_a_preparation_of_a_guest_that_fails_is_one_sentence(house, site, bench, tiny_folder, code, reason):
    files = {"bolts.toml": BOLTS, "facts.py": code}
    strangers.install(site, "odd", {"swanbench.datasets": {"bolts": "odd:bolts.toml"}}, files)
    assert bench("data", "list")[0] == 0
    refused(bench("data", "prepare", "bolts", "--source", tiny_folder), "bolts", reason, "tell ")
    assert not (house.root / "data" / "bolts").exists()
