"""What `bench doctor` looks at: versions, machine, weights, datasets, plug-ins, extras. Without torch unless asked."""

import platform
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, version
from pathlib import Path

from benchmark import numerics
from benchmark.paths import Folders
from methods import devices
from methods.backbones.table import BACKBONES
from methods.errors import MethodError

DISTRIBUTION = "swanbench"
LIBRARIES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn", "pandas", "pillow")

_SETS = {"avx2": "AVX2", "avx512f": "AVX-512", "avx512_bf16": "AVX-512 BF16", "amx_bf16": "AMX BF16"}
_REQUIREMENT = re.compile(r"\A([A-Za-z0-9._-]+)[^;]*(?:;.*extra == [\"']([\w.-]+)[\"'])?")


@dataclass(frozen=True)
class Weights:
    """Usable weights of an architecture by label, best first; `needed_by` are the methods whose backbone it may be."""

    arch: str
    labels: tuple[str, ...]
    needed_by: tuple[str, ...]


@dataclass(frozen=True)
class WeightsFile:
    """A file that is no usable weights, and why; `seen` is False where only torch could tell."""

    path: str
    problem: str
    seen: bool


@dataclass(frozen=True)
class PlugIn:
    """An entry point of another package; `problem` says why it cannot be used, if that is so."""

    kind: str
    name: str
    value: str
    problem: str = ""


@dataclass(frozen=True)
class Torch:
    """What torch itself says: its class of numerics, accelerators, and what is wrong with a small calculation."""

    numerics_class: str
    accelerators: tuple[str, ...]
    trouble: str = ""


def versions() -> dict[str, str | None]:
    """Versions of Python, this package and the libraries behind every number; None for what is not installed."""
    import benchmark

    found: dict[str, str | None] = {"python": platform.python_version(), DISTRIBUTION: benchmark.__version__}
    return found | {name: _version(name) for name in LIBRARIES}


def instruction_sets() -> tuple[str, ...]:
    """The instruction sets of this processor that kernels of torch are made for."""
    return tuple(name for flag, name in _SETS.items() if flag in devices.cpu_flags())


def weights(where: Folders, *, deep: bool) -> tuple[tuple[Weights, ...], tuple[WeightsFile, ...], str]:
    """Weights by architecture, the files that are none, and why nothing could be looked for, if that is so."""
    from methods.backbones import find as files
    from methods.registry import installed

    problem = ""
    found: tuple[files.Found, ...] = ()
    try:
        found = files.listing(env=where.weights, hub_dir=where.hub, cache_dir=where.cache, look_inside=deep)
    except MethodError as error:
        problem = str(error)
    needed = {
        arch: tuple(info.id for info in installed.methods().values() if arch in info.capabilities.backbones)
        for arch in BACKBONES
    }
    usable = [one.weights for one in found if one.weights is not None]
    named = [one.weights for one in found if one.weights is not None and one.source == files.ENV]
    for arch in BACKBONES:
        problem = problem or files.several(arch, (file for file in named if file.arch == arch), files.ENV)
    labels = {
        arch: tuple(
            sorted({file.label for file in usable if file.arch == arch}, key=lambda label: not label.startswith("gen"))
        )
        for arch in BACKBONES
    }
    others = tuple(WeightsFile(str(one.path), one.problem, one.seen) for one in found if one.weights is None)
    return tuple(Weights(arch, labels[arch], needed[arch]) for arch in BACKBONES), others, problem


def datasets(data: Path) -> dict[str, str]:
    """State of each prepared dataset, and of those that prepare themselves."""
    from protocols.catalogue import data_folder
    from protocols.datasets.registry import dataset_infos

    embedded = (info.id for info in dataset_infos().values() if info.embedded)
    return {name: data_folder.dataset_state(data, name) for name in sorted({*data_folder.prepared(data), *embedded})}


def plug_ins() -> tuple[PlugIn, ...]:
    """Methods, datasets, suites and papers that other packages offer."""
    from benchmark.planning import suite
    from methods.registry import installed
    from protocols.datasets.registry import DATASET_GROUP, discover_datasets
    from protocols.plugins import list_entry_points, unreadable_packages
    from reports.tables import papers

    groups = {
        "methods": (installed.GROUP, installed.broken()),
        "datasets": (DATASET_GROUP, discover_datasets()[1]),
        "suites": (suite.ENTRY_POINTS, suite.broken()),
        "papers": (papers.PAPERS_GROUP, papers.broken_papers()),
    }
    listed = tuple(
        PlugIn(kind, point.name, point.value, broken.get(point.name, ""))
        for kind, (group, broken) in groups.items()
        for point in list_entry_points(group)
    )
    unreadable = unreadable_packages().items()
    return listed + tuple(PlugIn("package", name, "entry_points.txt", text) for name, text in unreadable)


def requirements() -> dict[str, dict[str, bool]]:
    """What this package asks for, by extra (`""` is what it cannot do without): the distribution -> is it installed."""
    try:
        lines = metadata(DISTRIBUTION).get_all("Requires-Dist") or []
    except PackageNotFoundError:
        return {}
    asked: dict[str, dict[str, bool]] = {}
    for line in lines:
        found = _REQUIREMENT.match(line)
        if found is not None:
            asked.setdefault(found[2] or "", {})[found[1]] = _version(found[1]) is not None
    return asked


def lacking_methods() -> tuple[str, ...]:
    """One sentence for each method whose own packages are not installed."""
    from methods.registry import installed

    return tuple(text for info in installed.methods().values() if (text := info.lacking()))


def torch(precision: str, threads: int) -> Torch:
    """Ask torch, and let it calculate a little."""
    try:
        names = devices.accelerator_names()
    except (ImportError, OSError) as error:
        return Torch("", (), f"torch cannot be imported ({error}): install it again")
    trouble = _miscalculation(precision)
    return Torch(numerics.numerics_class(device="cpu", precision=precision, threads=threads), names, trouble)


def _miscalculation(precision: str) -> str:
    """What is wrong with a small convolution in this precision, and with NaN in it; nothing if all is well."""
    import torch as library

    image = library.linspace(-1, 1, 3 * 32 * 32).reshape(1, 3, 32, 32)
    kernel = library.linspace(-1, 1, 8 * 3 * 3 * 3).reshape(8, 3, 3, 3)
    exact = library.nn.functional.conv2d(image.double(), kernel.double())
    try:
        with library.no_grad(), library.autocast("cpu", dtype=library.bfloat16, enabled=precision == "bf16"):
            got = library.nn.functional.conv2d(image, kernel)
            lost = library.nn.functional.conv2d(image * library.nan, kernel)
    except RuntimeError as error:
        return f"a small convolution in {precision} fails ({str(error).splitlines()[0]}): pass the other --precision"
    if not (got.double() - exact).abs().max() <= 0.05 * exact.abs().max():
        return f"a small convolution in {precision} gives wrong numbers: pass the other --precision"
    if not library.isnan(lost).all():
        return f"a small convolution in {precision} loses NaN, which would hide fits that diverge: install torch again"
    return ""


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
