"""Locks of the package and its extras, as constraints for pip: `python tests/support/lock.py` writes them to `requirements/`.

That of this platform names the versions that are installed. Libraries of CUDA are left out: torch's build for processors
needs none. With `macos-arm64` or `windows-x64` uv looks up what would be installed there, with the same versions where
they are to be had.
"""

import os
import platform
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from repository import ROOT

FOLDER = ROOT / "requirements"
OTHERS = {"macos-arm64": "aarch64-apple-darwin", "windows-x64": "x86_64-pc-windows-msvc"}
"""Platforms that uv knows, by their names here."""
LINUX = FOLDER / "linux-cpu-py311.txt"
_CUDA = re.compile(r"nvidia-.*|cuda-.*|triton")


def lock_name() -> str:
    """The file of this platform, such as `linux-cpu-py311.txt`."""
    return f"{platform.system().lower()}-cpu-py{sys.version_info.major}{sys.version_info.minor}.txt"


def lock_text(project: Mapping[str, object]) -> str:
    """The constraints of a project's dependencies and of those of its extras that are installed whole.

    Raises:
        PackageNotFoundError: a dependency is not installed.
    """
    extras: Mapping[str, list[str]] = project["optional-dependencies"]
    whole = [extra for extra, texts in extras.items() if _is_installed(texts)]
    versions = _closure([*project["dependencies"], *(text for extra in whole for text in extras[extra])])
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    machine = f"{platform.system()} {platform.machine()}"
    start = [
        f"# {project['name']} with the extras {', '.join(whole)}: {machine}, {python}, no GPU.",
        "# Written by tests/support/lock.py from the environment that ran the tests.",
    ]
    return "\n".join([*start, *(f"{name}=={version}" for name, version in sorted(versions.items())), ""])


def _is_installed(texts: Iterable[str]) -> bool:
    try:
        return bool(_closure(texts))
    except PackageNotFoundError:
        return False


def _closure(texts: Iterable[str]) -> dict[str, str]:
    """Versions of what the requirements need in this environment, by name, whatever needs it."""
    versions: dict[str, str] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [wanted for wanted in map(Requirement, texts) if _is_needed(wanted, ())]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        case = name, frozenset(requirement.extras)
        if case in seen or _CUDA.fullmatch(name):
            continue
        seen.add(case)
        package = distribution(name)
        versions[name] = Version(package.version).public
        needed = map(Requirement, package.requires or ())
        waiting += [need for need in needed if _is_needed(need, requirement.extras)]
    return versions


def _is_needed(requirement: Requirement, extras: Iterable[str]) -> bool:
    return requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras))


def looked_up_text(project: Mapping[str, object], name: str) -> str:
    """The constraints of another platform, with the extras of the lock for Linux; needs uv and the network."""
    extras = re.search("extras ([a-z, ]+):", LINUX.read_text(encoding="utf-8"))[1].split(", ")
    options = ["--constraint", LINUX, "--python-version", "3.11.9", "--python-platform", OTHERS[name]]
    chosen = [word for extra in extras for word in ("--extra", extra)]
    words = ["uv", "pip", "compile", ROOT / "pyproject.toml", *options, *chosen, "--no-header", "--no-annotate", "-q"]
    environment = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": "15.0"}
    pins = subprocess.run(words, check=True, capture_output=True, text=True, env=environment).stdout.splitlines()
    start = [
        f"# {project['name']} with the extras {', '.join(extras)}: {name}, Python 3.11, no GPU.",
        "# Looked up by uv (tests/support/lock.py); no test has run with it.",
    ]
    return "\n".join([*start, *sorted(pins, key=lambda pin: pin.partition("==")[0]), ""])


def main(name: str | None = None) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    FOLDER.mkdir(exist_ok=True)
    if name is None:
        (FOLDER / lock_name()).write_text(lock_text(project), encoding="utf-8")
    else:
        (FOLDER / f"{name}-py311.txt").write_text(looked_up_text(project, name), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
