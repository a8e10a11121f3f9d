"""The data folder: what is prepared there, and how a dataset gets there."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from protocols import datasets
from protocols.building import Building
from protocols.datasets import DatasetInfo
from protocols.errors import DataError
from protocols.folders import claimed, fresh
from protocols.manifest import MANIFEST, Dataset, build, read, write
from protocols.naming import check_dataset_id, near_miss

State = Literal["ready", "damaged", "embedded", "absent"]

VARIABLE = "BENCH_DATA"


def prepared(data_dir: Path) -> list[str]:
    """The ids of the datasets that lie in the data folder."""
    return sorted(path.parent.name for path in data_dir.glob(f"[!.]*/{MANIFEST}"))


def state(data_dir: Path, name: str) -> State:
    """Whether a dataset is there: `ready`; `damaged` (its manifest cannot be read, or its first image is gone);
    `embedded` (not there yet, prepares itself at first use); or `absent`.
    """
    folder = data_dir / name
    if folder.exists():
        return "ready" if _usable(folder, name) is not None else "damaged"
    info = datasets.find(name)
    return "embedded" if info is not None and info.embedded and info.id == name else "absent"


def open_dataset(data_dir: Path, name: str, *, notify: Callable[[str], None] | None = None) -> Dataset:
    """The dataset of that id; one that a package embeds is prepared first, which `notify` is told.

    Raises:
        DataError: unknown, known but not there (with the place to get it), damaged, or its package is not installed.
    """
    info = datasets.find(name)
    if info is not None and info.embedded and info.id == name:
        return _usable(data_dir / name, name) or _prepare(data_dir, info, None, notify)
    if name in prepared(data_dir):
        return read(data_dir / name, name)
    if info is None:
        raise DataError(f"there is no dataset '{name}': {near_miss(name, {*datasets.infos(), *prepared(data_dir)})}")
    verb = "adopt" if info.prepare is None else "prepare"
    raise DataError(
        f"{name} is not in {data_dir}: get it from {info.source}, then 'bench data {verb} DIR --name {name}'"
    )


def prepare(data_dir: Path, name: str, source: Path | None = None) -> Dataset:
    """Prepare a dataset from the release in `source` (None: from the package that embeds it), if it is not there yet.

    Raises:
        DataError: unknown, without a preparation of its own, or the release is not what it should be.
    """
    info = datasets.infos().get(name)
    if info is None:
        raise DataError(f"there is no dataset '{name}': {near_miss(name, datasets.infos())}")
    if source is None and not info.embedded:
        raise DataError(f"{name} needs its release: get it from {info.source} and give the folder")
    return _usable(data_dir / name, name) or _prepare(data_dir, info, source, None)


def adopt(source: Path, name: str, data_dir: Path, *, jobs: int | None = None) -> Dataset:
    """Take a folder in the layout of MVTec AD into the data folder as a dataset; its images are linked, not copied.

    Every image is decoded once. Adopting the same images again changes nothing.

    Raises:
        DataError: the name, the layout or an image cannot be used, or other images have that name already; the data
            folder is then as it was before.
    """
    from protocols import mvtec_layout, raw
    from protocols.threads import default_jobs

    check_dataset_id(name)
    info = datasets.find(name)
    if info is not None and info.embedded:
        raise DataError(f"{name} prepares itself: adopt {source} under another name")
    images = mvtec_layout.scan(source, info.label_aliases if info else {})
    folder = data_dir / name
    dataset = build(name, folder, raw.inspect(images, jobs or default_jobs(), verify=True))
    _refuse_other(folder, dataset, source)
    with claimed(folder, VARIABLE):
        _refuse_other(folder, dataset, source)
        usable = _usable(folder, name)
        if usable is not None:
            return usable
        with fresh(folder) as building:
            raw.link(images, building)
            write(dataset, building)
    return dataset


def _prepare(data_dir: Path, info: DatasetInfo, source: Path | None, notify: Callable[[str], None] | None) -> Dataset:
    from protocols.threads import default_jobs

    if info.prepare is None:
        raise DataError(f"{info.id} has no preparation of its own: run 'bench data adopt DIR --name {info.id}'")
    folder = data_dir / info.id
    with claimed(folder, VARIABLE):
        usable = _usable(folder, info.id)
        if usable is not None:
            return usable
        _refuse_foreign(folder)
        if notify is not None:
            notify(f"preparing {info.id} in {folder}")
        with fresh(folder) as building:
            rows = info.prepare(Building(info.id, "", source, building, default_jobs(), notify or _quiet))
            dataset = build(info.id, folder, rows)
            write(dataset, building)
    return dataset


def _quiet(_: str) -> None:
    pass


def _usable(folder: Path, name: str) -> Dataset | None:
    """The dataset in `folder` if its manifest can be read and its first image is there."""
    try:
        dataset = read(folder, name)
    except DataError:
        return None
    return dataset if dataset.path(dataset.rows[0]).is_file() else None


def _refuse_foreign(folder: Path) -> None:
    if folder.exists() and not (folder / MANIFEST).exists():
        raise DataError(f"{folder} is there but is no prepared dataset: move it elsewhere")


def _refuse_other(folder: Path, dataset: Dataset, source: Path) -> None:
    _refuse_foreign(folder)
    if folder.exists() and read(folder, dataset.name).fingerprint != dataset.fingerprint:
        raise DataError(f"{folder} holds other images already: remove it, or adopt {source} under another name")
