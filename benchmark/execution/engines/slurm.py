"""Jobs of a SLURM cluster: the fits that can start are one job array, submitted through submitit."""

# Without the extra, pyright does not find submitit.
# pyright: reportMissingImports=false

import contextlib
import itertools
import secrets
import shlex
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.errors import BenchError
from benchmark.execution.executor import EngineRequest, Executor, Opener, worker_environment
from benchmark.execution.faults import RETRIED
from benchmark.execution.processes import slurm_queue
from benchmark.execution.processes.cluster import SchedulerLostError, needed
from benchmark.execution.processes.far_worker import Execute
from benchmark.execution.processes.handover import ASKED_TO_STOP, TIME_IS_OVER, Outcome
from benchmark.execution.processes.pool import WorkerLostError
from benchmark.execution.processes.slurm_job import JOBS_FOLDER, JobFiles, JobOrder, jobs_name, run_job
from benchmark.execution.processes.slurm_queue import JobState, SlurmError
from protocols.text import plural
from results.errors import ResultsError
from results.files import make_folder

GATHER_SECONDS = 0.3
"""Fits that come within so long of each other are one array."""
LOOK_SECONDS = 0.3
ASK_SECONDS = 3.0
"""Between two questions to the controller of the cluster."""
LOST_SECONDS = 120.0
"""A controller that does not answer for so long is lost."""
STILL_PENDING_SECONDS = 30.0
STOP_SIGNAL_SECONDS = 60
"""A job is told so long before the end of its time that it must save a checkpoint."""


@dataclass(frozen=True)
class Slurm:
    """The cluster whose `sbatch` is on the path; `options` are those of its jobs, by name."""

    threads: int
    store: Path
    options: Mapping[str, str]
    say: Callable[[str], None]

    @contextlib.contextmanager
    def __call__(self, jobs: int) -> Iterator[Executor]:
        """Jobs that are cancelled where the block is left by an error. Raises BenchError where SLURM refuses them."""
        with needed("slurm"):
            import submitit  # noqa: F401 - asked for before anything is written
        if shutil.which("sbatch") is None:
            raise BenchError("no sbatch on the path: run this where jobs are submitted, or use another --engine")
        try:
            slurm_queue.check_job(self.options, self.threads)
        except SlurmError as error:
            raise BenchError(f"SLURM would not take these jobs ({error}): change --slurm, or ask sinfo") from error
        folder = self.store / JOBS_FOLDER / secrets.token_hex(4)
        make_folder(folder)
        executor = _SlurmExecutor(self, folder, jobs_name(folder), jobs)
        try:
            yield executor
        except BaseException:
            executor.close(cancel=True)
            raise
        executor.close()

    def array(self, folder: Path, name: str, jobs: int) -> Any:
        """An executor of submitit for jobs of that name, `jobs` at the same time."""
        import submitit

        executor = submitit.SlurmExecutor(folder=folder)
        exports = [
            f"export {variable}={shlex.quote(value)}" for variable, value in worker_environment(self.threads).items()
        ]
        executor.update_parameters(
            job_name=name,
            time=None,
            wckey=None,
            cpus_per_task=self.threads,
            setup=exports,
            srun_args=[f"--cpus-per-task={self.threads}"],
            array_parallelism=jobs,
            additional_parameters={"requeue": True, "signal": f"USR2@{STOP_SIGNAL_SECONDS}", **self.options},
        )
        return executor


@dataclass(eq=False)
class _Job:
    """A fit at SLURM. `is_ended_here`: this call cancelled it; `unseen`: questions since SLURM last knew it."""

    files: JobFiles
    execute: Execute
    future: Future[Outcome] = field(default_factory=Future)
    id: str = ""
    state: JobState | None = None
    is_ended_here: bool = False
    unseen: int = 0


