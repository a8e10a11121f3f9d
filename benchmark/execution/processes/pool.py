"""Worker processes of this machine: one call at a time in each, so that the end of one costs its own call only."""

import contextlib
import ctypes
import itertools
import os
import pickle
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from benchmark.execution.processes import offspring
from benchmark.execution.processes.handover import WORKER_NUMBER

_T = TypeVar("_T")

WATCH_SECONDS = 0.3
LEAVE_SECONDS = 5.0
"""Time that a worker may take to leave when there is nothing more to do."""


class WorkerLostError(Exception):
    """The process of a call ended before the call. `code`: its exit status, or minus a signal; None: not known."""

    def __init__(self, code: int | None = None) -> None:
        super().__init__(code)
        self.code = code


class CallError(Exception):
    """A call raised; the text says what."""


class Workers:
    """Up to `count` processes, started when there is something to do. Start and use it from the main thread."""

    queues = False

    def __init__(self, count: int, environment: Mapping[str, str]) -> None:
        self.lost = "no worker process can be started on this machine: free memory or end other processes"
        self.mark = f"{os.uname().nodename}.{os.getpid()}.{secrets.token_hex(4)}."
        self._count = count
        self._environment = dict(environment)
        self._numbers = itertools.count()
        self._workers: list[_Worker] = []

    def submit(self, call: Callable[..., _T], /, *args: Any, **named: Any) -> Future[_T]:
        """Let an idle worker do a call; there must be one. The future may raise CallError and WorkerLostError."""
        self._workers = [worker for worker in self._workers if worker.is_usable]
        worker = next((worker for worker in self._workers if worker.at_work is None), None)
        if worker is None:
            if len(self._workers) >= self._count:
                raise RuntimeError("all workers are busy")
            number = min({*range(self._count)} - {busy.number for busy in self._workers})
            worker = _Worker(self._environment, number, f"{self.mark}{next(self._numbers)}.")
            self._workers.append(worker)
        return worker.do(call, args, named)

    def ask_to_stop(self) -> bool:
        """Send SIGTERM to all that are at work, on which a fit saves its checkpoint; whether that is possible."""
        for worker in self._workers:
            if worker.at_work is not None:
                worker.send(signal.SIGTERM)
        return True

    def end(self, future: Future[Any]) -> None:
        """Kill the worker that is at work on a call."""
        for worker in self._workers:
            if worker.at_work is future:
                worker.send(signal.SIGKILL)

    def close(self, *, kill: bool = False) -> None:
        """Let all leave, or kill them, and wait for it."""
        for worker in self._workers:
            worker.close(kill=kill)


class _Worker:
    def __init__(self, environment: Mapping[str, str], number: int, mark: str) -> None:
        from joblib.externals.loky.backend.context import LokyContext

        context = LokyContext()
        self.at_work: Future[Any] | None = None
        self.number = number
        self._mark = mark
        self._calls, theirs = context.Pipe()
        variables = {**environment, offspring.MARK: mark, WORKER_NUMBER: str(number)}
        self.process = context.Process(target=_serve, args=(theirs, os.getpid()), env=variables)
        self.process.start()
        theirs.close()

    @property
    def is_usable(self) -> bool:
        return self.at_work is not None or self.process.exitcode is None

    def do(self, call: Callable[..., _T], args: tuple[Any, ...], named: Mapping[str, Any]) -> Future[_T]:
        from joblib.externals.loky.backend.reduction import dumps

        future: Future[_T] = Future()
        self.at_work = future
        threading.Thread(target=self._collect, args=(future, bytes(dumps((call, args, named)))), daemon=True).start()
        return future

    def send(self, sent: signal.Signals) -> None:
        if self.process.exitcode is None and self.process.pid is not None:
            os.kill(self.process.pid, sent)

    def close(self, *, kill: bool) -> None:
        """Never waits for ever: a process in an uninterruptible wait cannot be killed."""
        if kill:
            self.send(signal.SIGKILL)
        if self.at_work is not None:
            wait([self.at_work], LEAVE_SECONDS)
        self._calls.close()
        self.process.join(LEAVE_SECONDS)
        if self.process.exitcode is None:
            self.send(signal.SIGKILL)
            self.process.join(LEAVE_SECONDS)
        offspring.end_marked(self._mark)

    def _collect(self, future: Future[Any], message: bytes) -> None:
        """Wait for the answer, or for the end of the process: what it started may hold the pipe open."""
        answer: tuple[bool, Any] | None = None
        try:
            self._calls.send_bytes(message)
            while not self._calls.poll(WATCH_SECONDS):
                if self.process.exitcode is not None and not self._calls.poll():
                    break
            else:
                answer = self._calls.recv()
        except (OSError, EOFError, pickle.UnpicklingError):
            pass
        if answer is None:
            self.process.join(LEAVE_SECONDS)
            offspring.end_marked(self._mark)
        self.at_work = None
        if answer is None:
            future.set_exception(WorkerLostError(self.process.exitcode))
        elif answer[0]:
            future.set_result(answer[1])
        else:
            future.set_exception(CallError(answer[1]))


def _serve(calls: Connection, parent: int) -> None:
    """Loop of a worker: one call after the other, until the parent is gone or closes the pipe."""
    _die_with(parent)
    for ignored in (signal.SIGINT, signal.SIGHUP):  # a terminal sends them to all; the parent decides
        signal.signal(ignored, signal.SIG_IGN)
    with contextlib.suppress(EOFError, OSError):
        while True:
            call, args, named = pickle.loads(calls.recv_bytes())  # noqa: S301 - from the parent
            try:
                answer = (True, call(*args, **named))
            except BaseException as error:  # noqa: BLE001 - whatever it is, the caller must hear of it
                answer = (False, f"{type(error).__name__}: {error}")
            calls.send(answer)


def _die_with(parent: int) -> None:
    """Die with the parent, even if it is killed; adopt what is left by those that this process starts."""
    if sys.platform == "linux":
        pr_set_pdeathsig, pr_set_child_subreaper = 1, 36
        prctl = ctypes.CDLL(None, use_errno=True).prctl
        prctl(pr_set_pdeathsig, signal.SIGKILL)
        prctl(pr_set_child_subreaper, 1)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os._exit(1)
