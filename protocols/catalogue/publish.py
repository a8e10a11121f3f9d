"""Dataset folders made from a release: whole or not at all, resumed where an earlier attempt was interrupted."""

import contextlib
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from protocols import plugins
from protocols.datasets.info import DatasetInfo, Prepare
from protocols.datasets.manifest import MANIFEST, Dataset, assemble_dataset, read_manifest, write_manifest
from protocols.datasets.naming import base_id
from protocols.datasets.registry import is_guest
from protocols.errors import DataError, MissingError
from protocols.io.atomic_folders import claimed_folder, fresh_folder
from protocols.io.parallel import Notify, Progress
from protocols.plugins import PluginError
from protocols.release.builder import DatasetBuilder
from protocols.release.resume import ResumeLog

if TYPE_CHECKING:
    from protocols.release.source import Release

DATA_VARIABLE = "BENCH_DATA"
SOURCE_FILE = "source.json"
"""The file of a prepared dataset with its origin: the path of the release, and the key of its state."""

_DEPTH = 4


@dataclass(frozen=True)
class Target:
    """A dataset to be made: its id, which may be a variant's, and its facts."""

    id: str
    info: DatasetInfo

    @property
    def variant(self) -> str:
        """The part of the id after the `@`, or empty."""
        return self.id.removeprefix(base_id(self.id)).removeprefix("@")

    def preparation(self) -> Prepare:
        """Function that makes it from its release.

        Raises:
            DataError: it can only be adopted, or what its facts name cannot be loaded.
        """
        prepare = self.info.prepare
        if prepare is None:
            raise DataError(f"{self.id} has no preparation of its own: run 'bench data adopt DIR --name {self.id}'")
        if callable(prepare):
            return prepare
        try:
            named: Prepare = plugins.load_object(prepare)
        except PluginError as error:
            raise DataError(f"{self.id} cannot be prepared ({error}): tell those who wrote its facts") from error
        return named


def usable_dataset(folder: Path, name: str) -> Dataset | None:
    """The dataset in `folder` if its manifest can be read and its first image is there."""
    try:
        dataset = read_manifest(folder, name)
    except DataError:
        return None
    return dataset if dataset.path(dataset.rows[0]).is_file() else None


def refuse_other_images(folder: Path, dataset: Dataset, source: Path) -> None:
    """Refuse to put `dataset` where other images or foreign files lie.

    Raises:
        DataError: they do.
    """
    _refuse_foreign(folder)
    if folder.exists() and read_manifest(folder, dataset.name).fingerprint != dataset.fingerprint:
        raise DataError(f"{folder} holds other images already: remove it, or adopt {source} under another name")


def make_embedded(data_dir: Path, info: DatasetInfo, notify: Notify) -> Dataset:
    """The dataset that an installed package holds, made if it is not there yet.

    Raises:
        DataError: the package is not installed or damaged, or a foreign folder has the name.
    """
    from protocols.io.parallel import default_jobs

    folder = data_dir / info.id
    with claimed_folder(folder, DATA_VARIABLE, notify):
        existing = usable_dataset(folder, info.id)
        if existing is not None:
            return existing
        _refuse_foreign(folder)
        notify(f"preparing {info.id} in {folder}{', where it is damaged' if folder.exists() else ''}")
        with fresh_folder(folder) as building:
            builder = DatasetBuilder(info, "", None, building, default_jobs(), notify)
            dataset = _make(Target(info.id, info), builder, folder)
            write_manifest(dataset, building)
    return dataset


def make_from_release(
    data_dir: Path,
    name: str,
    targets: Sequence[Target],
    release: "Release",
    *,
    jobs: int,
    notify: Notify,
    progress: Progress,
) -> list[Dataset]:
    """Make those of the targets that the release holds; all of them take their places at the end, or at an error none.

    Raises:
        DataError: the release is not what it should be, or other images have a name already.
    """
    from protocols.release.source import unpack_release

    with claimed_folder(data_dir / name, DATA_VARIABLE, notify), _partial(data_dir, name, release.key) as partial:
        datasets = _made_before(data_dir, targets, release)
        if datasets:
            return datasets
        folder = unpack_release(release, partial, jobs=jobs, progress=progress)
        with contextlib.ExitStack() as stack:
            stack.enter_context(_in_words_of(release, folder))
            held = _held(targets, folder, name)
            ids = tuple(target.id for target in held)
            publisher = _Publisher(data_dir, release, folder, partial, ids, jobs, notify, progress)
            for target in held:
                if target.id != name:
                    stack.enter_context(claimed_folder(data_dir / target.id, DATA_VARIABLE, notify))
                datasets.append(publisher.make(target, stack))
        return datasets


@dataclass(frozen=True)
class _Publisher:
    """Maker of the datasets of one release: `folder` holds its files, `partial` the logs of interrupted attempts, `ids`
    are those of all the datasets.
    """

    data_dir: Path
    release: "Release"
    folder: Path
    partial: Path
    ids: tuple[str, ...]
    jobs: int
    notify: Notify
    progress: Progress

    def make(self, target: Target, stack: contextlib.ExitStack) -> Dataset:
        """A dataset whose folder takes its place when `stack` ends well, unless it is there from this very release."""
        folder, key = self.data_dir / target.id, _key(self.release, target)
        existing = _whole(folder, target.id) if _origin(folder).key == key else None
        if existing is not None:
            return existing
        _refuse_foreign(folder)
        building = stack.enter_context(fresh_folder(folder))
        builder = DatasetBuilder(
            target.info,
            target.variant,
            self.folder,
            building,
            self.jobs,
            self.notify,
            unpacked=bool(self.release.archives),
            resume_log=ResumeLog(self.partial / f"{target.id}.{key[:16]}"),
            progress=self.progress,
        )
        dataset = _make(target, builder, folder)
        if (folder / MANIFEST).exists() and _fingerprint(folder, target.id) not in {None, dataset.fingerprint}:
            raise DataError(
                f"{folder} holds other images than {self.release.source}: remove it, then prepare {target.id} again"
            )
        write_manifest(dataset, building)
        _Origin(key, str(self.release.source), self.ids, tuple(sorted(builder.forms))).write(building)
        return dataset


