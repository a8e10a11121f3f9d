"""Devices that a fit computes on, and what each can do; torch is imported only where it has to be asked."""

import platform
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from methods.errors import MethodError

if TYPE_CHECKING:
    from torch import Tensor, nn

Network = TypeVar("Network", bound="nn.Module")

DEFAULT_PRECISION = "fp32"
"""Of runs that name none: as the papers compute. Twins have not shown that bf16 gives the same AUCs within 0.01."""
NATIVE_BF16 = frozenset({"amx_bf16", "avx512_bf16"})


class Traits(NamedTuple):
    """Abilities of a kind of device: bf16 under autocast, float64, Adam in one kernel, faster convolutions on channels
    last, and several devices of the kind, each with a number and a random generator of its own.
    """

    bf16: bool = True
    float64: bool = True
    fused_adam: bool = True
    channels_last: bool = True
    is_numbered: bool = False


KINDS = {
    "cpu": Traits(),
    "cuda": Traits(is_numbered=True),
    "mps": Traits(bf16=False, float64=False, fused_adam=False, channels_last=False),
}
"""By the name that torch has for them; each is asked for by the functions of torch.cuda that torch.KIND has too."""


@dataclass(frozen=True)
class Device:
    """`cpu`, `cuda`, `cuda:1`, `mps`, or several such as `cuda:0,cuda:2`, which workers take in turn.

    Without an index torch chooses.
    """

    kind: str = "cpu"
    index: int | None = None
    among: tuple[int, ...] = ()

    def __str__(self) -> str:
        if self.among:
            return ",".join(f"{self.kind}:{index}" for index in self.among)
        return self.kind if self.index is None else f"{self.kind}:{self.index}"

    @property
    def traits(self) -> Traits:
        return KINDS[self.kind]

    @property
    def native_precision(self) -> str:
        """The fastest: `bf16` where the processor multiplies it in hardware (AMX, AVX-512 BF16), else `fp32`."""
        return "bf16" if self.kind == "cpu" and cpu_flags() & NATIVE_BF16 else "fp32"

    def count(self) -> int:
        """Devices of the kind that torch can use; raises ImportError or OSError without torch."""
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import torch

            backend: Any = getattr(torch, self.kind)
            is_available = getattr(backend, "is_available", lambda: True)
            return backend.device_count() if is_available() else 0

    def missing(self) -> str | None:
        """Reason, as torch has it, that this machine cannot compute on the device; None where it can."""
        if self.kind == "cpu":
            return None
        try:
            count = self.count()
        except (ImportError, OSError) as error:
            return f"torch cannot be imported ({error}): install it again"
        if not count:
            import torch

            backend: Any = getattr(torch.backends, self.kind, None)
            is_built = backend is None or backend.is_built()
            return f"torch {torch.__version__} {'finds none that it can use' if is_built else 'is built without it'}"
        return None if max(self.among or (self.index or 0,)) < count else f"there are {count}, numbered from 0"

    def name(self) -> str:
        """The hardware as torch names it; the machine's architecture where there is but one device of the kind."""
        import torch

        backend: Any = getattr(torch, self.kind)
        return str(backend.get_device_name(self.index)) if self.traits.is_numbered else platform.machine()

    def free_memory(self) -> int:
        """Bytes that a numbered device has free now, as torch tells them."""
        import torch

        backend: Any = getattr(torch, self.kind)
        free: int = backend.mem_get_info(str(self))[0]
        return free

    def for_worker(self, number: int) -> "Device":
        """The device of worker process `number`: of several that are named, or of all where none is, the next one."""
        if self.among:
            return Device(self.kind, self.among[number % len(self.among)])
        if self.index is not None or not self.traits.is_numbered:
            return self
        count = self.count()
        return replace(self, index=number % count) if count > 1 else self


CPU = Device()


def best_device() -> Device:
    """The first kind of accelerator that torch can use here, else the processor."""
    return next((device for kind in KINDS if (device := Device(kind)) != CPU and device.missing() is None), CPU)


def device_forms() -> str:
    """Names that a person may give for a device: `cpu, cuda, cuda:1 or mps`."""
    forms = [form for kind, traits in KINDS.items() for form in (kind, *([f"{kind}:1"] if traits.is_numbered else []))]
    return f"{', '.join(forms[:-1])} or {forms[-1]}"


def parse_device(text: str) -> Device:
    """The device of that name, or the devices of one kind whose names commas separate.

    Raises MethodError where there is no such kind or no number of it, and where one comes twice.
    """
    if "," in text:
        return _several(text)
    form = re.fullmatch(r"([a-z]+)(?::(\d{1,4}))?", text, re.ASCII)
    traits = KINDS.get(form[1]) if form else None
    if form is None or traits is None or (form[2] is not None and not traits.is_numbered):
        raise MethodError(f"unknown device '{text}': give {device_forms()}")
    return Device(form[1], None if form[2] is None else int(form[2]))


def _several(text: str) -> Device:
    devices = [parse_device(part) for part in text.split(",") if part] if ",," not in text else []
    indices = tuple(device.index for device in devices if device.index is not None)
    if len({device.kind for device in devices}) != 1 or len(indices) != text.count(",") + 1:
        raise MethodError(f"'{text}' is no list of devices: give numbered ones of one kind, such as cuda:0,cuda:1")
    if len(set(indices)) != len(indices):
        raise MethodError(f"'{text}' names a device twice: name each once, and run several fits on it with --jobs")
    return Device(devices[0].kind, among=indices)


def accelerator_names() -> tuple[str, ...]:
    """The devices beside the processor that torch can use, as it names them."""
    accelerators = [Device(kind, number) for kind in KINDS if kind != "cpu" for number in range(Device(kind).count())]
    return tuple(device.name() if device.traits.is_numbered else device.kind for device in accelerators)


def placed(network: Network, device: str) -> Network:
    """The network on a device, channels last where that is faster."""
    import torch

    network.to(device)
    if parse_device(device).traits.channels_last:
        network.to(memory_format=torch.channels_last)
    return network


def accumulated(values: "Tensor") -> "Tensor":
    """The values in float64, on the processor where their device has none: what sums and scores are made of."""
    return (values if KINDS[values.device.type].float64 else values.cpu()).double()


def kept_generators(device: str) -> AbstractContextManager[None]:
    """Put torch's global generators, of the processor and of a numbered device, back after a block."""
    import torch

    parsed = parse_device(device)
    if not parsed.traits.is_numbered:
        return torch.random.fork_rng(devices=[])
    return torch.random.fork_rng(devices=[device], device_type=parsed.kind)


@cache
def cpu_flags() -> frozenset[str]:
    """Feature flags of the processor as Linux lists them; empty elsewhere."""
    return frozenset(cpu_info("flags").split())


@cache
def cpu_info(field: str) -> str:
    """A field of Linux's first entry on processors, such as `model name`; empty where there is none."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    entries = (line.partition(":") for line in lines)
    return next((value.strip() for name, _, value in entries if name.strip() == field), "")
