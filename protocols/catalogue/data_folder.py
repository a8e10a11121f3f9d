"""The data folder: datasets that are prepared there, and ways to prepare or adopt one."""

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal

from protocols.catalogue.publish import (
    DATA_VARIABLE,
    Target,
    make_embedded,
    make_from_release,
    note_source,
    refuse_other_images,
    usable_dataset,
)
from protocols.datasets.manifest import MANIFEST, Dataset, assemble_dataset, read_manifest, write_manifest
from protocols.datasets.naming import base_id, check_dataset_id
from protocols.datasets.registry import dataset_family, dataset_info, dataset_infos, discover_datasets
from protocols.errors import DataError
from protocols.io.atomic_folders import claimed_folder, fresh_folder
from protocols.io.parallel import Notify, Progress
from protocols.text import near_miss

DatasetState = Literal["ready", "damaged", "embedded", "absent"]

_DOWNLOADS = ".downloads"


def prepared(data_dir: Path) -> list[str]:
    """The ids of the datasets that lie in the data folder."""
    return sorted(path.parent.name for path in data_dir.glob(f"[!.]*/{MANIFEST}"))


def dataset_state(data_dir: Path, name: str) -> DatasetState:
    """State of a dataset in the data folder.

    `ready`; `damaged` (its manifest cannot be read, or its first image is gone); `embedded` (not there yet, prepares
    itself at first use); or `absent`.
    """
    folder = data_dir / name
    if os.path.exists(folder):  # noqa: PTH110 - false for a name that no system takes
        return "ready" if usable_dataset(folder, name) is not None else "damaged"
    info = dataset_info(name)
    return "embedded" if info is not None and info.embedded and info.id == name else "absent"


def open_dataset(data_dir: Path, name: str, *, notify: Notify | None = None) -> Dataset:
    """The dataset of that id; one that a package embeds is prepared first, which `notify` is told.

    Raises:
        DataError: unknown, not prepared (the text says where to get it), damaged, or its package is not installed.
    """
    info = dataset_info(name)
    if info is not None and info.embedded and info.id == name:
        return usable_dataset(data_dir / name, name) or make_embedded(data_dir, info, notify or _quiet)
    if name in prepared(data_dir):
        return read_manifest(data_dir / name, name)
    target = known_target(name, data_dir)
    raise DataError(f"{name} is not in {data_dir}: {_next_step(target)}")


def open_all(data_dir: Path, name: str, *, notify: Notify | None = None) -> list[Dataset]:
    """The dataset of that id, or the prepared members of the family of that name.

    Raises:
        DataError: none is there, or one is damaged.
    """
    if name in prepared(data_dir) or dataset_info(name) is not None:
        return [open_dataset(data_dir, name, notify=notify)]
    ids = prepared(data_dir)
    members = [target.id for target in known_targets(name, ids) if target.id in ids]
    if not members:
        raise DataError(f"nothing of {name} is in {data_dir}: prepare it with 'bench data prepare {name}'")
    return [open_dataset(data_dir, id_, notify=notify) for id_ in members]


def known_target(name: str, data_dir: Path) -> Target:
    """The known dataset or variant of that id.

    Raises:
        DataError: there is none, or it is the name of a family.
    """
    target, *_ = known_targets(name, prepared(data_dir))
    if target.id != name:
        raise DataError(f"{name} is a family of datasets: choose one of them, such as {target.id}")
    return target


def known_targets(name: str, others: Collection[str] = ()) -> list[Target]:
    """The known dataset of that id, a variant of one, or the members of the family of that name.

    Raises:
        DataError: there is none; `others` are names that may have been meant besides.
    """
    infos = dataset_infos()
    family = [Target(info.id, info) for info in dataset_family(name)]
    if family and name not in infos:
        return family
    info = infos.get(base_id(name))
    if info is None:
        _, broken = discover_datasets()
        if base_id(name) in broken:
            raise DataError(f"the plug-in '{base_id(name)}' cannot be used: {broken[base_id(name)]}")
        if name in others:
            raise DataError(f"'{name}' is adopted and has no preparation of its own: use it as it is, without --source")
        choices = {*infos, *broken, *others, *(info.family for info in infos.values() if info.family)}
        raise DataError(f"there is no dataset '{name}': {near_miss(name, choices)}")
    target = Target(name, info)
    if name != info.id and target.variant not in info.variants:
        choices = {f"{info.id}@{variant}" for variant in info.variants}
        raise DataError(f"{info.id} has no variant '{target.variant}': {near_miss(name, choices)}")
    return [target]


