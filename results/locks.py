"""Claims on fits: a lock that dies with its holder, or where the file system has none, a file that names the holder."""

import contextlib
import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from results.files import inherit_write_access, make_folder

CLAIM = ".claim"
"""The ending of the file that stands for a lock on a file system without locks."""

_HELD = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES}
_NO_LOCKS = {errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK}
_STALE_SECONDS = 0.2  # time for filelock to see that a claim's process is dead, and to take its place


@dataclass(frozen=True)
class Holder:
    """Holder of a claim; unknown fields are empty. `file` has to be removed by hand if its process is gone."""

    process: str
    host: str
    user: str
    since: str
    file: Path | None = None

    def __str__(self) -> str:
        parts = [f"process {self.process}" if self.process else "a process", f"on {self.host}" if self.host else ""]
        parts += [f"of user {self.user}" if self.user else "", f"since {self.since}" if self.since else ""]
        text = " ".join(part for part in parts if part)
        if self.file is None:
            return text
        return f"{text}; there are no locks on that file system: if the process is gone, remove {self.file}"


@contextlib.contextmanager
def claim(lock: Path) -> Iterator[bool]:
    """Hold a lock file; gives False at once where a living process holds it. It dies with its holder.

    Raises:
        OSError: the file cannot be made or locked.
    """
    make_folder(lock.parent)
    try:
        descriptor = _locked(lock)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        with _claimed_by_file(lock.with_suffix(CLAIM)) as mine:
            yield mine
        return
    if descriptor is None:
        yield False
        return
    try:
        _write(descriptor, f"{os.getpid()}\n{socket.gethostname()}\n{_user(os.geteuid())}\n{_utc()}\n")
        yield True
        _write(descriptor, "")
    finally:
        os.close(descriptor)


def holder(lock: Path) -> Holder:
    """Holder of a lock file that is held, as far as it is known."""
    path = lock.with_suffix(CLAIM)
    return _claim_holder(path) if path.exists() else _lock_holder(lock)


def is_locked(lock: Path) -> bool:
    """True where a living process holds a lock file; makes none. One that cannot be opened counts as held."""
    try:
        descriptor = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _NO_LOCKS or lock.with_suffix(CLAIM).exists()
    finally:
        os.close(descriptor)
    return False


def is_at_work(root: Path) -> bool:
    """True where a living process claims any fit of a results folder."""
    return any(is_locked(lock) for lock in (root / "locks").glob("*.lock"))


def has_locks(folder: Path) -> bool:
    """True where the file system of a writable folder has locks."""
    import tempfile

    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno not in _NO_LOCKS
    return True


def _locked(lock: Path) -> int | None:
    """The descriptor of a lock file whose lock is held now; None where another process has it."""
    while True:
        descriptor = _opened(lock)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), lock.stat()):
                    return descriptor
        except OSError as error:
            os.close(descriptor)
            if error.errno in _HELD:
                return None
            raise
        os.close(descriptor)  # the file was removed before it was locked: the next one counts


def _opened(lock: Path) -> int:
    """A lock file, made where there is none. To lock one that another user left, reading is enough."""
    flags = os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | flags, 0o666)
    except PermissionError:
        return os.open(lock, os.O_RDONLY | flags)
    inherit_write_access(lock)
    return descriptor


@contextlib.contextmanager
def _claimed_by_file(path: Path) -> Iterator[bool]:
    import warnings

    from filelock import SoftFileLock, Timeout

    lock = SoftFileLock(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            lock.acquire(timeout=_STALE_SECONDS)
        except Timeout:
            yield False
            return
    try:
        yield True
    finally:
        lock.release()


def _lock_holder(lock: Path) -> Holder:
    """The holder as it is written in its lock file; empty where it could not write, as in a file of another user."""
    with contextlib.suppress(OSError, ValueError):
        process, host, user, since = lock.read_text(encoding="utf-8").splitlines()
        return Holder(process, host, user, since)
    return Holder("", "", "", "")


def _claim_holder(path: Path) -> Holder:
    process, host, state = "", "", None
    with contextlib.suppress(OSError, ValueError):
        state = path.stat()
        lines = dict(enumerate(path.read_text(encoding="utf-8").splitlines()))
        process, host = lines.get(0, ""), lines.get(1, "").partition("?")[0]  # filelock adds a container after the `?`
    if state is None:
        return Holder(process, host, "", "", path)
    return Holder(process, host, _user(state.st_uid), _utc(state.st_mtime), path)


def _write(descriptor: int, text: str) -> None:
    """Write a text for people into a lock file; nothing where that is not allowed."""
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)


def _user(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _utc(seconds: float | None = None) -> str:
    moment = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(sep=" ", timespec="seconds")
