"""Fits on workers that do not see the folders of the call, which takes in what they send back."""

import contextlib
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, InvalidStateError
from pathlib import Path
from typing import Any

from benchmark.execution.processes.far_worker import (
    Execute,
    FarResult,
    FitFiles,
    Needs,
    Proof,
    execute_far,
    files_of_fit,
    read_files,
    result_files,
)
from benchmark.execution.processes.handover import Machine, Outcome
from benchmark.planning.types import Task
from results.errors import ResultsError
from results.files import write_atomic
from results.record import DamagedRecordError, decode_record
from results.store import Store

Send = Callable[..., Future[Any]]
"""Hands a call to a worker."""


@contextlib.contextmanager
def proof_in(store: Path) -> Iterator[Proof]:
    """A proof that lies in a results folder as long as the block."""
    proof = Proof(store / "locks" / f"{secrets.token_hex(8)}.proof", secrets.token_hex(16))
    write_atomic(proof.path, proof.text.encode())
    try:
        yield proof
    finally:
        with contextlib.suppress(OSError):
            proof.path.unlink()


def needs_of(tasks: Sequence[Task]) -> Needs:
    """Data sets and weights behind tasks and the fits that these start from."""
    fits = [fit for task in tasks for fit in (task.fit, task.fit.source) if fit is not None]
    datasets = {fit.dataset: fit.spec.dataset_fingerprint for fit in fits}
    parts = [part for fit in fits for pool in fit.spec.pools.values() for part in pool]
    files = [file for fit in fits for file in (*fit.weights.values(), *fit.measures.weights.values())]
    return Needs(
        datasets={**{part.dataset: part.fingerprint for part in parts}, **datasets},
        weights={file.arch: file.digest for file in files if file.path is not None},
    )


def bring_home(send: Send, execute: Execute, task: Task, machine: Machine, **named: Any) -> Future[Outcome]:
    """Let a worker do a task in its own folders while this process holds the claim on it, and take in its files."""
    future: Future[Outcome] = Future()

    def work() -> None:
        try:
            outcome = _brought(send, execute, task, machine, named)
        except Exception as error:  # noqa: BLE001 - whatever it is, the scheduler hears of it
            with contextlib.suppress(InvalidStateError):
                future.set_exception(error)
        else:
            with contextlib.suppress(InvalidStateError):
                future.set_result(outcome)

    threading.Thread(target=work, daemon=True).start()
    return future


def take_in(store: Store, task: Task, files: FitFiles) -> None:
    """Write the files that a task left into the store.

    Raises:
        ResultsError: one is none of this task, or cannot be written.
    """
    fit_files = {path.relative_to(store.root).as_posix() for path in result_files(store, task)}
    records = {
        path.relative_to(store.root).as_posix() for path in (store.record_path(run.spec.key) for run in task.runs)
    }
    for name, content in files:
        if name not in fit_files and not _is_artefact(name, task):
            raise ResultsError(f"a worker sent {name!r}, which is no file of its fit: install the same swanbench there")
        if name in records:
            _check_record(name, content)
    for name, content in files:
        write_atomic(store.root / name, content)


def _brought(send: Send, execute: Execute, task: Task, machine: Machine, named: dict[str, Any]) -> Outcome:
    store = Store(machine.store)
    with store.claim(task.key) as is_mine:
        if not is_mine:
            return Outcome("busy", str(store.holder(task.key)))
        files = read_files(store, files_of_fit(store, task))
        result: FarResult = send(execute_far, execute, task, machine, files, **named).result()
        try:
            take_in(store, task, result.files)
            if result.outcome.state == "done":
                store.checkpoint_path(task.key).unlink(missing_ok=True)
        except (ResultsError, OSError) as error:
            return Outcome("stopped", str(error))
        return result.outcome


def _check_record(name: str, content: bytes) -> None:
    try:
        record = decode_record(content)
    except DamagedRecordError as error:
        raise ResultsError(f"the record {name} that a worker sent {error}: run again") from error
    if record.key != Path(name).stem:
        raise ResultsError(f"the record {name} that a worker sent is of another run: run again")


def _is_artefact(name: str, task: Task) -> bool:
    folder, _, file = name.rpartition("/")
    return folder == f"artefacts/{task.key}" and file != "" and not file.startswith(".")
