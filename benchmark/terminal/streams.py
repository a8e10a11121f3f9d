"""Standard streams as a caller may leave them: closed, full, or unable to show every letter."""

import codecs
import errno
import io
import os
import sys
from typing import IO, Any

STDIN, STDOUT, STDERR = range(3)
ESCAPED = "swanbench_escaped"
"""Handler of letters that a stream's encoding lacks: written as JSON escapes them, so that JSON stays what it is."""


class StreamError(Exception):
    """Stdout cannot be written; `is_left` where who read it has left (as `head` does)."""

    def __init__(self, error: OSError) -> None:
        reason = "it is closed" if error.errno == errno.EBADF else error.strerror or error
        super().__init__(f"cannot write to stdout: {reason}: let it go to a file or a terminal, then try again")
        self.is_left = error.errno == errno.EPIPE


def secure() -> None:
    """Let no standard stream end this process by a traceback.

    What cannot be written to stderr is lost; the first that cannot be written to stdout raises StreamError, also where
    it was closed. No file of ours gets the number of a closed stream.
    """
    for number, flags in ((STDIN, os.O_RDONLY), (STDOUT, os.O_RDONLY), (STDERR, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # gets the lowest number that is free; of stdout it cannot be written either
            os.set_inheritable(number, True)
    codecs.register_error(ESCAPED, _escaped)
    sys.stdout = _stream(STDOUT, sys.stdout)
    sys.stderr = _stream(STDERR, sys.stderr)


class _Raw(io.FileIO):
    """The file behind a stream; once it could not be written, it swallows what comes."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "w", closefd=False)
        self._is_lost = False

    def write(self, data: Any) -> int:
        if not self._is_lost:
            try:
                return super().write(data)
            except OSError as error:
                self._is_lost = True
                if self.fileno() == STDOUT:
                    raise StreamError(error) from error
        return len(data)


def _stream(number: int, before: IO[str] | None) -> io.TextIOWrapper:
    """The stream anew, with the encoding that it had."""
    errors = getattr(before, "errors", None) or "strict"
    return io.TextIOWrapper(
        io.BufferedWriter(_Raw(number)),
        encoding=getattr(before, "encoding", None) or "utf-8",
        errors=ESCAPED if errors == "strict" else errors,
        line_buffering=number == STDERR or os.isatty(number),
    )


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    import json

    return json.dumps(error.object[error.start : error.end])[1:-1], error.end
