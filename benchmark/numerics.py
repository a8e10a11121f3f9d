"""Processor and numerics class of this machine."""

import contextlib
import os
from collections.abc import Iterator

from methods.devices import cpu_flags, cpu_info, parse_device

PRECISIONS = ("fp32", "bf16")

ARITHMETIC = (
    "ATEN_CPU_CAPABILITY",
    "CUBLAS_WORKSPACE_CONFIG",
    "DNNL_DEFAULT_FPMATH_MODE",
    "DNNL_MAX_CPU_ISA",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "NVIDIA_TF32_OVERRIDE",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_CORETYPE",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
)
"""Environment variables that choose kernels, and so bits, but enter no key."""

_AVX2 = {"avx2", "fma"}
_AVX512 = {"avx512vl", "avx512bw", "avx512dq", "fma"}  # what torch asks for


@contextlib.contextmanager
def exact_arithmetic(threads: int) -> Iterator[None]:
    """Run a block with so many threads and without TF32, bf16 or such in what is called fp32; then as before."""
    import torch

    before = torch.get_num_threads(), torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    set_arithmetic(threads)
    try:
        yield
    finally:
        set_arithmetic(before[0], before[1], allow_tf32=before[2])


def set_arithmetic(threads: int, matmul: str = "highest", *, allow_tf32: bool = False) -> None:
    """Threads of torch, and by default no TF32, bf16 or such in what is called fp32."""
    import torch

    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(matmul)
    torch.backends.cudnn.allow_tf32 = allow_tf32


def undo_guests_settings() -> None:
    """Torch as it starts: what the detector of an earlier fit set for the whole process would change others' bits."""
    import torch

    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.set_grad_enabled(True)
    torch.set_flush_denormal(False)
    setattr(torch.backends.mkldnn, "enabled", True)  # noqa: B010 - torch's types know no assignment
    if torch.are_deterministic_algorithms_enabled():
        torch.use_deterministic_algorithms(mode=False)


def cpu_name() -> str:
    return cpu_info("model name") or os.uname().machine


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def arithmetic() -> dict[str, str]:
    """The variables of ARITHMETIC that are set here, sorted by name."""
    return {name: os.environ[name] for name in ARITHMETIC if os.environ.get(name)}


def numerics_class(*, device: str, precision: str, threads: int) -> str:
    """Class within which the same key gives the same numbers, bit for bit on the CPU (design section 6)."""
    import PIL
    import torch

    parsed_device = parse_device(device)
    if parsed_device.kind == "cpu":
        capability = torch.backends.cpu.get_cpu_capability().lower()
        kernels = _cpu_kernels(capability, precision)
    else:
        kernels = parsed_device.name().lower().replace(" ", "_")
    return _class(parsed_device.kind, kernels, torch.__version__, threads, PIL.__version__)


def expected_numerics_class(*, precision: str, threads: int) -> str | None:
    """The class that `numerics_class` gives on this processor, without importing torch; None where torch is missing."""
    from importlib.metadata import PackageNotFoundError, version

    flags = cpu_flags()
    capability = os.environ.get("ATEN_CPU_CAPABILITY", "").lower()
    best_capability = "avx512" if flags >= _AVX512 else "avx2" if flags >= _AVX2 else "default"
    try:
        return _class(
            "cpu", _cpu_kernels(capability or best_capability, precision), version("torch"), threads, version("pillow")
        )
    except PackageNotFoundError:
        return None


def _cpu_kernels(capability: str, precision: str) -> str:
    return "amx" if precision == "bf16" and "amx_bf16" in cpu_flags() else capability


def _class(kind: str, kernels: str, torch: str, threads: int, pillow: str) -> str:
    versions = f"{kind}-{kernels}-torch{_minor(torch)}-threads{threads}-pillow{_minor(pillow)}"
    return "-".join([versions, *(f"{name}={value}" for name, value in arithmetic().items())])


def _minor(version: str) -> str:
    return ".".join(version.partition("+")[0].split(".", 2)[:2])
