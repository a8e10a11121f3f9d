"""Entry points of other packages, read and loaded so that a broken one costs itself alone."""

import contextlib
import importlib.util
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint


class PluginError(Exception):
    """An entry point cannot be used; the text says why."""


def list_entry_points(group: str) -> "list[EntryPoint]":
    """The entry points of a group, sorted by name and value; those of packages that list them wrongly are left out."""
    from importlib.metadata import distributions, entry_points

    try:
        points = list(entry_points(group=group))
    except Exception:  # noqa: BLE001 - reads the lists of all packages at once, and fails if one is wrong
        sound = (package for package in distributions() if not _trouble(package))
        points = [point for package in sound for point in package.entry_points.select(group=group)]
    return sorted(dict.fromkeys(points), key=lambda point: (point.name, point.value))


def points_by_name(group: str) -> "dict[str, list[EntryPoint]]":
    """The entry points of a group by name, sorted; usually one a name."""
    by_name: dict[str, list[EntryPoint]] = {}
    for point in list_entry_points(group):
        by_name.setdefault(point.name, []).append(point)
    return by_name


def only_point(same: "Sequence[EntryPoint]", our_names: Collection[str], what: str) -> "EntryPoint":
    """The one entry point of a name; `taken` are the names of what swanbench itself has of this kind.

    Raises:
        PluginError: the name is taken, or several have it.
    """
    point = same[0]
    if point.name in our_names:
        raise PluginError(f"{point.value}: the name '{point.name}' is that of a {what} of swanbench: choose another")
    if len(same) > 1:
        raise PluginError(f"{' and '.join(twin.value for twin in same)} have the same name: choose another for one")
    return point


def unreadable_packages() -> dict[str, str]:
    """Packages whose list of entry points cannot be read, with the reason."""
    from importlib.metadata import distributions

    return {str(package.name): trouble for package in distributions() if (trouble := _trouble(package))}


def _trouble(distribution: "Distribution") -> str:
    try:
        list(distribution.entry_points)
    except Exception as error:  # noqa: BLE001 - the text of a stranger is parsed in the standard library
        return f"its entry_points.txt cannot be read ({type(error).__name__}: {error})"
    return ""


@contextlib.contextmanager
def guest_code(*passed: type[Exception]) -> Iterator[None]:
    """A block that runs code of a plug-in: its prints go to stderr, its errors become PluginError.

    Raises:
        PluginError: the block exited, or raised another error than those that are `passed` on.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except PluginError:
        raise
    except passed:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(" ".join(f"{type(error).__name__}: {error}".split())) from error


def load_object(value: str) -> Any:
    """The object that `module:NAME` names.

    Raises:
        PluginError: it cannot be imported.
    """
    module, _, name = (part.strip() for part in value.partition(":"))
    try:
        with guest_code():
            return getattr(importlib.import_module(module), name)
    except PluginError as error:
        raise PluginError(f"cannot load {value} ({error})") from error


def resource_text(value: str, what: str) -> str:
    """Text of the file that `package:file.toml` names; nothing is imported.

    Raises:
        PluginError: there is no such file, or it cannot be read; `what` is what the file should be.
    """
    package, colon, file = (part.strip() for part in value.partition(":"))
    if not (package and colon and file.endswith(".toml")):
        raise PluginError(f"the entry point must name a {what} as package:file.toml")
    try:
        return (_folder(package) / file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ImportError, ValueError) as error:
        raise PluginError(f"the {what} cannot be read: {error}") from None


def plugin_folder(value: str, what: str) -> Path:
    """The folder that `package:folder` names, found without importing anything.

    Raises:
        PluginError: the value has another form, or there is no such folder; `what` is what it should be.
    """
    package, colon, name = (part.strip() for part in value.partition(":"))
    if not (package and colon and name):
        raise PluginError(f"the entry point must name a {what} as package:folder")
    try:
        path = _folder(package) / name
    except (ImportError, ValueError) as error:
        raise PluginError(f"the {what} cannot be found: {error}") from None
    if not path.is_dir():
        raise PluginError(f"the {what} cannot be found: {path} is no folder")
    return path


def _folder(package: str) -> Path:
    """Folder of a package, found without importing it (or its parents, which `find_spec` would import)."""
    top, *below = package.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None:
        raise ImportError(f"no package {top}")
    roots = spec.submodule_search_locations or [str(Path(spec.origin or "").parent)]
    folders = [Path(root, *below) for root in roots]
    return next((folder for folder in folders if folder.is_dir()), folders[0])
