"""The lock of the environment that runs the tests: `python tests/support/lock.py` writes it into `requirements/`.

It names the versions that are installed of all that the package and its extras need, as constraints for pip. Libraries of
CUDA are left out: torch's build for processors needs none. Nothing is looked up, so it says nothing of other platforms.
"""

import platform
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from repository import ROOT

FOLDER = ROOT / "requirements"
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


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / lock_name()).write_text(lock_text(project), encoding="utf-8")


if __name__ == "__main__":
    main()
