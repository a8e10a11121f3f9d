"""Suites: named sets of runs, one TOML file each, and what the command line selects of them."""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from benchmark.errors import BenchError
from benchmark.names import near
from methods.params import ParamValue


class Suite(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Datasets with their known classes (none where the rule has none), methods, shots and seeds under one rule.

    `table` is the paper's table that these runs fill, if any.
    """

    id: str
    title: str
    rule: str
    recipe: str
    methods: tuple[str, ...]
    shots: tuple[int, ...]
    seeds: tuple[int, ...]
    datasets: dict[str, tuple[str, ...]]
    table: str | None = None
    without_anomalies: tuple[str, ...] = ()
    options: dict[str, ParamValue] = {}


@dataclass(frozen=True)
class Selection:
    """What the command line asks of a suite; None leaves the suite's own choice."""

    methods: tuple[str, ...] | None = None
    datasets: tuple[str, ...] | None = None
    known_classes: tuple[str, ...] | None = None
    shots: tuple[int, ...] | None = None
    seeds: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Wanted:
    """One run as a person names it. `shots` is None for a method that is given no anomalies."""

    method: str
    dataset: str
    known_class: str | None
    shots: int | None
    seed: int


def names() -> list[str]:
    return sorted(entry.name.removesuffix(".toml") for entry in _built_in().iterdir() if entry.name.endswith(".toml"))


def load(name: str) -> Suite:
    """A built-in suite by its id, one of an entry point `swanbench.suites`, or a TOML file by its path.

    Raises:
        BenchError: there is none, or its file says what a suite cannot.
    """
    if name in names():
        return _parse(_built_in().joinpath(f"{name}.toml").read_text(encoding="utf-8"), f"suite {name}")
    path = Path(name)
    if path.suffix == ".toml":
        try:
            return _parse(path.read_text(encoding="utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise BenchError(f"cannot read the suite file {path}: {error}") from error
    plugged = _plug_ins()
    if name in plugged:
        return _parse(plugged[name].read_text(encoding="utf-8"), str(plugged[name]))
    raise BenchError(f"unknown suite '{name}'{near(name, [*names(), *plugged])}: or give the path of a TOML file")


def expand(
    suite: Suite,
    selection: Selection,
    *,
    without_anomalies: Collection[str],
    known_classes: Mapping[str, tuple[str, ...]],
) -> list[Wanted]:
    """The runs of `suite` that `selection` leaves or adds, in the order of the suite.

    `without_anomalies` are methods that are given none; `known_classes` are those of datasets the suite does not list.

    Raises:
        BenchError: a selected known class is none of any selected dataset.
    """
    datasets = selection.datasets or tuple(suite.datasets)
    methods = selection.methods or suite.methods
    shots: tuple[int | None, ...] = selection.shots or suite.shots
    seeds = selection.seeds or suite.seeds
    of_dataset = {name: suite.datasets.get(name) or known_classes.get(name, ()) for name in datasets}
    if selection.known_classes:
        every = {name for classes in of_dataset.values() for name in classes}
        for known in selection.known_classes:
            if known not in every:
                raise BenchError(
                    f"no selected dataset of suite {suite.id} has the known class '{known}'{near(known, every)}"
                )
        of_dataset = {
            dataset: tuple(known for known in classes if known in selection.known_classes)
            for dataset, classes in of_dataset.items()
        }
    return [
        Wanted(method=method, dataset=dataset, known_class=known, shots=n, seed=seed)
        for dataset in datasets
        for known in (of_dataset[dataset] if suite.rule == "hard" else (None,))
        for method in methods
        for n in ((None,) if method in without_anomalies else shots)
        for seed in seeds
    ]


def _parse(text: str, origin: str) -> Suite:
    try:
        return msgspec.convert(tomllib.loads(text), Suite)
    except tomllib.TOMLDecodeError as error:
        raise BenchError(f"{origin} is not valid TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise BenchError(f"{origin}: {error}; see the suites that come with swanbench for the form") from error


def _built_in() -> Any:
    return files("benchmark").joinpath("suites")


def _plug_ins() -> dict[str, Any]:
    from importlib.metadata import entry_points

    return {entry.name: files(entry.module).joinpath(entry.attr) for entry in entry_points(group="swanbench.suites")}
