"""Ctrl-C pressed more than once: the first stops what is at work, a second does no harm to the clean-up."""

import atexit
import os
import signal
from types import FrameType

INTERRUPTED = 130
ENOUGH = 3
_SHOW_CURSOR = b"\x1b[?25h"


class _Patience:
    def __init__(self) -> None:
        self.pressed = 0

    def __call__(self, _: int, __: FrameType | None) -> None:
        self.pressed += 1
        if self.pressed == 1:
            raise KeyboardInterrupt
        if self.pressed >= ENOUGH:
            if os.isatty(2):
                os.write(2, _SHOW_CURSOR)
            os._exit(INTERRUPTED)  # workers die with this process, and every file is written whole


def patient() -> None:
    """Raise KeyboardInterrupt for the first Ctrl-C alone; the second is let pass, the third ends this process at once.

    Where Ctrl-C is ignored (as a shell's background jobs do) it stays so. The last moments of this process, when Python
    takes its handlers away, are not interrupted at all.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _Patience())
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
