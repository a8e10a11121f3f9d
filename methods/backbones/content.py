"""Contents of a file of weights: loading it safely, recognising the network, taking the trunk. Needs torch."""

import functools
import math
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from methods.backbones.networks import new_network
from methods.backbones.table import BACKBONES, installed_backbones

_COUNTER = "num_batches_tracked"


def load_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name, on the CPU, loaded with `weights_only`.

    Raises:
        ValueError: it holds none; the text continues a sentence that starts with the file's name.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            state = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - unpicklers fail in many ways
        raise ValueError(_unreadable(path, error)) from None
    if not isinstance(state, Mapping):
        raise ValueError(f"holds a {type(state).__name__}, not a state_dict")  # noqa: TRY004 - of the file, not the caller
    others = [name for name, value in state.items() if not (isinstance(name, str) and isinstance(value, Tensor))]
    if others:
        raise ValueError(f"holds more than tensors ('{others[0]}')")
    return dict(state)


def recognise(state: Mapping[str, Tensor]) -> str:
    """The architecture whose complete trunk these tensors are.

    Raises:
        ValueError: none; the text says what keeps them from being the nearest one.
    """
    archs = installed_backbones()
    shared = {arch: _shared(state, _shapes(arch)) for arch in archs}
    arch = max(shared, key=lambda arch: shared[arch])
    if shared[arch] == (0, 0):
        raise ValueError(f"holds no network that is known ({', '.join(archs)})")
    trunk(state, arch)
    return arch


def _shared(state: Mapping[str, Tensor], shapes: Mapping[str, torch.Size]) -> tuple[int, int]:
    """Numbers of tensors that are in both, by name and shape, and by name alone."""
    names = state.keys() & shapes.keys()
    return sum(state[name].shape == shapes[name] for name in names), len(names)


def trunk(state: Mapping[str, Tensor], arch: str) -> dict[str, Tensor]:
    """The tensors of the architecture but its classifier, in float32 and in the order of its package.

    Raises:
        ValueError: one is missing, unknown, of another shape, no float, or not finite.
    """
    shapes = _shapes(arch)
    unknown = [name for name in state if name not in shapes and not name.startswith(BACKBONES[arch].classifier)]
    if unknown:
        raise ValueError(f"is no {arch}: unknown tensor '{unknown[0]}'")
    return {name: _tensor(state, name, shape, arch) for name, shape in shapes.items()}


def _tensor(state: Mapping[str, Tensor], name: str, shape: torch.Size, arch: str) -> Tensor:
    if name.endswith(_COUNTER):
        return state.get(name, torch.tensor(0)).to(torch.int64)
    if name not in state:
        raise ValueError(f"is no complete {arch}: '{name}' is missing")
    value = state[name]
    if value.shape != shape:
        sizes = ["x".join(map(str, size)) for size in (value.shape, shape)]
        raise ValueError(f"is no {arch}: '{name}' is {sizes[0]} instead of {sizes[1]}")
    if not value.is_floating_point() or value.layout is not torch.strided:
        raise ValueError(f"is no {arch}: '{name}' holds no plain floats")
    value = value.to(torch.float32).contiguous()
    if not all(math.isfinite(bound) for bound in torch.aminmax(value)):  # which pass on a NaN
        raise ValueError(f"cannot be used: '{name}' holds values that are not finite")
    return value


@functools.cache
def _shapes(arch: str) -> dict[str, torch.Size]:
    """Shapes of the trunk's tensors; a network on the meta device has shapes but no memory."""
    with torch.device("meta"):
        state = new_network(BACKBONES[arch]).state_dict()
    return {name: value.shape for name, value in state.items() if not name.startswith(BACKBONES[arch].classifier)}


def _unreadable(path: Path, error: Exception) -> str:
    with path.open("rb") as stream:
        start = stream.read(512).lstrip()
    if not start:
        return "is empty"
    if start.startswith(b"<"):
        return "is a web page, not weights"
    return f"is cut short, or holds more than tensors ({type(error).__name__})"
