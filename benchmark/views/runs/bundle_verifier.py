"""Verification of bundles of runs by what is installed and prepared here, without training."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmark.views.derived import RecordDeriver
from methods.registry import installed
from protocols.catalogue import data_folder
from protocols.datasets.manifest import Dataset
from protocols.datasets.registry import dataset_info
from protocols.errors import DataError
from protocols.splits import rules
from protocols.splits.draw.options import LARGEST_ONE_SHOT_DRAW, SPLIT_FILE
from protocols.splits.draw.ranking import list_fingerprint
from protocols.splits.split import Split, draw
from results.maintenance.bundles import Bundle
from results.maintenance.verification import VerifiedRecord, verify_bundle
from results.record import Record
from results.spec import EMPTY_LIST, FitSpec, RunSpec


class BundleVerifier:
    """Verifies the runs of bundles: digests, keys, words, scores, and lists where their data are prepared here.

    `undrawn` has for each run whose lists were not drawn again the reason, by its name.
    """

    def __init__(self, data: Path, notify: Callable[[str], None]) -> None:
        self.undrawn: dict[str, str] = {}
        self._derive = RecordDeriver()
        self._methods = installed.methods()
        self._dataset = functools.cache(functools.partial(_prepared_dataset, data, notify))

    def __call__(self, bundle: Bundle) -> Iterator[VerifiedRecord]:
        """Every run of a bundle, with what it says of all of them last if that is wrong."""
        return verify_bundle(bundle, list_fingerprint, self._contradictions)

    def _contradictions(self, record: Record) -> list[str]:
        spec = record.spec
        contradictions = self._derive.contradictions(record)
        if contradictions:
            return contradictions
        if SPLIT_FILE in spec.split.options:
            self.undrawn[spec.name] = "its split is from a file, and no rule draws it"
            return []
        try:
            dataset = self._release(spec.split.dataset, spec.fit)
            source_name = spec.split.source_dataset
            source = self._release(source_name, spec.source) if spec.source and source_name else None
        except DataError as error:
            self.undrawn[spec.name] = str(error)
            return []
        try:
            return list(self._list_differences(spec, dataset, source))
        except DataError as error:
            return [f"its split cannot be drawn ({error})"]

    def _release(self, name: str, fit: FitSpec) -> Dataset:
        """The dataset of a fit; raises DataError where it is not here in the release that the key holds."""
        dataset = self._dataset(name)
        if dataset.fingerprint != fit.dataset_fingerprint:
            raise DataError(f"{name} is another release here, with manifest {dataset.fingerprint[:8]}")
        return dataset

    def _list_differences(self, spec: RunSpec, dataset: Dataset, source: Dataset | None) -> Iterator[str]:
        """Lists of a run that are not those which its rule draws."""
        split = _drawn_split(spec, spec.split.rule, dataset)
        if split.test_fingerprint != spec.test:
            yield f"its test list is not the one that the rule {split.rule} draws"
        info = self._methods.get(spec.method)
        takes_anomalies = info.anomalies if info else spec.fit.train_anomaly != EMPTY_LIST
        yield from _training_differences(split, spec.fit, takes_anomalies=takes_anomalies and not spec.is_fine_tuned)
        if source is not None and spec.source is not None:
            yield from _training_differences(_drawn_split(spec, "general", source), spec.source, takes_anomalies=True)


def _drawn_split(spec: RunSpec, rule: str, dataset: Dataset) -> Split:
    """A split of a run, drawn as planning draws it."""
    coordinates = spec.split.coordinates
    if spec.split.shots is None:
        coordinates["shots"] = LARGEST_ONE_SHOT_DRAW
    return draw(
        dataset,
        rule,
        split_seed=spec.split_seed,
        options=spec.split.options,
        is_labelled=spec.split.shots is not None,
        **{name: coordinates[name] for name in rules.find_rule(rule).COORDINATES},
    )


def _training_differences(split: Split, fit: FitSpec, *, takes_anomalies: bool) -> Iterator[str]:
    anomalies = split.fingerprints["train_anomaly"] if takes_anomalies else EMPTY_LIST
    for what, drawn, held in (
        ("normals", split.fingerprints["train_normal"], fit.train_normal),
        ("anomalies", anomalies, fit.train_anomaly),
    ):
        if drawn != held:
            yield f"its list of training {what} of {split.dataset} is not the one that the rule {split.rule} draws"


def _prepared_dataset(data: Path, notify: Callable[[str], None], name: str) -> Dataset:
    """A dataset that is prepared or prepares itself; raises DataError where it is neither."""
    info = dataset_info(name)
    if name not in data_folder.prepared(data) and not (info and info.embedded):
        raise DataError(f"{name} is not prepared here")
    return data_folder.open_dataset(data, name, notify=notify)
