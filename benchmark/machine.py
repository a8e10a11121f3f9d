"""What the machine is: processor, default precision, threads, and the class of its numerics."""

import os
from functools import cache
from pathlib import Path

PRECISIONS = ("fp32", "bf16")

_AVX2 = {"avx2", "fma"}
_AVX512 = {"avx512vl", "avx512bw", "avx512dq", "fma"}  # what torch asks for


@cache
def cpu_flags() -> frozenset[str]:
    """Feature flags of the processor as Linux lists them; empty elsewhere."""
    return frozenset(_cpu_info("flags").split())


def cpu_name() -> str:
    return _cpu_info("model name") or os.uname().machine


def default_precision(device: str) -> str:
    """`bf16` where the processor multiplies it in hardware (AMX, AVX-512 BF16), else `fp32`."""
    native = cpu_flags() & {"amx_bf16", "avx512_bf16"}
    return "bf16" if device == "cpu" and native else "fp32"


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def numerics_class(*, device: str, precision: str, threads: int) -> str:
    """What must be equal for the same key to give the same numbers, bit for bit on the CPU (design section 6)."""
    import PIL
    import torch

    if device == "cpu":
        capability = torch.backends.cpu.get_cpu_capability().lower()
        kernels = _cpu_kernels(capability, precision)
    else:
        kernels = torch.cuda.get_device_name(device).lower().replace(" ", "_")
    return _class(device.partition(":")[0], kernels, torch.__version__, threads, PIL.__version__)


def expected_numerics_class(*, precision: str, threads: int) -> str | None:
    """The class that `numerics_class` gives on this processor, without importing torch; None where torch is missing."""
    from importlib.metadata import PackageNotFoundError, version

    flags = cpu_flags()
    asked = os.environ.get("ATEN_CPU_CAPABILITY", "").lower()
    best = "avx512" if flags >= _AVX512 else "avx2" if flags >= _AVX2 else "default"
    try:
        return _class("cpu", _cpu_kernels(asked or best, precision), version("torch"), threads, version("pillow"))
    except PackageNotFoundError:
        return None


def _cpu_kernels(capability: str, precision: str) -> str:
    return "amx" if precision == "bf16" and "amx_bf16" in cpu_flags() else capability


def _class(kind: str, kernels: str, torch: str, threads: int, pillow: str) -> str:
    return f"{kind}-{kernels}-torch{_minor(torch)}-threads{threads}-pillow{_minor(pillow)}"


def _minor(version: str) -> str:
    return ".".join(version.partition("+")[0].split(".", 2)[:2])


@cache
def _cpu_info(field: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    entries = (line.partition(":") for line in lines)
    return next((value.strip() for name, _, value in entries if name.strip() == field), "")
