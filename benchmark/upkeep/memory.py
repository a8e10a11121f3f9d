"""Memory and processor time that this process may use: the limits of Linux and of a container's control group."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmark.numerics import cores
from protocols.text import plural

FIT_BYTES = 4 << 30
"""Free memory that each fit is taken to need; of all packaged runs none took more."""


@dataclass(frozen=True)
class MachineLimits:
    """Memory in bytes, in all and free now (0 where it is not known); `processors` is the cores, or a smaller quota."""

    memory: int
    free: int
    cores: int
    processors: float

    @property
    def usable(self) -> int:
        """Processors as a whole number, at least one."""
        return max(1, int(self.processors))


def machine_limits(root: Path = Path("/")) -> MachineLimits:
    """The limits of this process; `root` is where `proc` and `sys` lie."""
    memory = _memory(root)
    total, free = memory.get("MemTotal", 0), memory.get("MemAvailable", 0)
    quota = math.inf
    for folder in _groups(root):
        most = _number(folder, "memory.max", "memory.limit_in_bytes")
        used = _number(folder, "memory.current", "memory.usage_in_bytes")
        if most < (total or math.inf):
            total = int(most)
        if most < math.inf and used < math.inf:
            free = min(free or int(most), max(0, int(most - used)))
        quota = min(quota, _quota(folder))
    return MachineLimits(total, min(free, total), cores(), min(float(cores()), quota))


@dataclass(frozen=True)
class Shares:
    """Fits at the same time and threads of each; `remark` is a sentence on cores that stay idle, or empty."""

    jobs: int
    threads: int
    remark: str = ""


def share_cores(jobs: int | None, threads: int | None, fits: int) -> Shares:
    """The shares of so many fits on this machine: where none are given one thread a fit, and as many as have room.

    Threads are part of the numerics class, so their number follows neither cores, memory, fits nor load.
    """
    limits = machine_limits()
    each = threads or 1
    jobs = jobs or max(1, min(limits.usable // each, limits.free // FIT_BYTES, fits))
    more = limits.usable // jobs
    idle = (
        f"{plural(jobs, 'fit')} of {plural(each, 'thread')} at a time: {limits.usable - jobs * each} of "
        f"{limits.usable} cores stay idle; --threads {more} uses them, in another numerics class"
    )
    return Shares(jobs, each, idle if more > each and threads is None else "")


def _memory(root: Path) -> dict[str, int]:
    """The fields of `proc/meminfo` in bytes."""
    try:
        lines = (root / "proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    parts = (line.partition(":") for line in lines)
    return {name: int(value.split()[0]) * 1024 for name, _, value in parts if value.split()[:1]}


def _groups(root: Path) -> Iterator[Path]:
    """The control groups of this process and those around them, of both versions."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    base = root / "sys/fs/cgroup"
    for line in lines:
        _, names, path = line.split(":", 2)
        for top in [base / name for name in names.split(",")] if names else [base]:
            group = top / path.lstrip("/")
            yield from (folder for folder in (group, *group.parents) if folder == top or top in folder.parents)


def _number(folder: Path, *names: str) -> float:
    """The number in the first of these files that is there; infinity where there is none."""
    for name in names:
        try:
            return float((folder / name).read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
    return math.inf


def _quota(folder: Path) -> float:
    """Number of processors whose time a control group may use; infinity without a quota."""
    try:
        most, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        return float(most) / float(period) if most != "max" else math.inf
    except (OSError, ValueError):
        most_v1, period_v1 = _number(folder, "cpu.cfs_quota_us"), _number(folder, "cpu.cfs_period_us")
        return most_v1 / period_v1 if 0 < most_v1 < math.inf and 0 < period_v1 < math.inf else math.inf
