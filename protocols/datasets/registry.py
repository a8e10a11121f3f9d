"""Which datasets are known: ours, and those that other packages offer.

One file of `protocols/preparations` describes a dataset or a family in a mapping `DATASETS`; others come by the entry
point group `swanbench.datasets`, whose value `module:NAME` names such a mapping.
"""

import importlib
import pkgutil
from collections.abc import Mapping

from protocols import plugins
from protocols.datasets.info import DatasetInfo
from protocols.datasets.naming import base_id
from protocols.plugins import PluginError

ENTRY_POINTS = "swanbench.datasets"


def infos() -> dict[str, DatasetInfo]:
    """Every known dataset by id: those of this package, then the plug-ins'."""
    return discover()[0]


def find(name: str) -> DatasetInfo | None:
    """The facts of a dataset or of the one that it is a variant of, or None where nothing is known."""
    known = base_id(name)
    return _own().get(known) or infos().get(known)


def is_guest(info: DatasetInfo) -> bool:
    """Whether another package offers this dataset."""
    return info.id not in _own()


def leak_guard(name: str) -> bool:
    """The default of the split option `leak_guard` for a dataset: on for Mastcam, whose frames repeat."""
    info = find(name)
    return info is not None and info.leak_guard


def discover() -> tuple[dict[str, DatasetInfo], dict[str, str]]:
    """Known datasets by id, and the entry points that could not be used with the reason."""
    known, problems = _own(), {}
    for point in plugins.points(ENTRY_POINTS):
        try:
            known |= _offered(point.value, known)
        except PluginError as error:
            problems[point.name] = str(error)
    return known, problems


def _offered(value: str, known: Mapping[str, DatasetInfo]) -> dict[str, DatasetInfo]:
    """The datasets of one entry point; raises PluginError where they cannot be used."""
    named = plugins.load(value)
    try:
        with plugins.guest():
            offered = dict(named)
            wrong = [id_ for id_, info in offered.items() if not isinstance(info, DatasetInfo) or info.id != id_]
    except PluginError as error:
        raise PluginError(f"{value} is no mapping of ids to DatasetInfo ({error})") from error
    taken = sorted(offered.keys() & known.keys())
    if wrong or taken:
        raise PluginError(f"{value} is no DatasetInfo under its own id, or takes a known id: {wrong or taken}")
    return offered


def _own() -> dict[str, DatasetInfo]:
    known: dict[str, DatasetInfo] = {}
    package = importlib.import_module("protocols.preparations")
    for module in sorted(found.name for found in pkgutil.iter_modules(package.__path__)):
        known |= importlib.import_module(f"{package.__name__}.{module}").DATASETS
    return known
