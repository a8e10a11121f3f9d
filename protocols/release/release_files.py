"""Finding the files of a release: its root below nested or renamed folders, and the image files of a folder."""

import os
from collections.abc import Collection, Iterable
from pathlib import Path

from protocols.errors import DataError, MissingError
from protocols.io.archives import is_litter

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")

_DEPTH = 4
_MAX_LABELS = 64 << 20


def find_root(folder: Path, *needed: str) -> Path:
    """The one folder at or at most four levels below `folder` that holds every name of `needed`, in any case.

    Folders below one that fits are not searched: some releases hold a copy of themselves.

    Raises:
        DataError: `folder` is no folder, or none or several fit.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder: give the folder or the archive of the release")
    needed_names = {name.lower() for name in needed}
    roots: list[Path] = []
    level = [folder]
    for _ in range(_DEPTH + 1):
        deeper: list[Path] = []
        for candidate in level:
            names = _names(candidate)
            if needed_names <= {name.lower() for name in names}:
                roots.append(candidate)
            else:
                deeper += [candidate / name for name in names if _is_plain_folder(candidate / name)]
        level = deeper
    listed = " and ".join(needed)
    if not roots:
        raise MissingError(f"{folder} holds no folder with {listed}: give the folder of the whole release")
    if len(roots) > 1:
        raise DataError(f"{roots[0]} and {roots[1]} both hold {listed}: give one of them as the source")
    return roots[0]


def find_entry(folder: Path, name: str) -> Path:
    """The entry of `folder` of this name, in any case.

    Raises:
        DataError: nothing, or several such entries.
    """
    fitting = [folder / entry for entry in _names(folder) if entry.lower() == name.lower()]
    if not fitting:
        raise MissingError(f"{folder} has no {name}: give the folder of the whole release")
    if len(fitting) > 1 and folder / name not in fitting:
        raise DataError(f"{fitting[0]} and {fitting[1]} differ in case only: remove one of them")
    return folder / name if folder / name in fitting else fitting[0]


def find_label_file(folder: Path, name: str, root: Path) -> Path:
    """The file `name` in `folder`, in any case, with the labels of the release in `root`.

    Raises:
        DataError: nothing or several such entries, one that leads out of `root`, or one too large to be read.
    """
    path = check_file(find_entry(folder, name), root.resolve())
    size = path.stat().st_size
    if size > _MAX_LABELS:
        raise DataError(f"{path} has {size >> 20} MiB, more than a file of labels may have: get the release again")
    return path


def folder_named(release: Path, name: str) -> Path:
    """The folder of that name below `release`; the inner one where it holds another of its name (`Class1/Class1`).

    Raises:
        DataError: none or several fit.
    """
    folder = find_entry(find_root(release, name), name)
    while any(inner.name.lower() == name.lower() for inner in list_folders(folder)):
        folder = find_entry(folder, name)
    return folder


def list_folders(folder: Path) -> list[Path]:
    """The folders in `folder`, sorted, litter left out.

    Raises:
        DataError: `folder` is no folder.
    """
    return [folder / name for name in _names(folder) if (folder / name).is_dir()]


def list_files(folder: Path, *, suffixes: Collection[str] = IMAGE_SUFFIXES, root: Path | None = None) -> list[Path]:
    """The files in `folder` (not below it) with one of these suffixes in any case, sorted, litter left out.

    A link is followed where it leads into `root` (default: `folder`), which is the folder of the release.

    Raises:
        DataError: `folder` is no folder or has no such file, or a link in it leads nowhere or out of `root`.
    """
    lower_suffixes = {suffix.lower() for suffix in suffixes}
    fitting = [path for path in (folder / name for name in _names(folder)) if path.suffix.lower() in lower_suffixes]
    if not fitting:
        raise MissingError(f"{folder} holds no file {_or(suffixes)}: give the folder of the whole release")
    inside = (root or folder).resolve()
    for path in fitting:
        check_file(path, inside)
    return fitting


def list_images(folder: Path) -> list[Path]:
    """The files in `folder`, sorted, litter left out; it may hold nothing but images.

    Raises:
        DataError: `folder` cannot be read, is empty, or holds something else.
    """
    paths = [folder / name for name in _names(folder)]
    if not paths:
        raise DataError(f"{folder} holds no images: fill or remove it")
    for path in paths:
        if path.suffix.lower() not in IMAGE_SUFFIXES or path.is_dir():
            raise DataError(f"{path} is not an image file ({', '.join(IMAGE_SUFFIXES)}): move it away")
    return paths


def check_file(path: Path, root: Path | None = None) -> Path:
    """The path without links of a file that lies in `root`, which has no links itself; None: anywhere.

    Raises:
        DataError: the path leads nowhere, out of `root`, or to something that is not a file.
    """
    try:
        real = Path(os.path.realpath(path, strict=True))
    except OSError as error:
        raise DataError(f"{path} is a link that leads nowhere ({error.strerror}): replace or remove it") from error
    if root is not None and not real.is_relative_to(root):
        raise DataError(f"{path} links to {real}, which is outside {root}: put a copy of the file in its place")
    if not real.is_file():
        raise DataError(f"{path} is not a file although it has the name of one: move it away")
    return real


def _names(folder: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if not is_litter(name))  # noqa: PTH208 - names are enough
    except OSError as error:
        raise DataError(f"cannot read {folder} ({error.strerror}): give the folder of the whole release") from error


def _is_plain_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _or(suffixes: Iterable[str]) -> str:
    return " or ".join(f"*{suffix}" for suffix in sorted(suffixes))


def images_below(folder: Path) -> tuple[list[Path], int]:
    """The image files in and below `folder` by their endings, sorted by path, and how many other files there are.

    Litter is left out. A link to a file is read, one to a folder is not followed.

    Raises:
        DataError: `folder`, or one below it, cannot be read.
    """
    images: list[Path] = []
    others = 0
    for name in _names(folder):
        path = folder / name
        if path.is_dir():
            below, count = ([], 0) if path.is_symlink() else images_below(path)
            images, others = images + below, others + count
        elif path.suffix.lower() in IMAGE_SUFFIXES:
            images.append(path)
        else:
            others += 1
    return images, others