def prepare(
    data_dir: Path,
    name: str,
    source: Path | None = None,
    *,
    download: bool = False,
    jobs: int | None = None,
    notify: Notify | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Prepare one dataset; see `prepare_all`."""
    dataset, *_ = prepare_all(data_dir, name, source, download=download, jobs=jobs, notify=notify, progress=progress)
    return dataset


def prepare_all(
    data_dir: Path,
    name: str,
    source: Path | None = None,
    *,
    download: bool = False,
    jobs: int | None = None,
    notify: Notify | None = None,
    progress: Progress | None = None,
) -> list[Dataset]:
    """Prepare a dataset, a variant of one, or every member of a family that its release holds.

    `source` is the folder, the archive or the folder of archives of the release; None: the package that embeds it, or
    what `download` fetches now or fetched earlier. All of it is prepared or, at an error, none. Finished steps of an
    interrupted call are used by the next one with the same source. A dataset prepared from the same source stays.

    Raises:
        DataError: unknown, without a preparation of its own, a release that is not what it should be, or other images
            have the name already; the data folder's datasets are then as they were before.
    """
    from protocols.io.parallel import default_jobs
    from protocols.release.source import open_source

    notify, progress, jobs = notify or _quiet, progress or _uncounted, jobs or default_jobs()
    targets = known_targets(name, prepared(data_dir))
    for target in targets:
        target.preparation()
    if source is None and all(target.info.embedded for target in targets):
        return [open_dataset(data_dir, target.id, notify=notify) for target in targets]
    if source is None:
        source = _downloaded(data_dir, targets, download=download, notify=notify, progress=progress)
    release = open_source(source, data_dir)
    return make_from_release(data_dir, name, targets, release, jobs=jobs, notify=notify, progress=progress)


def adopt_dataset(
    source: Path,
    name: str,
    data_dir: Path,
    *,
    layout: str = "mvtec",
    jobs: int | None = None,
    notify: Notify | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Take a folder of images into the data folder as a dataset; its images are linked, not copied.

    Links in it are followed wherever they lead. Grey images of 16 bits that leave high bytes unused are scaled into
    files of their own (`protocols.images.deep`).

    `layout`: `mvtec` (`protocols.release.mvtec_layout`) or `class_folders` (`protocols.release.class_folders`). Every
    image is decoded once. Adopting the same images again changes nothing.

    Raises:
        DataError: the name, the layout or an image cannot be used, or other images have that name already; the data
            folder is then as it was before.
    """
    from protocols.io.parallel import default_jobs
    from protocols.release import class_folders, image_files, mvtec_layout

    scans = {"mvtec": mvtec_layout.scan_mvtec_layout, "class_folders": class_folders.scan_class_folders}
    if layout not in scans:
        raise DataError(f"there is no layout '{layout}': {near_miss(layout, scans)}")
    notify = notify or _quiet
    check_dataset_id(name)
    family = sorted(info.id for info in dataset_family(base_id(name)))
    if family and base_id(name) not in family:
        raise DataError(
            f"{name} is a family of datasets: adopt {source} as one of them, such as {family[0]}, or under another name"
        )
    info = dataset_info(name)
    if info is not None and info.embedded:
        raise DataError(f"{name} prepares itself: adopt {source} under another name")
    images = scans[layout](source, info.label_aliases if info else {}, notify=notify)
    folder = data_dir / name

    def count(done: int, total: int) -> None:
        if progress is not None:
            progress(name, done, total)

    inspected = image_files.inspect_images(images, jobs or default_jobs(), verify=True, count=count)
    dataset = assemble_dataset(name, folder, [image.row for image in inspected])
    for sentence in image_files.conversion_sentences(inspected):
        notify(f"{name}: {sentence}")
    refuse_other_images(folder, dataset, source)
    with claimed_folder(folder, DATA_VARIABLE, notify):
        refuse_other_images(folder, dataset, source)
        existing = usable_dataset(folder, name)
        if existing is not None:
            return existing
        with fresh_folder(folder) as building:
            image_files.place_images(inspected, building, move=False)
            write_manifest(dataset, building)
            note_source(building, source.absolute(), {image.header.form for image in inspected})
    return dataset


def _downloaded(
    data_dir: Path, targets: Sequence[Target], *, download: bool, notify: Notify, progress: Progress
) -> Path:
    """The folder of the files that were downloaded for these datasets; with `download` they are fetched first."""
    from protocols.io.download import fetch_files

    info = targets[0].info
    files = tuple(dict.fromkeys(file for target in targets for file in target.info.downloads))
    folder = data_dir / _DOWNLOADS / (info.family or info.id)
    if download and not files:
        raise DataError(f"{info.id} has no address that is free to fetch from: {_next_step(targets[0])}")
    if download:
        fetch_files(files, folder, notify=notify, progress=progress)
    elif not files or not all((folder / file.file).is_file() for file in files):
        raise DataError(f"{targets[0].id} needs its release: {_next_step(targets[0])}")
    return folder


def _next_step(target: Target) -> str:
    """The way to get a dataset, as the end of an error sentence."""
    info = target.info
    if info.prepare is None:
        return f"get it from {info.source}, then 'bench data adopt DIR --name {target.id}'"
    text = f"get it from {info.source}, then 'bench data prepare {target.id} --source DIR_OR_ARCHIVE'"
    if info.downloads:
        text += f", or let 'bench data prepare {target.id} --download' fetch {info.size or 'it'}"
    return text


def _quiet(_: str) -> None:
    pass


def _uncounted(*_: object) -> None:
    pass
