"""Which methods there are: our recipe files, and those that other packages offer by entry point."""

import functools
import importlib
import importlib.util
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from methods.errors import MethodError
from methods.params import hint
from methods.recipe import MethodInfo, detector, document, variant

if TYPE_CHECKING:
    from methods.detector import Detector

GROUP = "swanbench.methods"
FOLDER = Path(__file__).parent / "recipes"

_INTERFACE = ("fit", "score", "state", "load")


class Plugin(msgspec.Struct, frozen=True):
    """An entry point: its name and its value `package:file.toml`."""

    name: str
    value: str


class Registry(msgspec.Struct, frozen=True):
    """Methods by id, sorted, and the plug-ins that cannot be used: name -> reason."""

    methods: dict[str, MethodInfo]
    broken: dict[str, str]

    def get(self, method: str) -> MethodInfo:
        """The method of this id; MethodError with a near miss where there is none."""
        if method in self.methods:
            return self.methods[method]
        if method in self.broken:
            raise MethodError(f"the plug-in '{method}' cannot be used: {self.broken[method]}")
        otherwise = "see bench methods list"
        raise MethodError(f"unknown method '{method}': {hint(method, self.methods, otherwise)}")


def methods() -> dict[str, MethodInfo]:
    """Every usable method by id, sorted."""
    return dict(_installed().methods)


def broken() -> dict[str, str]:
    """Plug-ins that cannot be used, by entry point name, with the reason."""
    return dict(_installed().broken)


def get(method: str) -> MethodInfo:
    """The method of this id.

    Raises:
        MethodError: there is none; the text has a near miss or the next step.
    """
    return _installed().get(method)


def load(info: MethodInfo) -> "type[Detector]":
    """The detector's class; the only place that imports its Python file.

    Raises:
        MethodError: a package that the method needs is not installed, the module cannot be imported, or the class is
            not there or lacks a method of the interface.
    """
    lacking = info.lacking()
    if lacking:
        raise MethodError(lacking)
    module, _, name = info.detector.partition(":")
    try:
        found: Any = getattr(importlib.import_module(module), name)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise MethodError(f"the detector of {info.id}, {info.detector}, cannot be imported: {reason}") from error
    missing = [method for method in _INTERFACE if not callable(getattr(found, method, None))]
    if missing:
        text = f"has no {', '.join(missing)}: see methods.detector.Detector"
        raise MethodError(f"the detector of {info.id}, {info.detector}, {text}")
    cls: type[Detector] = found
    return cls


@functools.cache
def _installed() -> Registry:
    """What is installed does not change while a process lives, so it is read once."""
    from importlib.metadata import entry_points

    return discover(FOLDER, [Plugin(point.name, point.value) for point in entry_points(group=GROUP)])


def discover(folder: Path, plugins: Iterable[Plugin] = ()) -> Registry:
    """Methods of the recipe files in `folder` and of plug-ins; a plug-in never takes others down.

    Raises:
        MethodError: a file of `folder` is wrong, or two of them have one id.
    """
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.toml"))}
    documents = {origin: document(text, origin) for origin, text in texts.items()}
    found: dict[str, MethodInfo] = {}
    for origin in sorted(documents, key=lambda origin: "variant_of" in documents[origin]):
        _add(found, _read(documents[origin], origin, found))
    return _with_plugins(found, plugins)


def _with_plugins(built_in: Mapping[str, MethodInfo], plugins: Iterable[Plugin]) -> Registry:
    found = dict(built_in)
    documents: dict[Plugin, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    for plugin in sorted(plugins, key=lambda plugin: (plugin.name, plugin.value)):
        try:
            documents[plugin] = document(_plugin_text(plugin), _origin(plugin))
        except MethodError as error:
            failed[plugin.name] = str(error)
    for plugin in sorted(documents, key=lambda plugin: "variant_of" in documents[plugin]):
        try:
            _add(found, _read(documents[plugin], _origin(plugin), found))
        except MethodError as error:
            failed[plugin.name] = str(error)
    return Registry(dict(sorted(found.items())), dict(sorted(failed.items())))


def _read(tables: Mapping[str, Any], origin: str, known: Mapping[str, MethodInfo]) -> MethodInfo:
    return variant(tables, origin, known) if "variant_of" in tables else detector(tables, origin)


def _add(found: dict[str, MethodInfo], info: MethodInfo) -> None:
    if info.id in found:
        other = found[info.id].origin
        raise MethodError(f"{info.origin}: the id '{info.id}' is taken by {other}: choose another")
    found[info.id] = info


def _origin(plugin: Plugin) -> str:
    return f"{plugin.name} ({plugin.value})"


def _plugin_text(plugin: Plugin) -> str:
    package, colon, file = (part.strip() for part in plugin.value.partition(":"))
    if not (package and colon and file.endswith(".toml")):
        raise MethodError(f"{_origin(plugin)}: the entry point must name a recipe file as package:file.toml")
    try:
        return (_folder(package) / file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ImportError, ValueError) as error:
        raise MethodError(f"{_origin(plugin)}: the recipe file cannot be read: {error}") from None


def _folder(package: str) -> Path:
    """Folder of a package, found without importing it (or its parents, which `find_spec` would import)."""
    top, *below = package.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None:
        raise ImportError(f"no package {top}")
    roots = spec.submodule_search_locations or [str(Path(spec.origin or "").parent)]
    folders = [Path(root, *below) for root in roots]
    return next((folder for folder in folders if folder.is_dir()), folders[0])
