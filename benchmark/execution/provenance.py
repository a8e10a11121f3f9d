"""What produced a number: versions, commit, and a digest of all code that a fit may use."""

import functools
import hashlib
import subprocess
from collections.abc import Collection
from pathlib import Path

from methods.registry.installed import GROUP

PACKAGES = ("benchmark", "methods", "protocols", "results")
LIBRARIES = ("torch", "torchvision", "numpy", "scikit-learn", "pillow")


def libraries(packages: Collection[str] = (), plug_in: str | None = None) -> dict[str, str]:
    """Versions of the libraries behind every number, of what installed the further `packages`, and of what offers the
    detectors of the package `plug_in`.
    """
    from importlib.metadata import entry_points, packages_distributions, version

    installed = packages_distributions() if packages else {}
    names = {name for package in packages for name in installed.get(package, ())}
    versions = {name: version(name) for name in (*LIBRARIES, *sorted(names))}
    for point in entry_points(group=GROUP) if plug_in else ():
        if point.dist is not None and point.module.partition(".")[0] == plug_in:
            versions[point.dist.name] = point.dist.version
    return versions


def commit() -> tuple[str | None, bool | None]:
    """Commit of the checkout that this package runs from and whether it was changed since; None where there is none."""
    here = Path(__file__)
    head = _git(here.parent, "rev-parse", "HEAD")
    if head is None or _git(here.parent, "ls-files", "--error-unmatch", here.name) is None:
        return None, None
    status = _git(here.parent, "status", "--porcelain", "--untracked-files=no")
    return head.strip(), bool(status)


@functools.cache
def installed_digest() -> str:
    """SHA-256 over the sources and recipes that a fit may use, as they are installed here."""
    whole = hashlib.sha256()
    root = Path(__file__).parents[2]
    for package in PACKAGES:
        for file in sorted(path for kind in ("py", "toml") for path in (root / package).rglob(f"*.{kind}")):
            content = file.read_bytes()
            whole.update(f"{file.relative_to(root).as_posix()}\n{len(content)}\n".encode() + content)
    return whole.hexdigest()


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
