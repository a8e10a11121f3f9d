"""Messages between a call and its workers: the machine's settings, and the outcome of a task."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from results.record import Record

TIME_IS_OVER = "the time given with --max-time is over; the same command goes on from here"
ASKED_TO_STOP = "it was asked to stop and saved a checkpoint; the same command goes on from there"
GRACE_SECONDS = 15.0
"""Time of a fit to stop when its own is over: it finishes a step and writes a checkpoint. More where a step is longer
than that, or where its scores are being made.
"""
START_SECONDS = 60.0
"""A fit's own time begins when torch and its images are there, this much after its task was handed over at the most."""
WORKER_NUMBER = "BENCH_WORKER_NUMBER"
"""Variable with the number of a worker process among those at work, from 0, by which it chooses a device."""
PATIENCE = "patience_s"
PROCESS = "process"
"""Field of a fit's progress file: seconds that it may take to stop when its time is over."""

Again = Literal["never", "failed", "all"]
OutcomeState = Literal["done", "taken", "failed", "busy", "blocked", "paused", "stopped"]


@dataclass(frozen=True)
class Machine:
    """Settings of this call for its workers: folders, threads a fit, device, times, state of the code.

    `seconds` are those left of --max-time when a task is handed over: no two machines share a clock; `fit_seconds` is
    what one fit may take, `feature_bytes` the disk that feature maps may take, 0 to keep none. `code` is the digest of
    the code that the worker must have too; None for workers of this very installation.
    """

    data: Path
    cache: Path
    store: Path
    threads: int
    device: str
    package_version: str
    git_commit: str | None
    git_dirty: bool | None
    code: str | None = None
    seconds: float | None = None
    fit_seconds: float | None = None
    feature_bytes: int = 0

    @property
    def fit_over(self) -> str:
        return f"it took longer than --fit-timeout {self.fit_seconds:g}s"


@dataclass(frozen=True)
class Outcome:
    """Outcome of a task: `taken` where another call made its records, `busy` where one still does; `blocked`,
    `paused` (by --max-time or a signal) and `stopped` leave no record. `is_disk_full`: no other task could leave one.
    `notes` are sentences for the person.
    """

    state: OutcomeState
    reason: str | None = None
    is_disk_full: bool = False
    notes: tuple[str, ...] = ()


def outcome_elsewhere(records: Iterable[Record | None]) -> Outcome:
    """Outcome of a task that another call executed, from its records."""
    failed = next((record for record in records if record and record.status == "failed"), None)
    return Outcome("failed", failed.error) if failed else Outcome("taken")
