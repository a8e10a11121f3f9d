"""Processes that others started: found in /proc, and ended when the fit that they served has ended.

Run as a script it waits until its stdin closes, as it does where the caller is killed, and then ends what bears a mark.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

MARK = "BENCH_WORKER"
"""Variable that a worker of this machine starts with, so that all that it starts has it too."""

_PROC = Path("/proc")
_ROUNDS = 20


def below(pid: int) -> set[int]:
    """Living processes that `pid` started, and those that they started."""
    parents = dict(_parents())
    descendants: set[int] = set()
    layer = {pid}
    while layer:
        children = {child for child, parent in parents.items() if parent in layer}
        layer = {child for child in children - descendants if not _is_resource_tracker(child)}
        descendants |= layer
    return descendants


def marked(mark: str) -> set[int]:
    """Living processes but this one whose environment has a mark that begins so."""
    variable = f"\0{MARK}={mark}".encode()
    return {process for process, _ in _parents() if process != os.getpid() and variable in _environment(process)}


def end_below(pid: int, but: set[int]) -> None:
    """Kill what is below `pid`, except for `but`."""
    for _ in range(_ROUNDS):
        if not _kill(below(pid) - but):
            return


def end_marked(mark: str) -> None:
    """Kill what bears a mark that begins so, except for this process."""
    for _ in range(_ROUNDS):
        if not _kill(marked(mark)):
            return


@contextlib.contextmanager
def watched(mark: str) -> Iterator[None]:
    """End all that bears the mark with this block, or with this process, even if it is killed."""
    command = [sys.executable, "-I", "-S", __file__, mark]
    null = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=null, stderr=null, start_new_session=True):
        yield


def _kill(processes: set[int]) -> bool:
    """Kill them; True if there were any. Waits a moment, since the dead may take one to be gone."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGKILL)
    if processes:
        time.sleep(0.02)
    return bool(processes)


def _parents() -> Iterator[tuple[int, int]]:
    """Each living process with its parent."""
    for folder in _PROC.glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
        except (OSError, ValueError):
            continue
        if state != "Z":
            yield int(folder.name), int(parent)


def _environment(process: int) -> bytes:
    try:
        return b"\0" + (_PROC / str(process) / "environ").read_bytes()
    except OSError:
        return b""


def _is_resource_tracker(process: int) -> bool:
    """True for multiprocessing's resource tracker, which ends with its process by itself and is missed before."""
    try:
        return b"resource_tracker" in (_PROC / str(process) / "cmdline").read_bytes()
    except OSError:
        return False


if __name__ == "__main__":
    sys.stdin.buffer.read()
    end_marked(sys.argv[1])
