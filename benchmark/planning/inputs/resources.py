"""Resources that the runs of a plan share, each looked up once: datasets, weights files, splits."""

from collections.abc import Callable, Mapping
from typing import Any

from benchmark.paths import Folders
from benchmark.planning.code_digest import CodeDigests
from methods.backbones.find import AUTO, WeightsFile, check_options
from methods.backbones.find import find as find_weights
from methods.errors import MethodError
from protocols.catalogue import data_folder
from protocols.datasets.manifest import Dataset
from protocols.errors import DataError
from protocols.splits import rules
from protocols.splits.split import Split, draw


class Resources:
    """Opens, finds and draws at the first request and remembers; `notify` takes sentences for the person.

    `weights` are the options of the command line; `quick` allows `auto`, which is then the default.
    """

    def __init__(
        self, folders: Folders, weights: tuple[str, ...], *, quick: bool, notify: Callable[[str], None] | None
    ) -> None:
        self.data = folders.data
        self.codes = CodeDigests(folders.cache / "imports.json")
        self._folders = folders
        self._quick = quick
        self._options = weights or ((AUTO,) if quick else ())
        self._notify = notify
        self._opened: dict[str, Dataset | DataError] = {}
        self._found: dict[tuple[str, bool], WeightsFile | MethodError] = {}
        self._drawn: dict[tuple[Any, ...], Split] = {}

    def dataset(self, name: str) -> Dataset:
        """A prepared dataset; raises what `prepare.open_dataset` raises."""
        if name not in self._opened:
            try:
                self._opened[name] = data_folder.open_dataset(self.data, name, notify=self._notify)
            except DataError as error:
                self._opened[name] = error
        opened = self._opened[name]
        if isinstance(opened, DataError):
            raise opened
        return opened

    def check_weights(self) -> None:
        """Refuse what `--weights` cannot name; raises what `methods.backbones.find.check_options` raises."""
        check_options(self._options, allow_auto=self._quick)

    def weights(self, arch: str, *, auto: bool = True) -> WeightsFile:
        """The weights of an architecture; raises what `methods.backbones.find.find` raises.

        Without `auto` random ones stand in for missing ones only where a person asks for them.
        """
        if (arch, auto) not in self._found:
            options = (
                self._options
                if auto
                else tuple(option for option in self._options if option.rpartition("=")[2] != AUTO)
            )
            try:
                file = find_weights(
                    arch,
                    options=options,
                    env=self._folders.weights,
                    hub_dir=self._folders.hub,
                    cache_dir=self._folders.cache,
                    allow_auto=self._quick and auto,
                    notify=self._notify,
                )
            except MethodError as error:
                self._found[arch, auto] = error
            else:
                self._found[arch, auto] = file
                if AUTO in options and self._notify:
                    self._notify(f"weights of {arch}: {file.label} (--weights auto)")
        result = self._found[arch, auto]
        if isinstance(result, MethodError):
            raise result
        return result

    def split(
        self,
        rule: str,
        dataset: Dataset,
        seed: int,
        coordinates: Mapping[str, Any],
        options: Mapping[str, Any],
        *,
        is_labelled: bool,
    ) -> Split:
        """The split of a rule, given those of the coordinates that it has; raises what `draw` raises."""
        rule_coordinates = {name: coordinates.get(name) for name in rules.find_rule(rule).COORDINATES}
        key = (rule, dataset.name, seed, is_labelled, tuple(rule_coordinates.items()), tuple(sorted(options.items())))
        if key not in self._drawn:
            self._drawn[key] = draw(
                dataset, rule, split_seed=seed, options=options, is_labelled=is_labelled, **rule_coordinates
            )
        return self._drawn[key]