class _SlurmExecutor:
    """Executor whose thread submits jobs, looks for their outcomes, and asks SLURM what became of the others."""

    queues = True

    def __init__(self, slurm: Slurm, folder: Path, name: str, jobs: int) -> None:
        self.lost = "SLURM is lost: its jobs go on if it comes back, and the same command takes up what they leave"
        self._slurm = slurm
        self._folder = folder
        self._name = name
        self._most = jobs
        self._numbers = itertools.count()
        self._lock = threading.RLock()
        self._new: list[_Job] = []
        self._jobs: list[_Job] = []
        self._last_new = 0.0
        self._last_asked = self._last_answer = self._last_moved = time.monotonic()
        self._keep_folder = False
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def submit(self, call: Any, /, *args: Any, **named: Any) -> Future[Any]:
        """Hand over a call of `worker.execute`. Raises OSError where its files cannot be written."""
        files = JobFiles(self._folder, str(next(self._numbers)))
        try:
            files.write_order(JobOrder(*args, **named))
        except ResultsError as error:
            self.lost = str(error)
            raise OSError(self.lost) from error
        job = _Job(files, call)
        self._add(job)
        return job.future

    def end(self, future: Future[Any]) -> None:
        """Cancel the job of a call."""
        self._cancel([job for job in self._open() if job.future is future])

    def ask_to_stop(self) -> bool:
        """Cancel all jobs: those that run save checkpoints. False where SLURM cannot be asked."""
        return self._cancel(self._open())

    def close(self, *, cancel: bool = False) -> None:
        if cancel and (jobs := self._open()):
            what = plural(len(jobs), "job of SLURM is", "jobs of SLURM are")
            self._slurm.say(
                f"{what} cancelled" if self._cancel(jobs) else f"{what} left: scancel --name={self._name} ends them"
            )
        self._closed.set()
        self._thread.join(slurm_queue.COMMAND_SECONDS)
        if not self._keep_folder and not self._open():
            shutil.rmtree(self._folder, ignore_errors=True)
            with contextlib.suppress(OSError):
                self._folder.parent.rmdir()

    def _add(self, job: _Job) -> None:
        with self._lock:
            self._new.append(job)
            self._last_new = time.monotonic()

    def _open(self) -> list[_Job]:
        with self._lock:
            return [job for job in (*self._new, *self._jobs) if not job.future.done()]

    def _cancel(self, jobs: Sequence[_Job]) -> bool:
        with self._lock:
            ids = [job.id for job in jobs if job.id]
            for job in jobs:
                job.is_ended_here = True
            try:
                slurm_queue.cancel_jobs(ids)
            except SlurmError:
                return False
            for job in [job for job in self._new if job.is_ended_here]:
                _settle(job, Outcome("paused", TIME_IS_OVER))
                self._new.remove(job)
            self._last_asked = 0.0
        return True

    def _watch(self) -> None:
        while not self._closed.wait(LOOK_SECONDS):
            with self._lock:
                try:
                    self._step()
                except Exception as error:  # noqa: BLE001 - a call must not wait for a thread that has ended
                    self._lose(str(error))

    def _step(self) -> None:
        now = time.monotonic()
        if self._new and now - self._last_new >= GATHER_SECONDS:
            self._submit_new()
        for job in self._jobs:
            if (outcome := job.files.read_outcome()) is not None:
                _settle(job, outcome)
            elif job.is_ended_here and job.files.is_saved:
                _settle(job, Outcome("paused", ASKED_TO_STOP))
        self._jobs = [job for job in self._jobs if not job.future.done()]
        if self._jobs and now - self._last_asked >= ASK_SECONDS:
            self._last_asked = now
            self._ask(now)

    def _submit_new(self) -> None:
        """One array of all that is new. Raises SlurmError where SLURM does not take it."""
        jobs, self._new = self._new, []
        self._jobs += jobs
        array = self._slurm.array(self._folder, self._name, self._most)
        try:
            with array.batch():
                submitted = [array.submit(run_job, job.execute, str(self._folder), job.files.name) for job in jobs]
            ids = [str(each.job_id) for each in submitted]
        except Exception as error:
            for job in jobs:
                self._drop(job, SchedulerLostError(str(error)))
            raise SlurmError(slurm_queue.reason_of(str(error))) from error
        for job, id_ in zip(jobs, ids, strict=True):
            job.id, job.unseen, job.state = id_, 0, None
        self._last_moved = self._last_asked = time.monotonic()
        self._slurm.say(f"SLURM job {ids[0].partition('_')[0]}: {plural(len(jobs), 'fit')}")

    def _ask(self, now: float) -> None:
        try:
            states = slurm_queue.job_states(self._name)
        except SlurmError:
            if now - self._last_answer < LOST_SECONDS:
                return
            raise
        self._last_answer = time.monotonic()
        for job in tuple(self._jobs):
            self._see(job, states.get(job.id))
        self._tell_pending(now)

    def _see(self, job: _Job, state: JobState | None) -> None:
        """Take in the state of a job; an end is believed when it is seen twice, since files may come late."""
        if state is not None and not state.is_over:
            job.state, job.unseen = state, 0
            if state.reason == "launch_failed_requeued_held":
                self._cancel([job])
                self._drop(job, WorkerLostError(None))
            return
        job.unseen += 1
        if job.unseen < 2 or job.files.read_outcome() is not None:
            return
        if job.is_ended_here:
            _settle(job, Outcome("paused", ASKED_TO_STOP if job.files.is_saved else TIME_IS_OVER))
        elif job.files.is_saved and (state is None or state.state != "CANCELLED"):
            self._jobs.remove(job)
            job.id = ""
            self._add(job)
        else:
            self._end(job, state)

    def _end(self, job: _Job, state: JobState | None) -> None:
        """The end of a job that left no outcome."""
        self._keep_folder = True
        log = f"its log is in {self._folder}"
        text = {
            "CANCELLED": f"somebody cancelled its job {job.id}: {RETRIED}, from its checkpoint",
            "TIMEOUT": f"the time of its job {job.id} was over: give --slurm time=HH:MM:SS more, then run again",
            "DEADLINE": f"its job {job.id} met its deadline: {RETRIED}",
            "OUT_OF_MEMORY": f"its job {job.id} had too little memory: give --slurm mem=SIZE more, then run again",
        }.get(state.state if state else "")
        if text is not None:
            _settle(job, Outcome("stopped", f"{text} ({log})"))
            return
        code = state.code if state and state.state == "FAILED" else None
        self._drop(job, WorkerLostError(code or None))

    def _drop(self, job: _Job, error: Exception) -> None:
        self._keep_folder = True
        if not job.future.done():
            job.future.set_exception(error)

    def _lose(self, reason: str) -> None:
        """Give up all jobs: SLURM took none, or does not answer any more."""
        self.lost = f"SLURM fails ({reason}): jobs that it has go on, and the same command takes up what they leave"
        for job in (*self._new, *self._jobs):
            self._drop(job, SchedulerLostError(reason))
        self._new = []

    def _tell_pending(self, now: float) -> None:
        """Say why jobs wait, once, where none runs for long."""
        states = [job.state for job in self._jobs if job.state]
        if any(state.state != "PENDING" for state in states):
            self._last_moved = now
        elif states and now - self._last_moved > STILL_PENDING_SECONDS:
            self._last_moved = float("inf")
            self._slurm.say(f"SLURM lets {plural(len(states), 'job')} wait: {states[0].reason}")


def opener(request: EngineRequest) -> Opener:
    """Jobs of the cluster whose `sbatch` is on the path."""
    return Slurm(request.threads, request.store, request.options, request.say)


def _settle(job: _Job, outcome: Outcome) -> None:
    if not job.future.done():
        job.future.set_result(outcome)
