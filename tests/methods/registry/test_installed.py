"""Which methods there are, and plug-ins of every brokenness."""

import os
import subprocess
import sys

import pytest
from repository import ROOT

from methods.errors import MethodError
from methods.registry import installed
from methods.registry.installed import Plugin, discover

DETECTOR = """
id = "{id}"
title = "A method"
detector = "{module}:Mine"
version = 1
[capabilities]
rules = ["hard"]
anomalies = false
independent_scores = true
[params."k"]
type = "int"
default = 1
source = "own choice"
"""
VARIANT = 'id = "{id}"\ntitle = "A variant"\nvariant_of = "{of}"\n[overrides]\n"k" = 2\n'
CODE = """
class Mine:
    def __init__(self, params, context): ...
    def fit(self, data): ...
    def score(self, images): ...
    def state(self): return {}
    def load(self, state): ...
"""


def detector(name, module="swan_plugin.mine"):
    return DETECTOR.format(id=name, module=module)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "recipes"
    made.mkdir()
    return made


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A plug-in package on the path; importing it is an error, so finding its recipe file must not."""
    made = tmp_path / "site" / "swan_plugin"
    (made / "recipes").mkdir(parents=True)
    (made / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(made.parent)
    return made


def test_our_own_methods_are_sorted_and_none_is_broken():
    found = installed.methods()
    assert {"dra", "devnet"} <= set(found)
    assert list(found) == sorted(found)
    assert installed.broken() == {}
    assert all(info.id == name for name, info in found.items())


@pytest.mark.parametrize("name", ["devnet", "dra"])
def test_our_own_detectors_load(name):
    assert callable(installed.load(installed.get(name)).fit)


def test_a_detector_whose_package_is_not_there_does_not_load_and_says_how_to_get_it(folder, package):
    (folder / "a.toml").write_text('packages = { no_such_thing = "mine[fast]" }\n' + detector("a"))
    with pytest.raises(MethodError, match=r"^a needs the package no_such_thing: pip install 'mine\[fast\]'$"):
        installed.load(discover(folder).get("a"))


def test_an_unknown_method_gets_a_near_miss():
    with pytest.raises(MethodError, match=r"unknown method 'devent': did you mean 'devnet'\?"):
        installed.get("devent")
    with pytest.raises(MethodError, match="'zzz': see bench methods list; one of your own is known once its package"):
        installed.get("zzz")


def test_variants_are_found_whatever_the_order_of_files(folder):
    (folder / "a.toml").write_text(VARIANT.format(id="a", of="b"))
    (folder / "b.toml").write_text(detector("b"))
    found = discover(folder).methods
    assert list(found) == ["a", "b"]
    assert found["a"].variant_of == "b"


def test_two_files_with_one_id_and_a_variant_of_nothing_are_refused(folder):
    (folder / "a.toml").write_text(detector("same"))
    (folder / "b.toml").write_text(detector("same"))
    with pytest.raises(MethodError, match=r"b.toml: the id 'same' is taken by a.toml: choose another"):
        discover(folder)
    (folder / "b.toml").write_text(VARIANT.format(id="b", of="smae"))
    with pytest.raises(MethodError, match=r"b.toml: variant_of = 'smae' is no detector: did you mean 'same'\?"):
        discover(folder)


def test_plugins_are_read_without_being_imported(folder, package):
    (folder / "a.toml").write_text(detector("a"))
    (package / "mine.toml").write_text(detector("mine"))
    (package / "recipes" / "low.toml").write_text(VARIANT.format(id="mine_low", of="mine"))
    (package / "of_a.toml").write_text(VARIANT.format(id="a_low", of="a"))
    plugins = [
        Plugin("low", "swan_plugin.recipes:low.toml"),
        Plugin("low_of_a", "swan_plugin:of_a.toml"),
        Plugin("mine", "swan_plugin:mine.toml"),
    ]
    found = discover(folder, plugins)
    assert found.broken == {}
    assert list(found.methods) == ["a", "a_low", "mine", "mine_low"]
    assert "swan_plugin" not in sys.modules


@pytest.mark.parametrize(
    ("value", "text", "reason"),
    [
        ("swan_plugin:gone.toml", None, "the recipe file cannot be read"),
        ("no_such_package:mine.toml", None, "the recipe file cannot be read: no package no_such_package"),
        ("swan_plugin", None, "must name a recipe file as package:file.toml"),
        ("swan_plugin:Mine", None, "must name a recipe file as package:file.toml"),
        ("swan_plugin:mine.toml", "id = ", "is not TOML"),
        ("swan_plugin:mine.toml", "id = 3", "Expected `str`"),
        ("swan_plugin:mine.toml", "id = " + "[" * 9000 + "]" * 9000, "recursion"),
        ("swan_plugin:mine.toml", detector("a"), "the id 'a' is taken by a.toml: choose another"),
        ("swan_plugin:mine.toml", VARIANT.format(id="x", of="zzz"), "variant_of = 'zzz' is no detector"),
        (":mine.toml", None, "must name a recipe file as package:file.toml"),
    ],
)
def test_a_broken_plugin_is_reported_and_takes_no_other_down(folder, package, value, text, reason):
    (folder / "a.toml").write_text(detector("a"))
    (package / "good.toml").write_text(detector("good"))
    if text is not None:
        (package / "mine.toml").write_text(text)
    found = discover(folder, [Plugin("bad", value), Plugin("good", "swan_plugin:good.toml")])
    assert list(found.methods) == ["a", "good"]
    assert found.methods["a"].origin == "a.toml"
    assert list(found.broken) == ["bad"]
    assert reason in found.broken["bad"]
    assert "bad" in found.broken["bad"]
    with pytest.raises(MethodError, match="the plug-in 'bad' cannot be used: "):
        found.get("bad")


def test_a_plugin_that_is_no_utf8_is_reported(folder, package):
    (package / "mine.toml").write_bytes(b"\xff\xfe")
    assert "cannot be read" in discover(folder, [Plugin("bad", "swan_plugin:mine.toml")]).broken["bad"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (None, "cannot be imported: ModuleNotFoundError"),
        ("raise RuntimeError('no driver')", "cannot be imported: RuntimeError: no driver"),
        ("Other = 3", "cannot be imported: AttributeError"),
        ("import sys; sys.exit(0)", "cannot be imported: SystemExit: 0"),
        ("def Mine(): ...", "has no fit, score, state, load: see methods.detector.Detector"),
        (CODE.replace("def load", "def lod"), "has no load: see methods.detector.Detector"),
    ],
)
def test_a_detector_that_cannot_be_used_is_refused_when_it_is_loaded(folder, tmp_path, monkeypatch, code, reason):
    module = f"swan_module_{abs(hash(code))}"
    if code is not None:
        (tmp_path / f"{module}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    (folder / "a.toml").write_text(detector("a", module))
    with pytest.raises(MethodError) as caught:
        installed.load(discover(folder).get("a"))
    assert f"the detector of a, {module}:Mine, {reason}" in str(caught.value)


def test_an_installed_entry_point_becomes_a_method(tmp_path):
    package = tmp_path / "swan_installed"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "mine.py").write_text(CODE)
    (package / "mine.toml").write_text(detector("mine", "swan_installed.mine"))
    info = tmp_path / "swan_installed-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: swan-installed\nVersion: 1.0\n")
    points = "mine = swan_installed:mine.toml\nbad = swan_installed:gone.toml\n"
    (info / "entry_points.txt").write_text(f"[swanbench.methods]\n{points}")
    code = (
        "import sys; from methods.registry import installed as registry\n"
        "print('mine' in registry.methods(), 'dra' in registry.methods(), list(registry.broken()))\n"
        "print('swan_installed' in sys.modules, 'torch' in sys.modules)\n"
        "print(registry.load(registry.get('mine')).__module__)"
    )
    path = os.pathsep.join([str(ROOT), str(tmp_path)])
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["True True ['bad']", "False False", "swan_installed.mine"]
