"""The digest of a detector's code holds all of its package that it imports, however the import is written."""

import sys
from itertools import count

import pytest

from benchmark.planning.code_digest import code_digest

NUMBER = count()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes the files of a package of a name of its own, `NAME` in them; gives that name and its folder."""
    name = f"guest{next(NUMBER)}"
    monkeypatch.syspath_prepend(tmp_path)

    def write(files):
        for path, text in files.items():
            file = tmp_path / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.replace("NAME", name))
        return name, tmp_path / name

    yield write
    assert name not in sys.modules, "the digest imports nothing"


FILES = {
    "__init__.py": "",
    "helper.py": "FACTOR = 1\n",
    "sub/__init__.py": "",
    "sub/near.py": "FACTOR = 1\n",
    "sub/deep/__init__.py": "",
    "sub/deep/mod.py": "",
}


@pytest.mark.parametrize(
    ("module", "line", "imported"),
    [
        ("", "from .helper import FACTOR", "helper.py"),
        ("", "from . import helper", "helper.py"),
        ("helper", "import NAME.sub.near", "sub/near.py"),
        ("helper", "from NAME.sub import near", "sub/near.py"),
        ("helper", "from .sub.near import FACTOR", "sub/near.py"),
        ("sub.near", "from ..helper import FACTOR", "helper.py"),
        ("sub.near", "from .deep import mod", "sub/deep/mod.py"),
        ("sub", "from .near import FACTOR", "sub/near.py"),
        ("sub", "from ..helper import FACTOR", "helper.py"),
        ("sub.deep.mod", "from ..near import FACTOR", "sub/near.py"),
        ("sub.deep.mod", "from ... import helper", "helper.py"),
        ("sub.deep", "from .mod import near", "sub/deep/mod.py"),
    ],
)
def test_an_edit_of_what_is_imported_changes_the_digest_and_no_other_edit_does(package, module, line, imported):
    place = module.replace(".", "/")
    own = f"{place}.py" if f"{place}.py" in FILES else f"{place}/__init__.py".lstrip("/")
    name, folder = package(FILES | {own: f"def fit():\n    {line}\n"})
    dotted = f"{name}.{module}".rstrip(".")
    before = code_digest(dotted)
    assert code_digest(dotted) == before
    for path in {*FILES} - {own, imported}:
        text = (folder / path).read_text()
        (folder / path).write_text(f"{text}# edited\n")
        assert path.endswith("__init__.py") or code_digest(dotted) == before, path
        (folder / path).write_text(text)
    (folder / imported).write_text("FACTOR = 2\n")
    assert code_digest(dotted) != before


def test_modules_do_not_flow_into_each_other(package):
    name, folder = package({"__init__.py": "from . import one, two\n", "one.py": "a = 1\n", "two.py": "b = 2\n"})
    before = code_digest(name)
    (folder / "one.py").write_text("b = 2\n")
    (folder / "two.py").write_text("a = 1\n")
    swapped = code_digest(name)
    (folder / "one.py").write_text("a = 1\nb = 2\n")
    (folder / "two.py").write_text("")
    assert len({before, swapped, code_digest(name)}) == 3
