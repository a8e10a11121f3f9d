"""Unpacking the archives of a release: zip, and tar plain or packed by gzip, bzip2 or xz. Nothing in them is trusted.

Refused by name: a path that is absolute, leads out or is too deep, a link, a device, a sparse file, a name twice, a
size below zero, a member with a password, more bytes or files than `ArchiveLimits` allow. Files that operating systems
leave behind are checked but not unpacked.
"""

import bz2
import contextlib
import functools
import gzip
import lzma
import shutil
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal, cast

from protocols.errors import DataError
from protocols.io.atomic_folders import check_space
from protocols.io.parallel import Count, parallel

MemberKind = Literal["file", "folder", "link", "device", "sparse file"]

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
FOREIGN_SUFFIXES = (".7z", ".rar")

_OPENERS: dict[bytes, Callable[[IO[bytes]], Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
_DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, OSError, ValueError, OverflowError, NotImplementedError, RecursionError),
)
_CHUNK = 1 << 20
_LONGEST_READ = 16 << 20
_LONGEST_NAME = 255
_LONGEST_PATH = 1024
_DEEPEST = 64
_LITTER = {"__macosx", "thumbs.db", "desktop.ini"}
_BLOCK = bytes(512)
_HEADERS = 4096
_LOCKED = 1


def is_litter(name: str) -> bool:
    """True for a file name that operating systems leave behind: hidden, or such as `Thumbs.db` and `__MACOSX`."""
    return name.startswith(".") or name.lower() in _LITTER


@dataclass(frozen=True)
class ArchiveLimits:
    """Limits of one unpacked archive: a number of files, and `growth` times its own size, or `least` bytes if more."""

    files: int = 1_000_000
    growth: int = 100
    least: int = 256 << 20


def check_archive(archive: Path, limits: ArchiveLimits | None = None) -> None:
    """Refuse what is no archive that can be unpacked here; of a zip also what any of its members would be refused for.

    The members of a tar are kind_before only when it is read to its end; they are checked as they are unpacked.

    Raises:
        DataError: it is not, or cannot be read.
    """
    if archive.name.lower().endswith(FOREIGN_SUFFIXES):
        raise DataError(f"{archive} cannot be unpacked here: unpack it yourself and give the folder")
    if _is_zip(archive):
        with _reading(archive), zipfile.ZipFile(archive) as opened:
            _zip_members(opened, _Gate(archive, limits or ArchiveLimits()))
    elif not _is_tar(archive):
        raise DataError(
            f"{archive} is no archive ({', '.join(ARCHIVE_SUFFIXES)}): give a folder, or get the file again"
        )


def unpack_archive(
    archive: Path, folder: Path, *, jobs: int, count: Count, limits: ArchiveLimits | None = None
) -> None:
    """Unpack an archive into `folder`, in which an earlier call with the same archive may have left files.

    Of a zip, files with the right size and checksum stay; a tar starts from its beginning.

    Raises:
        DataError: the archive is damaged or refused, or too little space is free.
    """
    gate = _Gate(archive, limits or ArchiveLimits())
    if _is_zip(archive):
        _unpack_zip(archive, folder, gate, jobs, count)
    else:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _unpack_tar(archive, folder, gate, count)


