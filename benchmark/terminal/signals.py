"""SIGTERM and SIGHUP as an exception, as Ctrl-C is one: what is at work can be saved on the way out."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(BaseException):
    """This process was asked to end by a signal. `status`: 128 and the signal's number, as shells count."""

    def __init__(self, number: int) -> None:
        self.signal = signal.Signals(number)
        self.status = 128 + number
        super().__init__(self.signal.name)


@contextmanager
def as_exceptions() -> Iterator[None]:
    """In the block the main thread gets Terminated for SIGTERM and SIGHUP; one that was ignored (nohup) stays so."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    before = {number: handler for number, handler in before.items() if handler is signal.SIG_DFL}
    for number in before:
        signal.signal(number, _raise)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise(number: int, _: FrameType | None) -> None:
    raise Terminated(number)
