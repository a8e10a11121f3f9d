"""Digests of the code behind detectors, as records hold them and as it is installed now."""

import ast
import contextlib
import functools
import hashlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import msgspec

from results.errors import ResultsError
from results.files import write_atomic


def code_digest(module: str) -> str:
    """SHA-256 over the sources of `module` and of all that it imports of its own package, sorted by name."""
    return CodeDigests(None).of(module)


@functools.cache
def digest_at_import(module: str) -> str:
    """The digest of the code that this process runs: the first call takes it, right before the module's import."""
    return code_digest(module)


class CodeDigests:
    """Digests of what is installed now. `file` keeps what sources import by their SHA-256: parsing takes the time."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._imports: dict[str, list[str]] = {}
        if file is not None:
            with contextlib.suppress(OSError, msgspec.DecodeError):
                self._imports = msgspec.json.decode(file.read_bytes(), type=dict[str, list[str]])
        self._digests: dict[str, str] = {}
        self._sources: dict[str, tuple[bytes, list[str]] | None] = {}

    def of(self, module: str) -> str:
        """The digest of a detector's module, read once; see `code_digest`."""
        if module not in self._digests:
            count = len(self._imports)
            self._digests[module] = self._digest(module)
            if self._file is not None and len(self._imports) != count:
                with contextlib.suppress(ResultsError):
                    write_atomic(self._file, msgspec.json.encode(self._imports))
        return self._digests[module]

    def _digest(self, module: str) -> str:
        package = module.partition(".")[0]
        sources: dict[str, bytes] = {}
        waiting = [module]
        while waiting:
            name = waiting.pop()
            source = None if name in sources else self._read(name)
            if source is not None:
                sources[name], imported = source
                waiting.extend(module for module in imported if module.partition(".")[0] == package)
        whole = hashlib.sha256()
        for name in sorted(sources):
            whole.update(f"{name}\n{len(sources[name])}\n".encode() + sources[name])
        return whole.hexdigest()

    def _read(self, module: str) -> tuple[bytes, list[str]] | None:
        """The source of a module and what it imports, read once; None where the name is not a module's."""
        if module not in self._sources:
            source = _source(module)
            self._sources[module] = source and (source[0], self._imported(*source))
        return self._sources[module]

    def _imported(self, source: bytes, package: str) -> list[str]:
        key = hashlib.sha256(package.encode() + b"\0" + source).hexdigest()
        if key not in self._imports:
            self._imports[key] = sorted(set(_imports(source, package)))
        return self._imports[key]


def _source(module: str) -> tuple[bytes, str] | None:
    """The file of a module and the package that its relative imports start from: of a package itself, else around it.

    It is found by its path so that nothing is imported; None where the name is not a module's.
    """
    package, *inner = module.split(".")
    spec = find_spec(package)
    around = module.rpartition(".")[0]
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder, *inner)
        for file, start in ((path / "__init__.py", module), (path.with_suffix(".py"), around)):
            if file.is_file():
                return file.read_bytes(), start
    return (Path(spec.origin).read_bytes(), around) if spec and spec.origin and not inner else None


def _imports(source: bytes, package: str) -> Iterator[str]:
    """The modules that a source imports, and names in them that may be modules too."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parent = package.rsplit(".", node.level - 1)[0] if node.level else ""
            base = ".".join(part for part in (parent, node.module) if part)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