@dataclass
class _Gate:
    """Lets the members of one archive in, one after the other, or refuses the archive."""

    archive: Path
    limits: ArchiveLimits
    _seen: dict[str, MemberKind] = field(default_factory=dict)
    _bytes: int = 0
    members: int = field(default=0, init=False)

    @functools.cached_property
    def most(self) -> int:
        """Bytes that the unpacked archive may have."""
        return max(self.limits.least, self.limits.growth * self.archive.stat().st_size)

    def admit(self, name: str, kind: MemberKind, size: int) -> PurePosixPath | None:
        """Relative path of a member in the unpacked folder, or None if it is not needed.

        Raises:
            DataError: it is refused.
        """
        self.members += 1
        if self.members > self.limits.files:
            raise DataError(f"{self.archive} holds more than {self.limits.files} files: unpack it yourself")
        if len(name) > _LONGEST_PATH or name.count("/") > _DEEPEST:
            raise self.refusal(
                f"{name[:40]}...", f"a path of more than {_LONGEST_PATH} characters or {_DEEPEST} folders"
            )
        if size < 0:
            raise self.refusal(name, f"of the size {size}")
        self._bytes += size
        if self._bytes > self.most:
            raise self.refusal(name, f"with which it would grow to more than {self.most / 2**20:.0f} MiB")
        path = PurePosixPath(name)
        if name.startswith("/") or (name[:1].isalpha() and name[1:2] == ":"):
            raise self.refusal(name, "an absolute path")
        if ".." in path.parts:
            raise self.refusal(name, "a path that leads out of the folder")
        if kind in {"link", "device", "sparse file"}:
            raise self.refusal(name, f"a {kind}")
        if "\0" in name or (kind == "file" and not path.parts):
            raise self.refusal(name, "no name of a file")
        if any(len(part.encode(errors="surrogateescape")) > _LONGEST_NAME for part in path.parts):
            raise self.refusal(name, "a name that is too long")
        self._refuse_again(name, path, kind)
        return path if kind == "file" and not any(map(is_litter, path.parts)) else None

    def refusal(self, name: str, problem: str) -> DataError:
        return DataError(f"{self.archive} holds {name!r}, {problem}: nothing of it is used; get the release again")

    def _refuse_again(self, name: str, path: PurePosixPath, kind: MemberKind) -> None:
        text = unicodedata.normalize("NFC", str(path))
        kind_before = self._seen.get(text)
        if kind_before is not None and "file" in {kind, kind_before}:
            raise self.refusal(name, "which it holds twice")
        for parent in PurePosixPath(text).parents:
            if self._seen.setdefault(str(parent), "folder") == "file":
                raise self.refusal(name, f"which lies below the file {str(parent)!r}")
        self._seen[text] = kind


def _is_zip(archive: Path) -> bool:
    with _reading(archive):
        return zipfile.is_zipfile(archive)


def _is_tar(archive: Path) -> bool:
    with _reading(archive), archive.open("rb") as file:
        start = file.read(512)
    return any(start.startswith(magic) for magic in _OPENERS) or start[257:262] == b"ustar"


def _zip_members(opened: zipfile.ZipFile, gate: _Gate) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    members = []
    for info in opened.infolist():
        name = info.filename.replace("\\", "/")
        if info.flag_bits & _LOCKED:
            raise gate.refusal(name, "which needs a password: unpack it yourself and give the folder")
        path = gate.admit(name, _zip_kind(info, name), info.file_size)
        if path is not None:
            members.append((info, path))
    return members


