"""Garbage collection, which a short command with very many lasting objects does without."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """A block, or a decorated function, in which cycles are not looked for: each search goes through every record."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.freeze()
            gc.unfreeze()  # by now all is among the oldest, so that no search starts at once
            gc.enable()


def leave_uncollected() -> None:
    """Let the process end without a last search through what it holds."""
    gc.freeze()
