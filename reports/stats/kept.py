"""Statistics kept in a file by digests of their inputs: a table that did not change needs neither numpy nor scipy."""

import contextlib
import functools
import hashlib
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from importlib.metadata import version
from pathlib import Path
from typing import ParamSpec, TypeVar, get_type_hints

import msgspec

from results.errors import ResultsError
from results.files import write_atomic

STATISTICS = "statistics"
"""Folder of these files in the cache."""

_P = ParamSpec("_P")
_R = TypeVar("_R")


class _KeptFile:
    """Results by digests of function and arguments; of those in the file only what is asked for again stays."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._held = _read(file)
        self._asked: dict[bytes, msgspec.Raw] = {}

    def result(self, function: Callable[..., _R], arguments: tuple[object, ...]) -> _R:
        inputs = repr((function.__qualname__, arguments)).encode()
        name = hashlib.sha256(inputs).digest()[:16]
        kept = self._asked.get(name) or self._held.get(name)
        if kept is not None:
            self._asked[name] = kept
            decoded: _R = msgspec.msgpack.decode(kept, type=_result_type(function))
            return decoded
        computed = function(*arguments)
        self._asked[name] = msgspec.Raw(msgspec.msgpack.encode(computed))
        return computed

    def write(self) -> None:
        """Write what was asked for, where some of it is new."""
        if self._asked.keys() - self._held.keys():
            with contextlib.suppress(ResultsError, OSError):
                body = msgspec.msgpack.encode(self._asked)
                write_atomic(self._file, _digest(body) + body)


_CURRENT: ContextVar[_KeptFile | None] = ContextVar("kept statistics", default=None)


@contextlib.contextmanager
def keep_statistics(file: Path) -> Iterator[None]:
    """A block in which the functions marked `kept` take from `file` what they returned for equal arguments before.

    A file that is damaged, or that other code or libraries made, counts as empty; one that cannot be written is no
    error.
    """
    kept_file = _KeptFile(file)
    token = _CURRENT.set(kept_file)
    try:
        yield
    finally:
        _CURRENT.reset(token)
    kept_file.write()


def statistics_file(cache: Path, *names: str) -> Path:
    """The file for what these names stand for, such as the report of a table."""
    return cache / STATISTICS / f"{hashlib.sha256(repr(names).encode()).hexdigest()[:32]}.kept"


def kept(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Mark a function of numbers, or of dataclasses of numbers, whose result depends on their values alone."""

    @functools.wraps(function)
    def from_file(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        current = _CURRENT.get()
        if current is None or kwargs:
            return function(*args, **kwargs)
        return current.result(function, args)

    return from_file


@functools.cache
def _result_type(function: Callable[..., object]) -> object:
    return get_type_hints(function)["return"]


def _read(file: Path) -> dict[bytes, msgspec.Raw]:
    with contextlib.suppress(OSError, msgspec.DecodeError):
        content = memoryview(file.read_bytes())
        if content[:32] == _digest(content[32:]):
            return msgspec.msgpack.decode(content[32:], type=dict[bytes, msgspec.Raw])
    return {}


def _digest(body: bytes | memoryview) -> bytes:
    """SHA-256 of the body of a file, and of the code and the libraries that computed it."""
    whole = hashlib.sha256(f"{sys.version} {[version(name) for name in ('msgspec', 'numpy', 'scipy')]}".encode())
    for module in sorted(Path(__file__).parent.glob("*.py")):
        whole.update(module.read_bytes())
    whole.update(body)
    return whole.digest()
