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
            gc.enable()