def _zip_kind(info: zipfile.ZipInfo, name: str) -> MemberKind:
    """Kind of a member, from the Unix mode in the zip; 0 where the system that made it wrote none."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "link"
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return "device"
    return "folder" if name.endswith("/") else "file"


def _unpack_zip(archive: Path, folder: Path, gate: _Gate, jobs: int, count: Count) -> None:
    scratch = folder.with_name(f"{folder.name}.scratch")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    folder.mkdir(exist_ok=True)
    with _reading(archive):
        opened = zipfile.ZipFile(archive)
    with opened:
        with _reading(archive):
            members = _zip_members(opened, gate)
        size = sum(info.file_size for info, _ in members)
        check_space(folder, size, f"the files in {archive.name}", "BENCH_DATA")

        def extract(item: tuple[int, tuple[zipfile.ZipInfo, PurePosixPath]]) -> None:
            number, (info, path) = item
            target = folder / path
            if _is_unpacked(target, info):
                return
            target.parent.mkdir(parents=True, exist_ok=True)
            with _reading(archive):
                source = opened.open(info)
            with source, (scratch / str(number)).open("wb") as file:
                _copy(archive, source, file)
            (scratch / str(number)).replace(target)

        for done, _ in enumerate(parallel(extract, enumerate(members), jobs), start=1):
            count(done, len(members))
    scratch.rmdir()


def _is_unpacked(target: Path, info: zipfile.ZipInfo) -> bool:
    """True where an earlier call has unpacked this member."""
    if not target.is_file() or target.stat().st_size != info.file_size:
        return False
    checksum = 0
    with target.open("rb") as file:
        while chunk := file.read(_CHUNK):
            checksum = zlib.crc32(chunk, checksum)
    return checksum == info.CRC


class _Guarded:
    """A stream with a limit to one read, which a header of a made-up length would exceed, and to all reads.

    `last` is what the last read gave.
    """

    def __init__(self, stream: IO[bytes], gate: _Gate) -> None:
        self._stream = stream
        self._gate = gate
        self._read = 0
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LONGEST_READ:
            raise tarfile.ReadError(f"a header of {size} bytes")
        self.last = self._stream.read(size)
        self._read += len(self.last)
        if self._read > self._gate.most + _HEADERS * self._gate.members:
            raise tarfile.ReadError(f"more than {self._gate.most / 2**20:.0f} MiB")
        return self.last

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


def _unpack_tar(archive: Path, folder: Path, gate: _Gate, count: Count) -> None:
    size = archive.stat().st_size
    with archive.open("rb") as packed, _decompressed(packed) as stream:
        guarded = _Guarded(stream, gate)
        with _reading(archive):
            opened = tarfile.open(fileobj=cast("IO[bytes]", guarded), mode="r:")  # noqa: SIM115 - closed below
        with opened:
            while (member := _next(archive, opened)) is not None:
                cast("Any", opened).members.clear()  # tarfile keeps all members, and a million would fill the memory
                path = gate.admit(member.name, _tar_kind(member), member.size)
                if path is not None:
                    check_space(folder, member.size, f"the files in {archive.name}", "BENCH_DATA")
                    _extract(archive, opened, member, folder / path)
                count(min(packed.tell(), size), size)
        _check_end(archive, guarded)
    count(size, size)


def _decompressed(packed: IO[bytes]) -> contextlib.AbstractContextManager[IO[bytes]]:
    start = packed.read(8)
    packed.seek(0)
    for magic, opener in _OPENERS.items():
        if start.startswith(magic):
            return cast("contextlib.AbstractContextManager[IO[bytes]]", opener(packed))
    return contextlib.nullcontext(packed)


def _next(archive: Path, opened: tarfile.TarFile) -> tarfile.TarInfo | None:
    with _reading(archive):
        return opened.next()


def _tar_kind(member: tarfile.TarInfo) -> MemberKind:
    if member.issym() or member.islnk():
        return "link"
    if member.issparse():
        return "sparse file"
    return "folder" if member.isdir() else "file" if member.isreg() else "device"


def _extract(archive: Path, opened: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with _reading(archive):
        source = opened.extractfile(member)
    if source is not None:
        with source, target.open("xb") as file:
            _copy(archive, source, file)


def _check_end(archive: Path, stream: _Guarded) -> None:
    """Refuse a tar without its end marker; read on to the end, so that the checksum of a packed one is verified."""
    if stream.last != _BLOCK:
        raise DataError(f"{archive} is damaged or cut short (no end marker): get it again")
    with _reading(archive):
        while stream.read(_CHUNK):
            pass


def _copy(archive: Path, source: IO[bytes], file: IO[bytes]) -> None:
    while True:
        with _reading(archive):
            chunk = source.read(_CHUNK)
        if not chunk:
            return
        file.write(chunk)


@contextlib.contextmanager
def _reading(archive: Path) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise DataError(f"cannot read {archive} ({error.strerror}): check the path and its permissions") from error
    except _DAMAGE as error:
        raise DataError(f"{archive} is damaged or cut short ({error}): get it again") from error
