"""Files of a fit that runs as a job of SLURM: `NAME.json` (the fit), `NAME.outcome` and `NAME.saved`, in one folder.

All are JSON of plain data. What submitit leaves beside them names `run_job` and the function that a worker calls.
"""

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from benchmark.execution.processes.far_worker import Execute
from benchmark.execution.processes.handover import ASKED_TO_STOP, Again, Machine, Outcome
from benchmark.planning.types import Task
from results.files import write_atomic
from results.store import Store

JOBS_FOLDER = "slurm"
"""Folder within the results folder, in which each call has one for files of its jobs."""


def jobs_name(folder: Path) -> str:
    """Name at SLURM of the jobs of a call whose files lie in that folder."""
    return f"swanbench-{folder.name}"


@dataclass(frozen=True)
class JobOrder:
    """A task with the arguments of `worker.execute`."""

    task: Task
    machine: Machine
    again: Again = "never"
    failure: str | None = None


@dataclass(frozen=True)
class JobFiles:
    """The files of one job, which it and the call that waits for it see under the same path."""

    folder: Path
    name: str

    @property
    def _outcome(self) -> Path:
        return self.folder / f"{self.name}.outcome"

    @property
    def _saved(self) -> Path:
        return self.folder / f"{self.name}.saved"

    @property
    def _order(self) -> Path:
        return self.folder / f"{self.name}.json"

    def write_order(self, order: JobOrder) -> None:
        write_atomic(self._order, msgspec.json.encode(order, enc_hook=_plain))

    def read_order(self) -> JobOrder:
        return msgspec.json.decode(self._order.read_bytes(), type=JobOrder, dec_hook=_path)

    def write_outcome(self, outcome: Outcome) -> None:
        write_atomic(self._outcome, msgspec.json.encode(outcome))

    def read_outcome(self) -> Outcome | None:
        """Outcome of the job; None where it has not ended by itself."""
        with suppress(OSError, msgspec.MsgspecError):
            return msgspec.json.decode(self._outcome.read_bytes(), type=Outcome)
        return None

    @property
    def is_saved(self) -> bool:
        """True where the job was asked to stop and saved a checkpoint, from which another can go on."""
        return self._saved.exists()

    def mark_saved(self, *, is_saved: bool) -> None:
        if is_saved:
            write_atomic(self._saved, b"")
        else:
            self._saved.unlink(missing_ok=True)


def run_job(execute: Execute, folder: str, name: str) -> None:
    """Run the fit of a job: once more from its checkpoint where SLURM starts the job again.

    On SIGTERM (a preemption, `scontrol requeue`) and on the signal before the end of the job's time it saves a
    checkpoint and leaves no outcome.
    """
    files = JobFiles(Path(folder), name)
    if files.read_outcome() is not None:
        return
    files.mark_saved(is_saved=False)
    signal.signal(signal.SIGUSR2, _as_sigterm)
    order = files.read_order()
    outcome = execute(order.task, order.machine, again=order.again, failure=order.failure)
    if outcome.reason != ASKED_TO_STOP:
        files.write_outcome(outcome)
    elif Store(order.machine.store).checkpoint_path(order.task.key).exists():
        files.mark_saved(is_saved=True)


def _as_sigterm(_: int, __: FrameType | None) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def _plain(value: Any) -> str:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} is no plain data")


def _path(kind: type, value: Any) -> Any:
    return kind(value)
