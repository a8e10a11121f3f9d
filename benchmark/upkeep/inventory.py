"""Inventory for `bench doctor`: versions, machine, weights, datasets, plug-ins, extras; torch only where asked for."""

import platform
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, version
from pathlib import Path

from benchmark import numerics
from benchmark.errors import BenchError
from benchmark.execution.stores import feature_files
from benchmark.paths import Folders
from methods import devices
from methods.backbones.table import BACKBONES
from methods.errors import MethodError
from results.files import disk_size
from results.store import Store

DISTRIBUTION = "swanbench"
_LIBRARIES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn", "pandas", "pillow")

_SETS = {"avx2": "AVX2", "avx512f": "AVX-512", "avx512_bf16": "AVX-512 BF16", "amx_bf16": "AMX BF16"}
_REQUIREMENT = re.compile(r"\A([A-Za-z0-9._-]+)[^;]*(?:;.*extra == [\"']([\w.-]+)[\"'])?")


@dataclass(frozen=True)
class UsableWeights:
    """Usable weights of an architecture by label, best first; `needed_by` are the methods whose backbone it may be."""

    arch: str
    labels: tuple[str, ...]
    needed_by: tuple[str, ...]


@dataclass(frozen=True)
class UnusableWeights:
    """An unusable file of weights and the reason; `seen` False: only torch can tell."""

    path: str
    problem: str
    seen: bool


@dataclass(frozen=True)
class PlugIn:
    """An entry point of another package; `problem` is the reason that it cannot be used, else empty."""

    kind: str
    name: str
    value: str
    problem: str = ""


@dataclass(frozen=True)
class TorchState:
    """State of torch: its class of numerics, accelerators, and the fault of a small calculation, if it has one."""

    numerics_class: str
    accelerators: tuple[str, ...]
    trouble: str = ""


def library_versions() -> dict[str, str | None]:
    """Versions of Python, this package and the libraries behind every number; None for what is not installed."""
    import benchmark

    versions: dict[str, str | None] = {"python": platform.python_version(), DISTRIBUTION: benchmark.__version__}
    return versions | {name: _version(name) for name in _LIBRARIES}


def instruction_sets() -> tuple[str, ...]:
    """The instruction sets of this processor that kernels of torch are made for."""
    return tuple(name for flag, name in _SETS.items() if flag in devices.cpu_flags())


def weights_by_architecture(
    folders: Folders, *, deep: bool
) -> tuple[tuple[UsableWeights, ...], tuple[UnusableWeights, ...], str]:
    """Weights by architecture, unusable files, and the reason where nothing could be looked for, else an empty text."""
    from methods.backbones import find as files
    from methods.registry import installed

    problem = ""
    listed: tuple[files.FoundFile, ...] = ()
    try:
        listed = files.listing(env=folders.weights, hub_dir=folders.hub, cache_dir=folders.cache, look_inside=deep)
    except MethodError as error:
        problem = str(error)
    needed = {
        arch: tuple(info.id for info in installed.methods().values() if arch in info.capabilities.backbones)
        for arch in BACKBONES
    }
    usable = [item.weights for item in listed if item.weights is not None]
    named = [item.weights for item in listed if item.weights is not None and item.source == files.ENV]
    for arch in BACKBONES:
        problem = problem or files.several(arch, (file for file in named if file.arch == arch), files.ENV)
    labels = {
        arch: tuple(
            sorted({file.label for file in usable if file.arch == arch}, key=lambda label: not label.startswith("gen"))
        )
        for arch in BACKBONES
    }
    others = tuple(
        UnusableWeights(str(item.path), item.problem, item.was_read) for item in listed if item.weights is None
    )
    return tuple(UsableWeights(arch, labels[arch], needed[arch]) for arch in BACKBONES), others, problem


def dataset_states(data: Path) -> dict[str, str]:
    """State of each prepared dataset, and of those that prepare themselves."""
    from protocols.catalogue import data_folder
    from protocols.datasets.registry import dataset_infos

    embedded = (info.id for info in dataset_infos().values() if info.embedded)
    return {name: data_folder.dataset_state(data, name) for name in sorted({*data_folder.prepared(data), *embedded})}


def measured_kinds(cache: Path) -> int:
    """Kinds of fits of which a cost is kept."""
    from benchmark.planning.costs.decoding import DECODING_FILE
    from benchmark.planning.costs.measured import cost_files

    return sum(path.name != DECODING_FILE for path in cost_files(cache))


def feature_state(cache: Path) -> dict[str, int | None]:
    """Feature maps that are kept: folders, their bytes on the disk, and the most bytes that they may take; no `limit`
    where the variable holds no number.
    """
    kept = list(feature_files.kept_features(cache / feature_files.FEATURES))
    return {
        "folders": len(kept),
        "bytes": sum(folder.size for folder in kept),
        "limit": _feature_limit(),
    }


def _feature_limit() -> int | None:
    try:
        return feature_files.feature_limit()
    except BenchError:
        return None


def model_state(results: Path) -> dict[str, int]:
    """Kept models of a results folder: their number and their bytes."""
    paths = Store(results).kept_models().values() if results.is_dir() else ()
    return {"models": len(paths), "bytes": sum(map(disk_size, paths))}


def list_plug_ins() -> tuple[PlugIn, ...]:
    """Methods, datasets, suites, papers and trackers that other packages offer."""
    from benchmark.execution.listeners.trackers import TRACKER_GROUP
    from benchmark.planning import suite
    from methods.registry import installed
    from protocols.datasets.registry import DATASET_GROUP, discover_datasets
    from protocols.plugins import list_entry_points, unreadable_packages
    from reports.layouts import papers

    groups = {
        "methods": (installed.GROUP, installed.broken()),
        "datasets": (DATASET_GROUP, discover_datasets()[1]),
        "suites": (suite.SUITE_ENTRY_POINTS, suite.broken_suites()),
        "papers": (papers.PAPERS_GROUP, papers.broken_papers()),
        "trackers": (TRACKER_GROUP, {}),
    }
    listed = tuple(
        PlugIn(kind, point.name, point.value, broken.get(point.name, ""))
        for kind, (group, broken) in groups.items()
        for point in list_entry_points(group)
    )
    unreadable = unreadable_packages().items()
    return listed + tuple(PlugIn("package", name, "entry_points.txt", text) for name, text in unreadable)


def package_requirements() -> dict[str, dict[str, bool]]:
    """Requirements of this package by extra (`""`: always needed): distribution -> is it installed."""
    try:
        lines = metadata(DISTRIBUTION).get_all("Requires-Dist") or []
    except PackageNotFoundError:
        return {}
    by_extra: dict[str, dict[str, bool]] = {}
    for line in lines:
        match = _REQUIREMENT.match(line)
        if match is not None:
            by_extra.setdefault(match[2] or "", {})[match[1]] = _version(match[1]) is not None
    return by_extra


def lacking_methods() -> tuple[str, ...]:
    """One sentence for each method whose own packages are not installed."""
    from methods.registry import installed

    return tuple(text for info in installed.methods().values() if (text := info.lacking()))


def examine_torch(precision: str, threads: int) -> TorchState:
    """Ask torch, and let it calculate a little."""
    try:
        names = devices.accelerator_names()
    except (ImportError, OSError) as error:
        return TorchState("", (), f"torch cannot be imported ({error}): install it again")
    trouble = _miscalculation(precision)
    return TorchState(numerics.numerics_class(device="cpu", precision=precision, threads=threads), names, trouble)


def _miscalculation(precision: str) -> str:
    """Fault of a small convolution in this precision, also with NaN in it; empty if all is well."""
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
