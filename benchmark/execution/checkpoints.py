"""Files of a fit beside records: the checkpoint of an unfinished one, and the kept state of a finished one.

Both belong to one fit, numerics class and code digest (their `identity`) and are of no use to any other. Both carry a
digest of all that is in them: what is damaged is dropped and said, and the fit starts anew.
"""

import hashlib
import io
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from results.files import write_atomic

if TYPE_CHECKING:
    import torch

CHECKPOINT_SECONDS = 300.0
REUSED_MIB = 64
"""A state that is kept only because it may score other test lists is not kept beyond this size."""

_Notify = Callable[[str], None]


def _unsaid(_: str) -> None:
    pass


class CheckpointFile:
    """The state of an unfinished fit: its SHA-256 in hexadecimal, a line feed, and what torch reads.

    Dropped when it is damaged, and when the fit, the numerics class or the detector's code is another. `is_loaded` says
    whether a fit goes on from it; `seconds` is what the sittings before this one spent on it.
    """

    def __init__(self, path: Path, identity: Mapping[str, str], notify: _Notify = _unsaid) -> None:
        self.path = path
        self.identity = dict(identity)
        self.is_loaded = False
        self.seconds = 0.0
        self._notify = notify
        self._started = self._saved = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        import pickle

        import torch

        try:
            digest, _, data = self.path.read_bytes().partition(b"\n")
            if digest != _digest(data):
                raise _UnfitError("is damaged, or of an older version of swanbench")
            stored = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
            if stored["identity"] != self.identity:
                raise _UnfitError("is of other code or another class of numerics")
            self.seconds = float(stored["seconds"])
            self.is_loaded = True
            return dict(stored["state"])
        except FileNotFoundError:
            return None
        except _UnfitError as error:
            self.drop(str(error))
        except (OSError, RuntimeError, EOFError, KeyError, TypeError, ValueError, pickle.UnpicklingError) as error:
            self.drop(f"cannot be read ({type(error).__name__})")
        return None

    def drop(self, reason: str) -> None:
        """Remove it and report the reason: the fit starts anew."""
        self._notify(f"the checkpoint {self.path} {reason}: it is dropped, the fit starts anew")
        self.path.unlink(missing_ok=True)
        self.is_loaded, self.seconds = False, 0.0

    def save(self, state: Mapping[str, Any]) -> None:
        import torch

        buffer = io.BytesIO()
        seconds = self.seconds + time.monotonic() - self._started
        torch.save({"identity": self.identity, "state": dict(state), "seconds": seconds}, buffer)
        data = buffer.getvalue()
        write_atomic(self.path, _digest(data) + b"\n" + data)
        self._saved = time.monotonic()

    def due(self) -> bool:
        return time.monotonic() - self._saved >= CHECKPOINT_SECONDS


@dataclass(frozen=True)
class KeptState:
    """A finished fit: the detector's state, its history, and the seconds that the fit took."""

    state: Mapping[str, "torch.Tensor"]
    history: Mapping[str, list[float]]
    seconds: float


class StateFile:
    """The kept state of a fit: `fits/<fit_key>.pt`, which torch alone can read, and beside it a JSON file of facts."""

    def __init__(self, root: Path, fit_key: str, identity: Mapping[str, str], notify: _Notify = _unsaid) -> None:
        self.path = root / "fits" / f"{fit_key}.pt"
        self.identity = dict(identity)
        self._notify = notify

    def save(self, state: KeptState, limit_mib: float | None = None) -> None:
        """Keep a state; one that is empty or larger than a limit is not kept."""
        import torch

        buffer = io.BytesIO()
        torch.save({name: value.detach().cpu().contiguous() for name, value in state.state.items()}, buffer)
        data = buffer.getvalue()
        if limit_mib is not None and (not state.state or len(data) > limit_mib * 2**20):
            return
        facts = _Known(
            sha256=_digest(data).decode(),
            identity=self.identity,
            history={name: list(values) for name, values in state.history.items()},
            seconds=state.seconds,
        )
        write_atomic(self.path, data)
        sealed = msgspec.structs.replace(facts, digest=facts.contents)
        write_atomic(self._beside, msgspec.json.format(msgspec.json.encode(sealed), indent=2) + b"\n")

    def load(self) -> KeptState | None:
        """The state; None where there is none or one of another fit, numerics class or code. A damaged one is said."""
        try:
            data, beside = self.path.read_bytes(), self._beside.read_bytes()
        except OSError:
            return None
        try:
            facts = msgspec.json.decode(beside, type=_Known)
        except (msgspec.DecodeError, RecursionError):
            facts = None
        if facts is None or facts.digest != facts.contents or facts.sha256 != _digest(data).decode():
            self.refuse("is damaged, or of an older version of swanbench")
            return None
        if facts.identity != self.identity:
            return None
        import torch

        return KeptState(
            torch.load(io.BytesIO(data), map_location="cpu", weights_only=True), facts.history, facts.seconds
        )

    def refuse(self, reason: str) -> None:
        """Report the reason that it is not used; the fit, made anew, is kept in its place."""
        self._notify(f"the kept state {self.path} {reason}: the fit is made anew")

    @property
    def _beside(self) -> Path:
        return self.path.with_suffix(".json")


class _UnfitError(Exception):
    """A checkpoint that no fit can go on from; the text is the reason."""


class _Known(msgspec.Struct, frozen=True):
    """Facts of a kept state, in a JSON file beside it: SHA-256 of the state, and a digest of these facts themselves."""

    sha256: str
    identity: dict[str, str]
    history: dict[str, list[float]]
    seconds: float
    digest: str = ""

    @property
    def contents(self) -> str:
        """SHA-256 of all but the digest."""
        return _digest(msgspec.json.encode(msgspec.structs.replace(self, digest=""))).decode()


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()
