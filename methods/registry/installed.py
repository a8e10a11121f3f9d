"""List of the methods: our recipe files, and those that other packages offer by entry point."""

import contextlib
import functools
import importlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from methods.errors import MethodError
from methods.registry.recipe import MethodInfo, detector, document, variant
from protocols import plugins
from protocols.plugins import PluginError
from protocols.text import near_miss

if TYPE_CHECKING:
    from methods.detector import Detector

GROUP = "swanbench.methods"
FOLDER = Path(__file__).parents[1] / "recipes"

_INTERFACE = ("fit", "score", "state", "load")


class Plugin(msgspec.Struct, frozen=True):
    """An entry point: its name and its value `package:file.toml`."""

    name: str
    value: str


class Registry(msgspec.Struct, frozen=True):
    """Methods by id, sorted, and the plug-ins that cannot be used: name -> reason.

    `broken_ids` are the ids that the recipes of the latter have, and the names of these plug-ins.
    """

    methods: dict[str, MethodInfo]
    broken: dict[str, str]
    broken_ids: dict[str, str] = {}

    def get(self, method: str) -> MethodInfo:
        """The method of this id; MethodError with a near miss where there is none."""
        if method in self.methods:
            return self.methods[method]
        names = [*self.methods, *self.broken, *self.broken_ids]
        otherwise = "see bench methods list; one of your own is known once its package is installed"
        raise MethodError(self.trouble(method) or f"unknown method '{method}': {near_miss(method, names, otherwise)}")

    def trouble(self, method: str) -> str | None:
        """Reason that the plug-in of this name, or this id, cannot be used; None where no broken one has it."""
        plugin = self.broken_ids.get(method, method)
        return f"the plug-in '{plugin}' cannot be used: {self.broken[plugin]}" if plugin in self.broken else None


def methods() -> dict[str, MethodInfo]:
    """Every usable method by id, sorted."""
    return dict(_installed().methods)


def broken() -> dict[str, str]:
    """Plug-ins that cannot be used, by entry point name, with the reason."""
    return dict(_installed().broken)


def trouble(method: str) -> str | None:
    """Reason that the plug-in of this name, or this id, cannot be used; None where no broken one has it."""
    return _installed().trouble(method)


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
        with plugins.guest_code():
            target: Any = getattr(importlib.import_module(module), name)
    except PluginError as error:
        raise MethodError(f"the detector of {info.id}, {info.detector}, cannot be imported: {error}") from error
    missing = [method for method in _INTERFACE if not callable(getattr(target, method, None))]
    if missing:
        text = f"has no {', '.join(missing)}: see methods.detector.Detector"
        raise MethodError(f"the detector of {info.id}, {info.detector}, {text}")
    cls: type[Detector] = target
    return cls


@functools.cache
def _installed() -> Registry:
    """The registry, read once: installed methods do not change while a process lives."""
    return discover(FOLDER, [Plugin(point.name, point.value) for point in plugins.list_entry_points(GROUP)])


def discover(folder: Path, offered: Iterable[Plugin] = ()) -> Registry:
    """Methods of the recipe files in `folder` and of plug-ins; a plug-in never takes others down.

    Raises:
        MethodError: a file of `folder` is wrong, or two of them have one id.
    """
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.toml"))}
    documents = {origin: document(text, origin) for origin, text in texts.items()}
    methods_by_id: dict[str, MethodInfo] = {}
    for origin in sorted(documents, key=lambda origin: "variant_of" in documents[origin]):
        _add(methods_by_id, _read(documents[origin], origin, methods_by_id))
    return _with_plugins(methods_by_id, offered)


def _with_plugins(built_in: Mapping[str, MethodInfo], offered: Iterable[Plugin]) -> Registry:
    methods_by_id = dict(built_in)
    documents: dict[Plugin, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    ids: dict[str, str] = {}
    for plugin in sorted(offered, key=lambda plugin: (plugin.name, plugin.value)):
        with _kept_apart(plugin, failed):
            documents[plugin] = document(_plugin_text(plugin), _origin(plugin))
    for plugin in sorted(documents, key=lambda plugin: "variant_of" in documents[plugin]):
        ids[str(documents[plugin].get("id"))] = plugin.name
        with _kept_apart(plugin, failed):
            _add(methods_by_id, _read(documents[plugin], _origin(plugin), methods_by_id))
    broken_ids = {id_: name for id_, name in ids.items() if name in failed and id_ not in methods_by_id}
    return Registry(dict(sorted(methods_by_id.items())), dict(sorted(failed.items())), broken_ids)


@contextlib.contextmanager
def _kept_apart(plugin: Plugin, failed: dict[str, str]) -> Iterator[None]:
    """A block that reads a plug-in's recipe: whatever is wrong with it is noted in `failed`."""
    try:
        yield
    except MethodError as error:
        failed[plugin.name] = str(error)
    except Exception as error:  # noqa: BLE001 - whatever a plug-in does wrong, the others stay usable
        failed[plugin.name] = f"{_origin(plugin)}: {type(error).__name__}: {error}"


def _read(tables: Mapping[str, Any], origin: str, detectors: Mapping[str, MethodInfo]) -> MethodInfo:
    return variant(tables, origin, detectors) if "variant_of" in tables else detector(tables, origin)


def _add(methods_by_id: dict[str, MethodInfo], info: MethodInfo) -> None:
    if info.id in methods_by_id:
        origin = methods_by_id[info.id].origin
        raise MethodError(f"{info.origin}: the id '{info.id}' is taken by {origin}: choose another")
    methods_by_id[info.id] = info


def _origin(plugin: Plugin) -> str:
    return f"{plugin.name} ({plugin.value})"


def _plugin_text(plugin: Plugin) -> str:
    try:
        return plugins.resource_text(plugin.value, "recipe file")
    except PluginError as error:
        raise MethodError(f"{_origin(plugin)}: {error}") from None
