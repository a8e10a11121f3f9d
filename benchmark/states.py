"""What a fit leaves on disk beside records: the checkpoint of an unfinished one, and the kept state of a finished one.

Both belong to one fit, numerics class and code digest (their `identity`) and are of no use to any other.
"""

import hashlib
import io
import time
from collections.abc import Mapping
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


class CheckpointFile:
    """The state of an unfinished fit; dropped when the fit, the numerics class or the detector's code is another.

    `seconds` is what the sittings before this one spent on the state that was loaded.
    """

    def __init__(self, path: Path, identity: Mapping[str, str]) -> None:
        self.path = path
        self.identity = dict(identity)
        self.seconds = 0.0
        self._started = self._saved = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        import pickle

        import torch

        try:
            stored = torch.load(self.path, map_location="cpu", weights_only=True)
            if stored["identity"] == self.identity:
                self.seconds = float(stored["seconds"])
                return dict(stored["state"])
        except FileNotFoundError:
            return None
        except (OSError, RuntimeError, EOFError, KeyError, TypeError, ValueError, pickle.UnpicklingError):
            pass
        self.path.unlink(missing_ok=True)
        return None

    def save(self, state: Mapping[str, Any]) -> None:
        import torch

        buffer = io.BytesIO()
        seconds = self.seconds + time.monotonic() - self._started
        torch.save({"identity": self.identity, "state": dict(state), "seconds": seconds}, buffer)
        write_atomic(self.path, buffer.getvalue())
        self._saved = time.monotonic()

    def due(self) -> bool:
        return time.monotonic() - self._saved >= CHECKPOINT_SECONDS


@dataclass(frozen=True)
class Kept:
    """A finished fit: the detector's state, its history, and the seconds that the fit took."""

    state: Mapping[str, "torch.Tensor"]
    history: Mapping[str, list[float]]
    seconds: float


class StateFile:
    """The kept state of a fit: `fits/<fit_key>.pt`, which torch alone can read, and beside it what is known of it."""

    def __init__(self, root: Path, fit_key: str, identity: Mapping[str, str]) -> None:
        self.path = root / "fits" / f"{fit_key}.pt"
        self.identity = dict(identity)

    def save(self, kept: Kept, limit_mib: float | None = None) -> None:
        """Keep a state; one that is empty or larger than a limit is not kept."""
        import torch

        buffer = io.BytesIO()
        torch.save({name: value.detach().cpu().contiguous() for name, value in kept.state.items()}, buffer)
        data = buffer.getvalue()
        if limit_mib is not None and (not kept.state or len(data) > limit_mib * 2**20):
            return
        known = _Known(
            sha256=hashlib.sha256(data).hexdigest(),
            identity=self.identity,
            history={name: list(values) for name, values in kept.history.items()},
            seconds=kept.seconds,
        )
        write_atomic(self.path, data)
        write_atomic(self._beside, msgspec.json.format(msgspec.json.encode(known), indent=2) + b"\n")

    def load(self) -> Kept | None:
        """The state; None where there is none, or one that is damaged or of another fit, numerics class or code."""
        known = self._described()
        try:
            data = self.path.read_bytes() if known else b""
        except OSError:
            return None
        if known is None or hashlib.sha256(data).hexdigest() != known.sha256:
            return None
        import torch

        return Kept(torch.load(io.BytesIO(data), map_location="cpu", weights_only=True), known.history, known.seconds)

    @property
    def _beside(self) -> Path:
        return self.path.with_suffix(".json")

    def _described(self) -> "_Known | None":
        try:
            known = msgspec.json.decode(self._beside.read_bytes(), type=_Known)
        except (OSError, msgspec.DecodeError):
            return None
        return known if known.identity == self.identity else None


class _Known(msgspec.Struct, frozen=True):
    sha256: str
    identity: dict[str, str]
    history: dict[str, list[float]]
    seconds: float
