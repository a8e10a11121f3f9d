"""Faults behind runs that come to nothing: a detector's, which leaves a failed record, or the machine's, which leaves
none.
"""

import errno
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

RETRIED = "the same command tries again"
MEMORY = "out of memory: use fewer --jobs, then run again"

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
_MACHINE = _FULL | {
    errno.EIO, errno.EREMOTEIO, errno.ESTALE, errno.EUCLEAN, errno.EBADMSG, errno.ENODEV, errno.ENXIO, errno.ENOMEDIUM,
    errno.ENOMEM, errno.ENFILE, errno.EAGAIN, errno.ENOLCK, errno.ENOTCONN, errno.ETIMEDOUT, errno.ECONNABORTED,
    errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH, errno.ESHUTDOWN,
}  # fmt: skip
_MEMORY_WORDS = ("out of memory", "can't allocate memory", "cannot allocate memory", "std::bad_alloc")
_DISK_WORDS = {
    "no space left on device": errno.ENOSPC,
    "disk quota exceeded": errno.EDQUOT,
    "read-only file system": errno.EROFS,
    "input/output error": errno.EIO,
    "stale file handle": errno.ESTALE,
}
"""Words of libraries that translate errors of the system into exceptions of their own."""
_SHARED = ("out of shared memory", "shared memory object", "shared memory manager")
_FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGBUS, signal.SIGXCPU}


class MachineError(Exception):
    """A fit came to nothing by a fault of the machine; the text is one sentence with the next step.

    `is_disk_full`: nothing more can be written where it happened.
    """

    def __init__(self, text: str, *, is_disk_full: bool = False) -> None:
        super().__init__(text)
        self.is_disk_full = is_disk_full


def machine_fault(error: BaseException, folders: Sequence[Path]) -> MachineError | None:
    """The machine's fault behind an error of a detector; None where there is none.

    A file that is missing in one of our own `folders` is the machine's fault too, one elsewhere the detector's.
    """
    for each in _chain(error):
        text = text_of(each).lower()
        if is_memory_short(each):
            return MachineError(MEMORY)
        if any(words in text for words in _SHARED):
            return MachineError(f"no room in shared memory ({_first_line(each)}): free some of /dev/shm, {RETRIED}")
        number = each.errno if isinstance(each, OSError) else None
        number = number or next((number for words, number in _DISK_WORDS.items() if words in text), None)
        if number in _MACHINE or (isinstance(each, OSError) and _is_below(each.filename, folders)):
            is_full = number in _FULL
            step = f"make room, then {RETRIED}" if is_full else RETRIED
            return MachineError(f"{_first_line(each)}: {step}", is_disk_full=is_full)
    return None


def text_of(error: BaseException) -> str:
    """What an error says; nothing where it is a guest's and cannot be printed."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - whatever a guest's `__str__` raises, its run has failed by the error itself
        return ""


def is_memory_short(error: BaseException) -> bool:
    """True where an allocation failed: Python's own error, or torch's, which is a RuntimeError."""
    return isinstance(error, MemoryError) or any(words in text_of(error).lower() for words in _MEMORY_WORDS)


def is_disk_full(error: BaseException) -> bool:
    """True where an error says that nothing can be written any more."""
    return any(isinstance(each, OSError) and each.errno in _FULL for each in _chain(error))


def ending_text(code: int | None) -> str:
    """The end of a process in words, by its exit status (minus the signal; None: not known)."""
    if code is None:
        return "its worker was lost"
    if code >= 0:
        return f"its process left by itself with exit status {code}"
    try:
        named = f"{signal.Signals(-code).name} ({str(signal.strsignal(-code)).lower()})"
    except ValueError:
        named = f"signal {-code}"
    if -code == signal.SIGKILL:
        return f"its process was killed by {named} (out of memory?): use fewer --jobs, then run again"
    if -code == signal.SIGBUS:
        return f"its process was ended by {named}: a file that it reads was cut, or a disk or /dev/shm is full"
    return f"its process was ended by {named}"


def is_from_outside(code: int | None) -> bool:
    """True where a process was ended by others, or for want of something, and not by what it did."""
    return code is None or -code in _FROM_OUTSIDE


def is_dumped_late(dump: str) -> bool:
    """True where a process left such a dump because its time was over."""
    return dump.startswith("Timeout (")


def dumped_signal(dump: str) -> int | None:
    """Minus the signal that faulthandler wrote of, where a process left such a dump."""
    names = {
        "Segmentation fault": signal.SIGSEGV,
        "Aborted": signal.SIGABRT,
        "Bus error": signal.SIGBUS,
        "Illegal instruction": signal.SIGILL,
        "Floating-point exception": signal.SIGFPE,
    }
    return next((-number for name, number in names.items() if dump.startswith(f"Fatal Python error: {name}")), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, what it was raised from, or while handling what."""
    visited: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in visited:
        visited.add(id(following))
        yield following
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)


def _is_below(name: object, folders: Sequence[Path]) -> bool:
    if not isinstance(name, str | bytes | os.PathLike):
        return False
    path = Path(os.path.abspath(os.fsdecode(name)))  # noqa: PTH100 - no link is to be followed
    return any(folder in path.parents for folder in folders)


def _first_line(error: BaseException) -> str:
    return (text_of(error).strip().splitlines() or [type(error).__name__])[0][:300]
