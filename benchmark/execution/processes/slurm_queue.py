"""The queue of SLURM, by its own commands: they need no accounting, which many clusters lack."""

import os
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass

COMMAND_SECONDS = 60
"""SLURM's commands wait for a controller that does not answer by themselves, but not for so long."""

_COLUMNS = ("JobArrayID", "State", "exit_code", "Reason")
_FAILED = ("sbatch: error: ", "allocation failure: ", "slurm_load_jobs error: ")
_FOR_NOW = "Required node not available"
"""Not refused but late: a job that waits for a node which is down or drained."""


class SlurmError(Exception):
    """SLURM does not do what it was asked; the text is its reason, the part of a sentence."""


@dataclass(frozen=True)
class JobState:
    """State of a job, such as RUNNING, and the reason that a pending one waits; `code`: exit status, minus a signal."""

    state: str
    code: int
    reason: str

    @property
    def is_over(self) -> bool:
        return self.state in _OVER


_OVER = {
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "REVOKED",
    "TIMEOUT",
}  # fmt: skip


def job_states(name: str) -> dict[str, JobState]:
    """State by id (`12`, in an array `12_3`) of the jobs of that name which SLURM still knows.

    Raises:
        SlurmError: SLURM does not answer.
    """
    columns = ",".join(f"{column}:|" for column in _COLUMNS)
    lines = _answer("squeue", "--me", f"--name={name}", "--states=all", "--array", "--noheader", f"--Format={columns}")
    states = {}
    for line in lines.splitlines():
        job, state, status, reason = line.strip().split("|")[: len(_COLUMNS)]
        states[job] = JobState(state, _exit_code(status), reason)
    return states


def cancel_jobs(ids: Collection[str]) -> None:
    """End jobs: one that runs gets SIGTERM, and SIGKILL some time later. Raises SlurmError."""
    if ids:
        _answer("scancel", *ids)


def check_job(options: Mapping[str, str], threads: int) -> None:
    """Raise SlurmError where SLURM would refuse a job with these options."""
    words = [f"--{name}={value}" for name, value in options.items()]
    try:
        _answer("sbatch", "--test-only", f"--cpus-per-task={threads}", *words, "--wrap=true")
    except SlurmError as error:
        if not str(error).startswith(_FOR_NOW):
            raise


def reason_of(text: str) -> str:
    """Reason in what a command of SLURM printed as it failed: its first error, or the last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line.removeprefix(start) for line in lines for start in _FAILED if line.startswith(start)]
    return (errors or lines[-1:] or ["without a reason"])[0]


def _answer(*words: str) -> str:
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            words, env=environment, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
    except OSError as error:
        raise SlurmError(f"{words[0]} cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise SlurmError(f"{words[0]} had no answer for {COMMAND_SECONDS} s") from error
    if done.returncode:
        raise SlurmError(reason_of(done.stderr))
    return done.stdout


def _exit_code(status: str) -> int:
    """Exit status, or minus the signal, of what squeue prints, a status as `wait` gives it."""
    if not status.isdecimal():
        return 0
    code = os.waitstatus_to_exitcode(int(status))
    return 128 - code if code > 128 else code  # shells count a signal so
