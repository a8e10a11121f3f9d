"""Known datasets: ours, one file of `facts` a dataset or family, and those that other packages offer.

The latter come by the entry point group `swanbench.datasets`. Its value is `package:file.toml`, a file of facts, or
`module:NAME`, a mapping of ids to `DatasetInfo`.
"""

import functools
from collections.abc import Mapping
from importlib.resources import files

from protocols import plugins
from protocols.datasets.fact_files import parse_facts
from protocols.datasets.info import DatasetInfo
from protocols.datasets.naming import base_id
from protocols.errors import DataError
from protocols.plugins import PluginError

DATASET_GROUP = "swanbench.datasets"


@functools.cache
def our_datasets() -> dict[str, DatasetInfo]:
    """The datasets of this package by id, in the order of the files' names; read once, so not to be changed.

    Raises:
        DataError: a file of facts is wrong, or two have one id.
    """
    infos: dict[str, DatasetInfo] = {}
    folder = files("protocols.datasets").joinpath("facts")
    for name in sorted(file.name for file in folder.iterdir() if file.name.endswith(".toml")):
        added = parse_facts(folder.joinpath(name).read_text(encoding="utf-8"), name)
        duplicates = sorted(infos.keys() & added.keys())
        if duplicates:
            raise DataError(f"{name}: the id '{duplicates[0]}' is taken by another file: choose another")
        infos |= added
    return infos


def dataset_infos() -> Mapping[str, DatasetInfo]:
    """Every known dataset by id: those of this package, then the plug-ins'."""
    return discover_datasets()[0]


def dataset_info(name: str) -> DatasetInfo | None:
    """The facts of a dataset or of the one that it is a variant of, or None where nothing is known."""
    id_ = base_id(name)
    return our_datasets().get(id_) or dataset_infos().get(id_)


def dataset_family(name: str) -> tuple[DatasetInfo, ...]:
    """The members of a family, none where no dataset is of it; a plug-in's dataset is in no family of ours."""
    ours = tuple(info for info in our_datasets().values() if name and info.family == name)
    return ours or tuple(info for info in dataset_infos().values() if name and info.family == name)


def suite_datasets(suite: str) -> tuple[DatasetInfo, ...]:
    """Our datasets whose facts name `suite`, in the order that the facts give."""
    return tuple(
        sorted((info for info in our_datasets().values() if suite in info.suites), key=lambda info: info.order)
    )


def is_guest(info: DatasetInfo) -> bool:
    """True for a dataset that another package offers."""
    return info.id not in our_datasets()


def leak_guard(name: str) -> bool:
    """The default of the split option `leak_guard` for a dataset: on for Mastcam, whose frames repeat."""
    info = dataset_info(name)
    return info is not None and info.leak_guard


@functools.cache
def discover_datasets() -> tuple[Mapping[str, DatasetInfo], Mapping[str, str]]:
    """Known datasets by id, and the entry points that could not be used with the reason.

    Read once: what is installed does not change while a process lives, and every split that is drawn asks.
    """
    infos, problems = dict(our_datasets()), {}
    for point in plugins.list_entry_points(DATASET_GROUP):
        try:
            infos |= _offered(point.value, infos)
        except PluginError as error:
            problems[point.name] = str(error)
    return infos, problems


def _offered(value: str, infos: Mapping[str, DatasetInfo]) -> dict[str, DatasetInfo]:
    """The datasets of one entry point; raises PluginError where they cannot be used."""
    offered = _facts_of(value) if value.endswith(".toml") else _mapping_of(value)
    duplicates = sorted(offered.keys() & infos.keys())
    if duplicates:
        raise PluginError(f"{value} takes known ids ({', '.join(duplicates)}): choose others")
    joined = sorted(id_ for id_, info in offered.items() if info.suites)
    if joined:
        raise PluginError(f"{value}: suites are joined by our datasets alone: list {joined[0]} in a suite of your own")
    return offered


def _facts_of(value: str) -> dict[str, DatasetInfo]:
    try:
        return parse_facts(plugins.resource_text(value, "file of facts"), value)
    except DataError as error:
        raise PluginError(str(error)) from None


def _mapping_of(value: str) -> dict[str, DatasetInfo]:
    named = plugins.load_object(value)
    try:
        with plugins.guest_code():
            offered = dict(named)
            wrong = [id_ for id_, info in offered.items() if not isinstance(info, DatasetInfo) or info.id != id_]
    except PluginError as error:
        raise PluginError(f"{value} is no mapping of ids to DatasetInfo ({error})") from error
    if wrong:
        raise PluginError(f"{value} is no DatasetInfo under its own id: {', '.join(map(str, wrong))}")
    return offered
