"""Result files: one a machine, precision and torch, in which a ratio is replaced when it is measured again."""

import platform
import re
from pathlib import Path

import msgspec

from benchmark.numerics import cores, cpu_name, numerics_class
from methods.devices import CPU, NATIVE_BF16, cpu_flags
from perf.ratios import Ratio
from results.files import write_atomic

RESULTS = Path(__file__).parent / "results"
SCHEMA = 1
Parts = dict[str, list[Ratio]]
NEXT_STEP = "give a file that `python -m perf run` wrote"


class MachineResult(msgspec.Struct, frozen=True, kw_only=True):
    """Parts measured on one machine.

    `kernels` is how it computes the native precision, `numerics` the class of a fit with one thread in that.
    """

    schema: int
    processor: str
    cores: int
    precision: str
    kernels: str
    numerics: str
    versions: dict[str, str]
    parts: Parts

    @property
    def name(self) -> str:
        """Name of its file without the ending: processor, how it computes the native precision, torch."""
        processor = re.sub(r"[^a-z0-9]+", "-", self.processor.lower()).strip("-")
        return f"{processor}-{self.kernels}-torch{self.versions['torch'].partition('+')[0]}"

    def ratio_rows(self) -> dict[str, Ratio]:
        """All ratios by `PART/NAME over OVER`."""
        return {
            f"{part}/{ratio.name} over {ratio.over}": ratio for part, ratios in self.parts.items() for ratio in ratios
        }


def measured_here(parts: Parts) -> MachineResult:
    """The result of this machine with these parts."""
    import numpy as np
    import PIL
    import torch

    precision = CPU.native_precision
    native = sorted(cpu_flags() & NATIVE_BF16) if precision == "bf16" else []
    versions = {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "pillow": PIL.__version__,
    }
    return MachineResult(
        schema=SCHEMA,
        processor=cpu_name(),
        cores=cores(),
        precision=precision,
        kernels="amx_bf16" if "amx_bf16" in native else (native or [precision])[0],
        numerics=numerics_class(device="cpu", precision=precision, threads=1),
        versions=versions,
        parts=parts,
    )


def read_result(path: Path) -> MachineResult:
    """The result in a file; SystemExit where there is none that can be read."""
    try:
        result = msgspec.json.decode(path.read_bytes(), type=MachineResult)
    except OSError as error:
        raise SystemExit(f"{path} cannot be read ({error.strerror}): {NEXT_STEP}") from None
    except msgspec.MsgspecError as error:
        raise SystemExit(f"{path} is no result of perf ({error}): {NEXT_STEP}") from None
    if result.schema != SCHEMA:
        raise SystemExit(f"{path} has schema {result.schema}, this is {SCHEMA}: measure again")
    return result


def joined_parts(old: Parts, new: Parts) -> Parts:
    """The parts of both, a ratio of the same name in its old place with its new value."""
    joined = {name: {(ratio.name, ratio.over): ratio for ratio in ratios} for name, ratios in old.items()}
    for name, ratios in new.items():
        joined.setdefault(name, {}).update({(ratio.name, ratio.over): ratio for ratio in ratios})
    return {name: list(ratios.values()) for name, ratios in sorted(joined.items())}


def write_result(path: Path, result: MachineResult) -> None:
    """Write a result; ratios that only the file has stay, if they are of the same machine and versions."""
    if path.exists():
        old = read_result(path)
        if (old.processor, old.numerics, old.versions) != (result.processor, result.numerics, result.versions):
            raise SystemExit(f"{path} is of another machine or other versions: give --output another name")
        result = msgspec.structs.replace(result, parts=joined_parts(old.parts, result.parts))
    path.parent.mkdir(parents=True, exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(result, order="sorted"), indent=1)
    write_atomic(path, text + b"\n")


def stored_results() -> list[MachineResult]:
    """The results that are kept with the source, by name."""
    return [read_result(path) for path in sorted(RESULTS.glob("*.json"))]
