"""What produced a number: versions, commit, and a digest of the code behind a detector."""

import ast
import functools
import hashlib
import subprocess
from collections.abc import Collection, Iterator
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("benchmark", "methods", "protocols", "results")
LIBRARIES = ("torch", "torchvision", "numpy", "scikit-learn", "pillow")


def libraries(packages: Collection[str] = ()) -> dict[str, str]:
    """Versions of the libraries behind every number, and of what installed the further `packages`."""
    from importlib.metadata import packages_distributions, version

    installed = packages_distributions() if packages else {}
    further = {name for package in packages for name in installed.get(package, ())}
    return {name: version(name) for name in (*LIBRARIES, *sorted(further))}


def commit() -> tuple[str | None, bool | None]:
    """Commit of the checkout that this package runs from and whether it was changed since; None where there is none."""
    here = Path(__file__)
    head = _git(here.parent, "rev-parse", "HEAD")
    if head is None or _git(here.parent, "ls-files", "--error-unmatch", here.name) is None:
        return None, None
    status = _git(here.parent, "status", "--porcelain", "--untracked-files=no")
    return head.strip(), bool(status)


def code_digest(module: str) -> str:
    """SHA-256 over the sources of `module` and of all that it imports of its own package, sorted by name."""
    package = module.partition(".")[0]
    found: dict[str, bytes] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        source = _source(name)
        if name in found or source is None:
            continue
        found[name] = source
        waiting.extend(other for other in _imports(source, name) if other.partition(".")[0] == package)
    whole = hashlib.sha256()
    for name in sorted(found):
        whole.update(f"{name}\n{len(found[name])}\n".encode() + found[name])
    return whole.hexdigest()


@functools.cache
def installed_digest() -> str:
    """SHA-256 over the sources and recipes that a fit may use, as they are installed here."""
    whole = hashlib.sha256()
    root = Path(__file__).parents[1]
    for package in PACKAGES:
        for file in sorted(path for kind in ("py", "toml") for path in (root / package).rglob(f"*.{kind}")):
            content = file.read_bytes()
            whole.update(f"{file.relative_to(root).as_posix()}\n{len(content)}\n".encode() + content)
    return whole.hexdigest()


def _source(module: str) -> bytes | None:
    """The file of a module, found by its path so that nothing is imported; None where the name is not a module's."""
    package, *inner = module.split(".")
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        place = Path(folder, *inner)
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return file.read_bytes()
    return Path(spec.origin).read_bytes() if spec and spec.origin and not inner else None


def _imports(source: bytes, module: str) -> Iterator[str]:
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parent = module.rsplit(".", node.level)[0] if node.level else ""
            base = ".".join(part for part in (parent, node.module) if part)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
