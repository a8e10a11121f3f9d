"""Packages with one method or one dataset, written from templates: whole or not at all."""

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from typing import Literal

from benchmark.errors import BenchError

PackageKind = Literal["method", "dataset"]

SKILL_FILE = ".agents/skills/swanbench/SKILL.md"
"""Where a package keeps the skill for coding agents, as their tools look for it."""

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST_ID = 60
_SUFFIX = ".j2"

_FILES: Mapping[PackageKind, Mapping[str, str]] = {
    "method": {
        "README.md": "README.md",
        "pyproject.toml": "pyproject.toml",
        "{package}/__init__.py": "__init__.py",
        "{package}/{name}.toml": "recipe.toml",
        "{package}/detector.py": "detector.py",
        "tests/test_{name}.py": "test.py",
    },
    "dataset": {
        "README.md": "README.md",
        "pyproject.toml": "pyproject.toml",
        "{package}/__init__.py": "__init__.py",
        "{package}/{name}.toml": "facts.toml",
        "{package}/preparation.py": "preparation.py",
        "tests/test_{name}.py": "test.py",
    },
}
"""Files of a package by kind: path -> template, `templates/KIND/TEMPLATE.j2`."""


def check_new_name(name: str, kind: PackageKind) -> None:
    """Refuse what cannot be the id of a method or dataset of one's own.

    Raises:
        BenchError: it is not in lower snake case, too long, or its class would be a word of Python's.
    """
    if not _NAME.fullmatch(name):
        example = _near_name(name)
        hint = f", such as {example}" if example else ""
        raise BenchError(
            f"'{name}' cannot be the id of a {kind}: use lower-case letters, digits and single underscores{hint}"
        )
    if kind == "method" and iskeyword(_class_name(name)):
        word = _class_name(name)
        raise BenchError(f"'{name}' cannot be the id of a method: its class would be Python's {word}; choose another")
    if len(name) > LONGEST_ID:
        raise BenchError(
            f"the id of a {kind} has at most {LONGEST_ID} characters, not {len(name)}: choose a shorter one"
        )


def write_package(kind: PackageKind, name: str, folder: Path | None = None) -> Path:
    """Write the package of a new method or dataset into a folder (default: `swanbench-NAME` here), which it returns.

    Raises:
        BenchError: the name cannot be, a package of that name is installed, the folder is there and not empty, or it
            cannot be written.
    """
    check_new_name(name, kind)
    if find_spec(f"swanbench_{name}") is not None:
        raise BenchError(f"a package swanbench_{name} is installed already: choose another name for the {kind}")
    target = Path(f"swanbench-{name.replace('_', '-')}") if folder is None else folder
    _refuse_taken(target)
    texts = package_files(kind, name)
    try:
        with _written_whole(target) as building:
            for path, text in texts.items():
                file = building / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise BenchError(f"cannot write {target}: {error.strerror}; choose another folder by --output DIR") from error
    return target


def package_files(kind: PackageKind, name: str) -> dict[str, str]:
    """The files of the package of a method or dataset: POSIX path -> text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from protocols.datasets.info import UNFILLED

    environment = Environment(
        loader=PackageLoader("benchmark.scaffolds", "templates"),
        autoescape=False,  # noqa: S701 - nothing of it is a page
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    words = name.split("_")
    values = {
        "name": name,
        "package": f"swanbench_{name}",
        "distribution": f"swanbench-{name.replace('_', '-')}",
        "title": " ".join(words).capitalize(),
        "unfilled": UNFILLED,
        "class_name": _class_name(name),
    }
    texts = {
        path.format(**values): environment.get_template(f"{kind}/{template}{_SUFFIX}").render(values)
        for path, template in _FILES[kind].items()
    }
    return texts | {".gitignore": "__pycache__/\nruns/\n", SKILL_FILE: skill_text()}


def skill_file() -> Path:
    """The file of the skill for coding agents that comes with swanbench."""
    return Path(str(files("swanbench").joinpath("skills/swanbench/SKILL.md")))


def skill_text() -> str:
    """The skill for coding agents: how to add a method or a dataset, and how to read a verdict, in Markdown."""
    return skill_file().read_text(encoding="utf-8")


def _class_name(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _near_name(name: str) -> str:
    """A possible id that is nearly this name; empty where there is none."""
    if not name.isascii():
        return ""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", re.sub(r"[^A-Za-z0-9]+", "_", name))
    near = "_".join(words).lower().lstrip("0123456789_")
    return near if _NAME.fullmatch(near) else ""


def _refuse_taken(folder: Path) -> None:
    try:
        is_taken = folder.is_symlink() or folder.exists()
        is_empty = is_taken and folder.is_dir() and not any(folder.iterdir())
    except OSError as error:
        raise BenchError(f"cannot read {folder}: {error.strerror}; choose another folder by --output DIR") from error
    if is_taken and not is_empty:
        what = "is not empty" if folder.is_dir() else "is a file"
        raise BenchError(f"{folder} {what}: choose another folder by --output DIR")


@contextlib.contextmanager
def _written_whole(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` whose content takes its place when the block ends well, and which else is removed.

    An empty folder that is there stays the same one: a shell may stand in it.
    """
    folder.absolute().parent.mkdir(parents=True, exist_ok=True)
    place = folder.resolve()
    building = place.with_name(f".{place.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    building.mkdir()
    try:
        yield building
        if place.exists():
            for entry in sorted(building.iterdir()):
                entry.rename(place / entry.name)
            building.rmdir()
        else:
            building.rename(place)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
