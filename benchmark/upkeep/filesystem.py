"""State of the folders of this call: origin, access, free space, file system, locks."""

import fcntl
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmark.paths import Folders
from results.locks import has_locks, is_locked

_NETWORK = {"9p", "afs", "beegfs", "ceph", "cifs", "glusterfs", "gpfs", "lustre", "nfs", "nfs4", "smb3", "smbfs"}
_NETWORK_FUSE = {"fuse.gcsfuse", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs"}


@dataclass(frozen=True)
class FolderState:
    """State of a folder that is written to: `data`, `cache` or `results`.

    For a missing folder all facts are those of its nearest existing parent. `origin` is the option or variable that
    names it, or `default`; `there`: it exists; `free` in bytes; `system` is the type of the file system. `locks`: they
    work on this machine, None where that was not tried. `by_files`: there are no locks, and files, which stay behind a
    killed call, stand for them.
    """

    name: str
    path: str
    origin: str
    there: bool
    is_file: bool
    writable: bool
    free: int
    system: str
    locks: bool | None
    by_files: bool = False

    @property
    def is_network(self) -> bool:
        return self.system in _NETWORK | _NETWORK_FUSE


def folder_states(call_folders: Folders, *, results_given: bool) -> tuple[FolderState, ...]:
    """The folders that this project writes to; tries each with a file that has no name."""
    origin = {name: f"BENCH_{name.upper()}" for name in ("data", "cache", "results")}
    named = {name: variable if os.environ.get(variable) else "default" for name, variable in origin.items()}
    if results_given:
        named["results"] = "--results"
    folders = {"data": call_folders.data, "cache": call_folders.cache, "results": call_folders.results}
    return tuple(_place(name, folder.absolute(), named[name]) for name, folder in folders.items())


def _place(name: str, path: Path, origin: str) -> FolderState:
    nearest = next((folder for folder in (path, *path.parents) if _is_there(folder)), Path(path.anchor))
    exists = nearest == path
    writable = _is_writable(nearest, exists=exists)
    is_tried = exists and writable and name == "results"
    by_files = is_tried and not has_locks(path)
    return FolderState(
        name=name,
        path=str(path),
        origin=origin,
        there=exists,
        is_file=exists and not path.is_dir(),
        writable=writable,
        free=shutil.disk_usage(nearest).free,
        system=file_system(nearest),
        locks=_do_locks_work(path) if is_tried and not by_files else None,
        by_files=by_files,
    )


def _is_there(path: Path) -> bool:
    """True where there is such a file or folder, as far as we may know."""
    try:
        return path.exists()
    except OSError:
        return False


def _is_writable(folder: Path, *, exists: bool) -> bool:
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return False
    if exists:
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"swanbench")
        except OSError:
            return False
    return True


def _do_locks_work(folder: Path) -> bool:
    """True where a lock keeps a second opener out, and only as long as it is held."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor.") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            kept_out = is_locked(Path(file.name))
            fcntl.flock(file, fcntl.LOCK_UN)
            return kept_out and not is_locked(Path(file.name))
    except OSError:
        return False


def file_system(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str:
    """The type of the file system that `path` lies on, as Linux names it; empty where it is not known."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    resolved = path.resolve()
    best, kind = -1, ""
    for line in lines:
        before, _, after = line.partition(" - ")
        point = Path(re.sub(r"\\([0-7]{3})", lambda escape: chr(int(escape[1], 8)), before.split()[4]))
        if (point == resolved or point in resolved.parents) and len(point.parts) >= best:
            best, kind = len(point.parts), after.split()[0]
    return kind
