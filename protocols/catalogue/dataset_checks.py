"""Checks that every dataset must pass, ours and those of plug-ins: call `check_dataset("mine", release)` in a test."""

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from protocols.catalogue import data_folder, recognition
from protocols.catalogue.verify import file_differences
from protocols.datasets.info import UNFILLED, DatasetInfo
from protocols.datasets.manifest import Dataset
from protocols.datasets.naming import NORMAL, is_image_id, snake_case
from protocols.datasets.registry import dataset_info
from protocols.errors import DataError
from protocols.io.parallel import Progress
from protocols.splits.split import draw
from protocols.text import near_miss, plural


class DatasetError(AssertionError):
    """A dataset is not well-formed; the text says what was seen."""


class DatasetCase:
    """A dataset that is checked: prepared in `scratch` from `source`, or, without one, as it lies in `data_dir`."""

    def __init__(
        self,
        name: str,
        data_dir: Path,
        source: Path | None,
        scratch: Path,
        jobs: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.name = name
        self.progress = progress
        self.info: DatasetInfo | None = dataset_info(name)
        self.source = source
        self.jobs = jobs
        self._data_dir, self._scratch = data_dir, scratch

    @cached_property
    def dataset(self) -> Dataset:
        return self.prepared("first") if self.source else data_folder.open_dataset(self._data_dir, self.name)

    def prepared(self, folder: str) -> Dataset:
        """The dataset, prepared from its source in a folder of its own."""
        return data_folder.prepare(
            self._scratch / folder, self.name, self.source, jobs=self.jobs, progress=self.progress
        )

    def count(self, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(self.name, done, total)

    @property
    def is_class_set(self) -> bool:
        return self.info is not None and self.info.kind == "classes"

    @property
    def is_pool(self) -> bool:
        return self.info is not None and self.info.kind == "pool"


@dataclass(frozen=True)
class DatasetCheck:
    """One check of a dataset. `demand` is the sentence that it has to meet; where a check that `is_needed` fails, the
    others have nothing to go by.
    """

    name: str
    demand: str
    is_needed: bool
    function: Callable[[DatasetCase], None]
    case: DatasetCase

    def run(self) -> None:
        """Run it; raises DatasetError, or DataError in whose words the dataset cannot be used."""
        self.function(self.case)


def dataset_checks(
    name: str,
    *,
    data_dir: Path,
    source: Path | None,
    scratch: Path,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> tuple[DatasetCheck, ...]:
    """The checks of a dataset; without a `source` those of the one that is prepared in `data_dir`.

    `scratch` is an empty folder, in which the release is prepared twice.

    Raises:
        DataError: there is no such dataset, or without a source it is not prepared.
    """
    if source is not None:
        target = data_folder.known_target(name, data_dir)
        if target.info.prepare is None:
            target.preparation()
    case = DatasetCase(name, data_dir, source, scratch, jobs, progress)
    if source is None:
        case.dataset  # noqa: B018 - a dataset that is not there is no fault of it
    return tuple(
        DatasetCheck(
            name=check.__name__.replace("_", " "),
            demand=" ".join((check.__doc__ or "").partition("\n\n")[0].split()),
            is_needed=check is DATASET_CHECKS[0],
            function=check,
            case=case,
        )
        for check in DATASET_CHECKS
        if source is not None or check is not preparing_again_gives_the_same
    )


def check_dataset(name: str, source: Path | str, *, jobs: int | None = None) -> None:
    """Prepare a dataset of an installed package from its release, twice, in a temporary folder, and run every check.

    Raises:
        DatasetError: a check fails; the text says which and what was seen.
        DataError: there is no such dataset, or it cannot be prepared.
    """
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        for check in dataset_checks(name, data_dir=scratch, source=Path(source), scratch=scratch, jobs=jobs):
            try:
                check.run()
            except DatasetError as fault:
                raise DatasetError(f"{name}: {check.name}: {fault}") from None


@contextlib.contextmanager
def scratch_folder(data_dir: Path) -> Iterator[Path]:
    """An empty folder, removed when the block ends: in the data folder, which has room for releases, or where temporary
    files go if nobody may write there. `bench clean` knows one that a killed process left by its name.

    Raises:
        DataError: nowhere can be written.
    """
    try:
        parent = data_dir if data_dir.is_dir() and os.access(data_dir, os.W_OK) else Path(tempfile.gettempdir())
        folder = parent / f".data-check.{os.uname().nodename}.{os.getpid()}.{secrets.token_hex(4)}.tmp"
        folder.mkdir()
    except OSError as error:
        raise DataError(f"no folder for temporary files ({error.strerror}): set TMPDIR to one with space") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def unfilled_facts(info: DatasetInfo) -> list[str]:
    """Names of the facts that are still to be written."""
    return [name for name in ("licence", "citation", "source") if getattr(info, name) in {"", UNFILLED}]


def the_images_can_be_read(case: DatasetCase) -> None:
    """`prepare` makes images with ids and labels of the release; of a prepared dataset the manifest can be read."""
    _require(len(case.dataset.rows) > 1, f"it has {plural(len(case.dataset.rows), 'image')}")


def preparing_again_gives_the_same(case: DatasetCase) -> None:
    """A second preparation of the same release has the same ids, labels, halves and bytes."""
    first, second = case.dataset, case.prepared("second")
    if first.fingerprint == second.fingerprint:
        return
    rows = {row.id: row for row in first.rows}
    differing = [row.id for row in second.rows if row != rows.get(row.id)]
    differing += [id_ for id_ in rows if id_ not in {row.id for row in second.rows}]
    raise DatasetError(f"{plural(len(differing), 'image')} differ, such as '{differing[0]}'")


def files_are_those_of_the_manifest(case: DatasetCase) -> None:
    """Every image can be decoded and is the one in the manifest."""
    differences = file_differences(case.dataset, jobs=case.jobs, count=case.count)
    _require(not differences, f"{plural(len(differences), 'difference')}: {differences[0] if differences else ''}")


def ids_are_paths_of_the_release(case: DatasetCase) -> None:
    """Ids are relative POSIX paths in Unicode form NFC, without `..`: splits are drawn by them on any machine."""
    wrong = [row.id for row in case.dataset.rows if not is_image_id(row.id)]
    _require(not wrong, f"'{wrong[0] if wrong else ''}' is none")


def labels_are_normal_and_classes(case: DatasetCase) -> None:
    """Some images are `normal`, the others have an anomaly class in lower snake case; classes of a set are 0, 1, 2."""
    labels = case.dataset.labels
    if case.is_class_set:
        expected = tuple(sorted(str(number) for number in range(len(labels))))
        _require(labels == expected, f"the classes are {', '.join(labels)}")
        return
    wrong = [label for label in labels if label != snake_case(label)]
    _require(not wrong, f"the class '{wrong[0] if wrong else ''}' is not in lower snake case")
    if not case.is_pool:
        _require(any(row.label == NORMAL for row in case.dataset.rows), f"no image is '{NORMAL}'")
        _require(bool(labels), "every image is normal")


def facts_name_classes_that_are_there(case: DatasetCase) -> None:
    """Known and normal classes of the facts are classes of the images."""
    named = (*case.info.known_classes, *case.info.normal_classes) if case.info else ()
    missing = [name for name in named if name not in case.dataset.labels]
    if missing:
        raise DatasetError(f"no image has the class '{missing[0]}': {near_miss(missing[0], case.dataset.labels)}")


def the_release_is_the_one_described(case: DatasetCase) -> None:
    """The images are those of one of the `[[releases]]` of the facts, if there are any: counts, sides, form."""
    doubts = recognition.release_doubts(case.info, case.dataset) if case.info else ()
    _require(not doubts, ", ".join(doubts))


def splits_can_be_drawn(case: DatasetCase) -> None:
    """The rule general, hard with each known class, and of a set of classes one_class, have images for every list: with
    ten labelled anomalies, or with one.
    """
    if case.is_pool:
        return
    if case.is_class_set:
        for label in case.dataset.labels:
            _drawn(case.dataset, "one_class", normal_class=label)
        return
    _drawn_by_shots(case.dataset, "general")
    labels = case.dataset.labels
    known_classes = case.info.known_classes if case.info and case.info.known_classes else labels
    for label in known_classes if len(labels) > 1 else ():
        _drawn_by_shots(case.dataset, "hard", known_class=label)


DATASET_CHECKS: tuple[Callable[[DatasetCase], None], ...] = (
    the_images_can_be_read,
    preparing_again_gives_the_same,
    files_are_those_of_the_manifest,
    ids_are_paths_of_the_release,
    labels_are_normal_and_classes,
    facts_name_classes_that_are_there,
    the_release_is_the_one_described,
    splits_can_be_drawn,
)


def _require(met: bool, text: str) -> None:
    if not met:
        raise DatasetError(text)


def _drawn_by_shots(dataset: Dataset, rule: str, **coordinates: Any) -> None:
    """Draw with ten shots, or with one whose test set is its own; raises DatasetError where neither can be."""
    try:
        _drawn(dataset, rule, shots=10, **coordinates)
    except DatasetError:
        _drawn(dataset, rule, shots=1, options={"one_shot_test": "own"}, **coordinates)


def _drawn(dataset: Dataset, rule: str, **settings: Any) -> None:
    try:
        draw(dataset, rule, split_seed=0, **settings)
    except DataError as error:
        raise DatasetError(str(error)) from None
