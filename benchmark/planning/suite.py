"""Suites: named sets of runs, one TOML file each, and what the command line selects of them."""

import itertools
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from benchmark.errors import BenchError
from protocols import plugins
from protocols.coordinates import COORDINATE_FIELDS, Coordinates
from protocols.datasets.info import DatasetInfo
from protocols.datasets.registry import our_datasets, suite_datasets
from protocols.errors import DataError
from protocols.plugins import PluginError
from protocols.splits import rules
from protocols.text import near_miss
from protocols.values import ParamValue

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

SUITE_ENTRY_POINTS = "swanbench.suites"


class Suite(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Datasets, methods, seeds, and the label budgets that the rule has, such as numbers of shots or shares.

    `datasets` maps each to what the rule splits it by: known classes (hard), normal classes (one_class,
    labelled_share), source datasets (cross_domain), or nothing. A file that has `datasets_of` instead takes the
    datasets whose facts name that suite, with the classes that their facts have. `labels` are the values of coordinates
    of that role, which a file has under their plurals, `shots` or `gammas`. `leave_out` names runs that are none of the
    suite's by some of their coordinates. `table` or `figure` is what these runs fill of a paper, if any. `also` are
    suites that are planned after this one, where a table needs another rule too or two tables belong together. With
    `split_seeds` each of these draws a split, and each of `seeds` trains on every one of them; without, each seed draws
    its own.
    """

    id: str
    title: str
    rule: str
    recipe: str
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    split_seeds: tuple[int, ...] = ()
    datasets: dict[str, tuple[str, ...]] = {}
    datasets_of: str | None = None
    labels: dict[str, tuple[str | int, ...]] = {}
    table: str | None = None
    figure: str | None = None
    also: tuple[str, ...] = ()
    without_anomalies: tuple[str, ...] = ()
    leave_out: tuple[dict[str, str], ...] = ()
    options: dict[str, ParamValue] = {}

    @property
    def subset(self) -> str | None:
        """The coordinate that splits a dataset under this rule; None where it is taken whole."""
        return rules.find_rule(self.rule).SUBSET


@dataclass(frozen=True)
class Selection:
    """Methods, datasets, seeds and values of coordinates that the command line asks of a suite.

    None, or a coordinate that is missing, leaves the suite's own choice. `split_seeds` are crossed with `seeds`.
    """

    methods: tuple[str, ...] | None = None
    datasets: tuple[str, ...] | None = None
    seeds: tuple[int, ...] | None = None
    split_seeds: tuple[int, ...] | None = None
    coordinates: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, str]:
        """The options of the command line that ask for it, by name: `{"dataset": "elpv,mnist"}`."""
        named = {"method": self.methods, "dataset": self.datasets, **self.coordinates}
        named |= {"seed": self.seeds, "split_seed": self.split_seeds}
        return {name.replace("_", "-"): ",".join(map(str, values)) for name, values in named.items() if values}


def option_words(options: Mapping[str, str]) -> str:
    """Options as they stand behind a command, each with a space in front."""
    return "".join(f" --{name} {value}" for name, value in options.items())


class WantedRun(Coordinates, frozen=True, kw_only=True):
    """One run as a person names it; what its rule does not have is None.

    `shots` is None too for a method that is given no anomalies; with a `source_dataset` they are the source's.
    `seed` is that of the training, `split_seed` that of the draw.
    """

    method: str
    dataset: str
    seed: int
    split_seed: int


def with_more_seeds(suite: Suite, selection: Selection, total: int) -> Selection:
    """The selection with the suite's seeds and the smallest others, so many in all; seeds that were given stay.

    Where a suite lists split seeds, these are the ones that become more.
    """
    if selection.seeds or selection.split_seeds:
        return selection
    listed = suite.split_seeds or suite.seeds
    others = (seed for seed in itertools.count() if seed not in listed)
    seeds = (*listed, *itertools.islice(others, max(0, total - len(listed))))
    return replace(selection, split_seeds=seeds) if suite.split_seeds else replace(selection, seeds=seeds)


def class_subsets(info: DatasetInfo | None, subset: str | None) -> tuple[str, ...]:
    """The values by which a rule splits a dataset, as its facts have them under the coordinate's plural."""
    values: tuple[str, ...] = getattr(info, COORDINATE_FIELDS[subset].plural, ()) if subset else ()
    return values


def suite_names() -> list[str]:
    return sorted(entry.name.removesuffix(".toml") for entry in _built_in().iterdir() if entry.name.endswith(".toml"))


def load_suite(name: str) -> Suite:
    """A built-in suite by its id, one of an entry point `swanbench.suites`, or a TOML file by its path.

    Raises:
        BenchError: there is none, or its file says what a suite cannot.
    """
    if name in suite_names():
        return _parse(_built_in().joinpath(f"{name}.toml").read_text(encoding="utf-8"), f"suite {name}")
    path = Path(name)
    if path.suffix == ".toml":
        try:
            return _parse(path.read_text(encoding="utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise BenchError(f"cannot read the suite file {path}: {error}") from error
    offered = plugins.points_by_name(SUITE_ENTRY_POINTS)
    if name in offered:
        try:
            return _offered(offered[name])
        except PluginError as error:
            raise BenchError(f"the plug-in '{name}' cannot be used: {error}") from error
    raise BenchError(
        f"unknown suite '{name}', and no TOML file has that path: {near_miss(name, {*suite_names(), *offered})}"
    )


def broken_suites() -> dict[str, str]:
    """Plug-ins that cannot be used, by entry point name, with the reason."""
    problems = {}
    for name, same in plugins.points_by_name(SUITE_ENTRY_POINTS).items():
        try:
            _offered(same)
        except PluginError as error:
            problems[name] = str(error)
    return problems


def suite_parts(suite: Suite, selection: Selection) -> list[tuple[Suite, Selection]]:
    """The suite and those it names in `also`, each with its selection.

    One whose rule does not have a selected coordinate is left out, as long as another has it. Datasets that are
    selected and not listed are added to the suite itself alone.

    Raises:
        BenchError: a suite in `also` cannot be loaded.
    """
    parts = [(suite, selection)]
    for listed in map(load_suite, suite.also):
        own_selection = selection.datasets and tuple(name for name in selection.datasets if name in listed.datasets)
        if own_selection is None or own_selection:
            parts.append((listed, replace(selection, datasets=own_selection)))
    return [part for part in parts if _foreign(*part) is None] or parts[:1]


def expand_suite(
    suite: Suite,
    selection: Selection,
    *,
    without_anomalies: Collection[str],
    classes: Mapping[str, tuple[str, ...]],
) -> list[WantedRun]:
    """The runs of `suite` that `selection` leaves or adds, in the order of the suite.

    `without_anomalies` are methods that are given none; `classes` are those of datasets of which the suite lists none.

    Raises:
        BenchError: a selected class is none of any selected dataset, or the rule has nothing of a selected kind.
    """
    coordinates = rules.find_rule(suite.rule).COORDINATES
    foreign = _foreign(suite, selection)
    if foreign:
        raise BenchError(
            f"--{foreign.replace('_', '-')} does not fit suite {suite.id}: its rule '{suite.rule}' has no "
            f"{foreign.replace('_', ' ')}, leave it out or take another suite"
        )
    subsets = _subsets(suite, selection, classes)
    labels = {
        name: selection.coordinates.get(name) or suite.labels[name]
        for name in coordinates
        if COORDINATE_FIELDS[name].role == "labels"
    }
    runs = [
        WantedRun(
            method=method,
            dataset=dataset,
            seed=seed,
            split_seed=seed if split_seed is None else split_seed,
            **subset,
            **labelled,
        )
        for dataset, values in subsets.items()
        for value in values
        for method in selection.methods or suite.methods
        for subset in [_subset(suite, value, is_alone=method in without_anomalies)]
        for labelled in _labelled(labels, none=method in without_anomalies)
        for split_seed in selection.split_seeds or suite.split_seeds or (None,)
        for seed in selection.seeds or suite.seeds
    ]
    return [run for run in dict.fromkeys(runs) if not any(_matches(run, left_out) for left_out in suite.leave_out)]


def _subset(suite: Suite, value: str | None, *, is_alone: bool) -> dict[str, Any]:
    """The coordinate that splits the dataset. A method without anomalies has no source: it trains on the target."""
    if suite.subset is None or (suite.subset == "source_dataset" and is_alone):
        return {}
    return {suite.subset: value}


def _labelled(labels: Mapping[str, tuple[str | int, ...]], *, none: bool) -> Iterator[dict[str, Any]]:
    """Label budgets, every value of one coordinate with every one of another; with `none` one run without labels."""
    if none:
        yield {name: COORDINATE_FIELDS[name].unlabelled for name in labels}
        return
    yield from (dict(zip(labels, values, strict=True)) for values in itertools.product(*labels.values()))


def _subsets(
    suite: Suite, selection: Selection, classes: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str | None, ...]]:
    """By dataset what the rule splits it by: one None where it takes the whole, or where its classes are not known."""
    datasets = selection.datasets or tuple(suite.datasets)
    if suite.subset is None:
        return dict.fromkeys(datasets, (None,))
    if suite.subset == "source_dataset":
        return {name: _sources(suite, name, selection.coordinates.get(suite.subset)) for name in datasets}
    chosen = selection.coordinates.get(suite.subset)
    classes_by_dataset = {name: suite.datasets.get(name) or classes.get(name, ()) for name in datasets}
    if chosen and all(classes_by_dataset.values()):
        every = {value for values in classes_by_dataset.values() for value in values}
        for value in chosen:
            if value not in every:
                what = suite.subset.replace("_", " ")
                raise BenchError(
                    f"no selected dataset of suite {suite.id} has the {what} '{value}': {near_miss(value, every)}"
                )
    return {
        name: tuple(value for value in values if not chosen or value in chosen) if values else (None,)
        for name, values in classes_by_dataset.items()
    }


def _sources(suite: Suite, target: str, selected: tuple[str, ...] | None) -> tuple[str, ...]:
    """The datasets that a target is fine-tuned from: as selected, as the suite says, or every other of the suite."""
    return tuple(name for name in selected or suite.datasets.get(target) or tuple(suite.datasets) if name != target)


def _foreign(suite: Suite, selection: Selection) -> str | None:
    """A coordinate that is selected and that the suite's rule does not have; None where there is none."""
    own_coordinates = {*rules.find_rule(suite.rule).COORDINATES, suite.subset}
    return next(
        (name for name, chosen in selection.coordinates.items() if chosen and name not in own_coordinates), None
    )


def _matches(run: WantedRun, coordinates: Mapping[Any, str]) -> bool:
    """True where a run has these coordinates, written as tables print them: `{"shots": "100"}`."""
    return all(str(getattr(run, name)) == value for name, value in coordinates.items())


def _parse(text: str, origin: str) -> Suite:
    try:
        tables = tomllib.loads(text)
        suite = _read(tables)
        coordinates = rules.find_rule(suite.rule).COORDINATES
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BenchError(f"{origin} is not valid TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise BenchError(f"{origin}: {error}; see the suites that come with swanbench for the form") from error
    except DataError as error:
        raise BenchError(f"{origin}: {error}") from error
    if ("datasets" in tables) == ("datasets_of" in tables):
        raise BenchError(f"{origin}: give the table [datasets], or datasets_of and a suite that facts name")
    for name, coordinate in COORDINATE_FIELDS.items():
        values = suite.labels.get(name)
        if coordinate.role == "labels" and (name in coordinates) != bool(values):
            raise BenchError(f"{origin}: the rule '{suite.rule}' {'has no' if values else 'needs'} {coordinate.plural}")
    return _with_datasets(suite, origin)


def _with_datasets(suite: Suite, origin: str) -> Suite:
    """The suite with the datasets of the suite that `datasets_of` names; raises BenchError where no facts name that."""
    if suite.datasets_of is None:
        return suite
    infos = suite_datasets(suite.datasets_of)
    if not infos:
        choices = {name for info in our_datasets().values() for name in info.suites}
        raise BenchError(
            f"{origin}: the facts of no dataset name the suite '{suite.datasets_of}': "
            f"{near_miss(suite.datasets_of, choices)}"
        )
    return msgspec.structs.replace(suite, datasets={info.id: class_subsets(info, suite.subset) for info in infos})


def _read(tables: dict[str, Any]) -> Suite:
    """A suite of a file, whose label budgets stand under the plural of their coordinate."""
    if "labels" in tables:
        raise msgspec.ValidationError("Object contains unknown field `labels`")
    labels = {}
    for name, coordinate in COORDINATE_FIELDS.items():
        if coordinate.role == "labels" and coordinate.plural in tables:
            form = tuple[int, ...] if coordinate.kind is int else tuple[str, ...]
            try:
                labels[name] = msgspec.convert(tables.pop(coordinate.plural), form)
            except msgspec.ValidationError as error:
                raise msgspec.ValidationError(str(error).replace("$", f"$.{coordinate.plural}")) from error
    return msgspec.convert(tables | {"labels": labels}, Suite)


def _built_in() -> Any:
    return files("benchmark").joinpath("suites")


def _offered(same: "Sequence[EntryPoint]") -> Suite:
    """The suite of the entry points of one name, of which there should be one; raises PluginError otherwise."""
    point = plugins.only_point(same, suite_names(), "suite")
    with plugins.guest_code():
        try:
            return _parse(plugins.resource_text(point.value, "suite file"), point.value)
        except BenchError as error:
            raise PluginError(str(error)) from error