@dataclass(frozen=True)
class _Origin:
    """Origin of a dataset: the key and the path of its source, the ids of all datasets that were made of it together,
    and the formats of its image files.
    """

    key: str = ""
    source: str = ""
    together: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()

    def write(self, folder: Path) -> None:
        (folder / SOURCE_FILE).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def image_formats(folder: Path) -> set[str]:
    """The formats of the image files that a dataset was made from, by Pillow's names; none where they are not known."""
    return set(_origin(folder).forms)


def note_source(folder: Path, source: Path, forms: Iterable[str]) -> None:
    """Keep in a dataset's folder where it was adopted from, and the formats of its files."""
    _Origin(source=str(source), forms=tuple(sorted(forms))).write(folder)


def _origin(folder: Path) -> _Origin:
    """The origin of a prepared dataset; an empty one where it is not known."""
    try:
        stored = json.loads((folder / SOURCE_FILE).read_text(encoding="utf-8"))
        together, forms = (tuple(map(str, stored.get(name, ()))) for name in ("together", "forms"))
        return _Origin(str(stored["key"]), str(stored["source"]), together, forms)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _Origin()


def _made_before(data_dir: Path, targets: Sequence[Target], release: "Release") -> list[Dataset]:
    """The datasets that were made together of this very release, if all of them are there still."""
    keys = {target.id: _key(release, target) for target in targets}
    origins = {id_: _origin(data_dir / id_) for id_, key in keys.items()}
    together = next((origin.together for id_, origin in origins.items() if origin.key == keys[id_]), ())
    datasets = [_whole(data_dir / id_, id_) for id_ in together if id_ in keys and origins[id_].key == keys[id_]]
    whole = [dataset for dataset in datasets if dataset is not None]
    return whole if len(whole) == len(together) else []


def _whole(folder: Path, name: str) -> Dataset | None:
    """The dataset in `folder` if none of its files is gone."""
    dataset = usable_dataset(folder, name)
    if dataset is None or not all((folder / file).is_file() for file in {row.file for row in dataset.rows}):
        return None
    return dataset


def _key(release: "Release", target: Target) -> str:
    """SHA-256 of what the manifest depends on: the release's state, the dataset, facts, code and Pillow's version."""
    import PIL

    prepare = target.preparation()
    module = sys.modules.get(getattr(getattr(prepare, "func", prepare), "__module__", ""))
    code = Path(module.__file__).read_bytes() if module is not None and module.__file__ else b""
    text = "\n".join([release.key, target.id, target.info.digest, hashlib.sha256(code).hexdigest(), PIL.__version__])
    return hashlib.sha256(text.encode()).hexdigest()


def _make(target: Target, builder: DatasetBuilder, folder: Path) -> Dataset:
    prepare = target.preparation()
    if not is_guest(target.info):
        return assemble_dataset(target.id, folder, prepare(builder))
    try:
        with plugins.guest_code(DataError, OSError):
            return assemble_dataset(target.id, folder, prepare(builder))
    except PluginError as error:
        raise DataError(f"the plug-in of {target.id} fails to prepare it ({error}): tell its authors") from error


def _held(targets: Sequence[Target], folder: Path, name: str) -> Sequence[Target]:
    """The targets that the release in `folder` holds: the one asked for, or of a family those with a folder there."""
    if [target.id for target in targets] == [name]:
        return targets
    names = {folder.name.lower()}
    for parent, inner, _ in os.walk(folder):
        names |= {entry.lower() for entry in inner}
        if len(Path(parent).relative_to(folder).parts) >= _DEPTH:
            inner.clear()
    held = [target for target in targets if target.id in names]
    if not held:
        listed = ", ".join(target.id for target in targets)
        raise MissingError(f"{folder} holds no folder of {name} ({listed}): give the folder of the release")
    return sorted(held, key=lambda target: target.id)


@contextlib.contextmanager
def _partial(data_dir: Path, name: str, key: str) -> Iterator[Path]:
    """The folder for the finished steps of a preparation from a source in this state; it stays if that is killed."""
    folder = data_dir / f".{name}.{key[:16]}.partial"
    for outdated in data_dir.glob(f".{name}.*.partial"):
        if outdated != folder:
            shutil.rmtree(outdated)
    folder.mkdir(exist_ok=True)
    try:
        yield folder
    except Exception:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder)


@contextlib.contextmanager
def _in_words_of(release: "Release", folder: Path) -> Iterator[None]:
    """A block whose errors name the source, not the folder into which it was unpacked; where a file is missing, also an
    archive in it that was not unpacked.
    """
    from protocols.release.source import inner_archive

    try:
        yield
    except DataError as error:
        text = str(error).replace(str(folder), str(release.source))
        inner = inner_archive(folder) if isinstance(error, MissingError) else None
        if inner is not None:
            archive = release.source / inner.relative_to(folder)
            text = f"{text} (it holds the archive {archive}, which is left as it is: unpack all and give their folder)"
        raise DataError(text) from error


def _fingerprint(folder: Path, name: str) -> str | None:
    try:
        return read_manifest(folder, name).fingerprint
    except DataError:
        return None


def _refuse_foreign(folder: Path) -> None:
    if folder.exists() and not (folder / MANIFEST).exists():
        raise DataError(f"{folder} is there but is no prepared dataset: move it elsewhere")
