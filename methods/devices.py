"""What a device computes with: processor features and the default precision, known without torch."""

from functools import cache
from pathlib import Path

NATIVE_BF16 = frozenset({"amx_bf16", "avx512_bf16"})


def default_precision(device: str) -> str:
    """`bf16` where the processor multiplies it in hardware (AMX, AVX-512 BF16), else `fp32`."""
    return "bf16" if device == "cpu" and cpu_flags() & NATIVE_BF16 else "fp32"


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
