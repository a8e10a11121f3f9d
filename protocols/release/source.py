"""Source of a release: a folder, an archive, or a folder of archives, as a person names it."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from protocols.errors import DataError
from protocols.io.archives import ARCHIVE_SUFFIXES, FOREIGN_SUFFIXES, check_archive, is_litter, unpack_archive
from protocols.io.atomic_folders import link_or_copy, sync_folder
from protocols.io.parallel import Progress

_MOST = 3_000_000
_DEEPEST = 64
_LEVELS = 4


@dataclass(frozen=True)
class Release:
    """State of a source. `archives` are to be unpacked, with `loose` files beside them; without archives the
    source is the folder of the release. `key`: SHA-256 of the path and of every file's path, size and time.
    """

    source: Path
    archives: tuple[Path, ...]
    loose: tuple[Path, ...]
    key: str


def open_source(source: Path, without: Path) -> Release:
    """The release in `source`; nothing is written. Files in the folder `without` do not belong to it.

    A folder is one of archives where it holds archives and no other folder.

    Raises:
        DataError: it is not there or cannot be read, or is an archive that is refused.
    """
    source = source.expanduser().absolute()
    if not source.is_dir() and not source.is_file():
        raise DataError(f"{source} is not there: give the folder or the archive of the release")
    packed, loose = _packed(source) if source.is_dir() else ((source,), ())
    for archive in packed:
        check_archive(archive)
    return Release(source, packed, loose, _key(source, without.absolute()))


def unpack_release(release: Release, folder: Path, *, jobs: int, progress: Progress) -> Path:
    """The folder of the release's files: the source, or what was unpacked into `folder`.

    What an earlier call finished there is used again: `unpacked/N` is the whole of the archive N.

    Raises:
        DataError: an archive is damaged or refused, two of them hold the same file, or too little space is free.
    """
    if not release.archives:
        return release.source
    whole = [folder / "unpacked" / str(number) for number in range(len(release.archives))]
    for archive, target in zip(release.archives, whole, strict=True):
        if not target.is_dir():
            part = target.with_name(f"{target.name}.part")
            unpack_archive(archive, part, jobs=jobs, count=_counter(progress, f"unpacking {archive.name}"))
            sync_folder(part)
            part.rename(target)
    if len(whole) == 1 and not release.loose:
        return whole[0]
    return _joined(release, whole, folder / "release")


def inner_archive(folder: Path) -> Path | None:
    """An archive at most four levels below a folder of release files, if there is one."""
    for level in range(_LEVELS):
        for path in sorted(folder.glob("/".join(["*"] * (level + 1)))):
            if path.name.lower().endswith((*ARCHIVE_SUFFIXES, *FOREIGN_SUFFIXES)) and path.is_file():
                return path
    return None


def _packed(source: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    entries = [source / entry.name for entry in _scan(source) if not is_litter(entry.name)]
    packed = [path for path in entries if path.is_file() and path.name.lower().endswith(ARCHIVE_SUFFIXES)]
    if any(path.is_dir() for path in entries):
        return (), ()
    foreign = [path for path in entries if path.name.lower().endswith(FOREIGN_SUFFIXES)]
    if not packed and not foreign:
        return (), ()
    loose = [path for path in entries if path not in packed and path not in foreign]
    return (*packed, *foreign), tuple(loose)


def _joined(release: Release, whole: list[Path], target: Path) -> Path:
    """One folder of all archives' files: an archive that holds one folder gives that, another one named after it."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for archive, unpacked in zip(release.archives, whole, strict=True):
        entries = list(unpacked.iterdir())
        is_nested = len(entries) == 1 and entries[0].is_dir()
        _link_all(unpacked, target if is_nested else target / _stem(archive), archive)
    for path in release.loose:
        link_or_copy(path.resolve(), target / path.name)
    return target


def _link_all(source: Path, target: Path, archive: Path) -> None:
    for parent, _, files in os.walk(source):
        folder = target / Path(parent).relative_to(source)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for file in files:
                link_or_copy(Path(parent, file), folder / file)
        except FileExistsError as error:
            name = Path(error.filename2 or error.filename).name
            raise DataError(
                f"{archive} holds {name}, and so does another archive beside it: unpack them into a folder each and "
                "give the folder above"
            ) from error


def _stem(archive: Path) -> str:
    suffix = max((suffix for suffix in ARCHIVE_SUFFIXES if archive.name.lower().endswith(suffix)), key=len, default="")
    return archive.name[: -len(suffix)] if suffix else archive.name


def _counter(progress: Progress, what: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(what, done, total)


def _key(source: Path, without: Path) -> str:
    hashed = hashlib.sha256(f"{source}\n".encode(errors="surrogateescape"))
    for number, line in enumerate(_lines(source, source, without)):
        if number >= _MOST:
            raise DataError(f"{source} holds more than {_MOST} files: give the folder of the release only")
        hashed.update(line.encode(errors="surrogateescape"))
    return hashed.hexdigest()


def _lines(path: Path, source: Path, without: Path) -> Iterator[str]:
    """A line for each file at or below `path`, in the order of their names; links to folders are not followed."""
    if path.is_dir():
        if len(path.parts) - len(source.parts) > _DEEPEST:
            raise DataError(f"{source} holds folders more than {_DEEPEST} deep: give the folder of the release only")
        for entry in _scan(path):
            inner = path / entry.name
            if entry.is_dir(follow_symlinks=False):
                if inner != without:
                    yield from _lines(inner, source, without)
            else:
                yield _line(inner, source)
    else:
        yield _line(path, source)


def _line(path: Path, source: Path) -> str:
    try:
        state = path.stat()
    except OSError:
        return f"{path.relative_to(source)}\0broken\n"
    return f"{path.relative_to(source)}\0{state.st_size}\0{state.st_mtime_ns}\n"


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"cannot read {folder} ({error.strerror}): check its permissions") from error
