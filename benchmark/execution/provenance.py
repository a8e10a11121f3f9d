"""The code and the machine behind a number: versions, commit, digests of code, and the class of numerics."""

import functools
import hashlib
import platform
import subprocess
from datetime import datetime
from pathlib import Path

from benchmark import numerics
from benchmark.execution.processes.handover import Machine
from benchmark.planning.code_digest import digest_at_import
from benchmark.planning.costs.measured import FitCost, cost_kind
from benchmark.planning.types import PlannedFit, Task
from methods.registry import installed
from results.record import Provenance

PACKAGES = ("benchmark", "methods", "protocols", "results")
LIBRARIES = ("torch", "torchvision", "numpy", "scikit-learn", "pillow")


def fit_provenance(fit: PlannedFit, machine: Machine, started: datetime, evaluations: int) -> Provenance:
    """The provenance of a record of a fit that this process runs, begun at `started`, with so many test evaluations."""
    info = installed.get(fit.method)
    return Provenance(
        package_version=machine.package_version,
        git_commit=machine.git_commit,
        git_dirty=machine.git_dirty,
        code_digest=digest_at_import(info.module),
        numerics_class=_numerics_class(fit, machine),
        weights={arch: file.label for arch, file in fit.weights.items()},
        device=machine.device,
        cpu=numerics.cpu_name(),
        libraries=_library_versions(tuple(info.packages), info.package if info.is_plug_in else None),
        threads=machine.threads,
        started=started.isoformat(timespec="seconds"),
        test_evaluations=evaluations,
        environment=numerics.arithmetic(),
    )


def stopped_cost(fit: PlannedFit, machine: Machine, seconds: float | None) -> tuple[str, FitCost] | None:
    """Kind and cost of a fit that was stopped, whose steps foretold `seconds` of the whole; None where they did not."""
    if seconds is None:
        return None
    kind = cost_kind(fit.spec, cpu=numerics.cpu_name(), device=machine.device, threads=machine.threads)
    return kind, FitCost(
        run=None,
        numerics_class=_numerics_class(fit, machine),
        train=len(fit.train_normal) + len(fit.train_anomaly),
        test=0,
        fit_s=round(seconds, 3),
        score_s=0.0,
        memory_mib=peak_memory_mib(),
    )


def peak_memory_mib() -> float:
    """The most memory that this process had so far."""
    import resource

    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def fit_identity(fit: PlannedFit, machine: Machine) -> dict[str, str]:
    """Key, numerics class and code digest of a fit: a checkpoint or kept state is of use to it where all are equal."""
    return {
        "fit_key": fit.key,
        "numerics": _numerics_class(fit, machine),
        "code": digest_at_import(installed.get(fit.method).module),
    }


def feature_facts(fit: PlannedFit, machine: Machine) -> dict[str, str]:
    """What the feature maps of a fit's frozen networks depend on beside these networks and the images."""
    info = installed.get(fit.method)
    versions = _library_versions(tuple(info.packages), info.package if info.is_plug_in else None)
    return {
        "code": digest_at_import(info.module),
        "numerics": _numerics_class(fit, machine),
        "precision": fit.spec.precision,
        "processor": numerics.cpu_name(),
        "libraries": ", ".join(f"{name} {version}" for name, version in sorted(versions.items())),
    }


def other_code(task: Task, machine: Machine) -> str | None:
    """Reason not to make the runs of a task: the code of this worker is not that of the plan; None where it is."""
    if machine.code not in {None, installed_digest()}:
        return f"the worker on {platform.node()} has other code of swanbench: install the same there"
    info = installed.get(task.fit.method)
    if digest_at_import(info.module) != task.fit.code:
        return (
            f"the worker on {platform.node()} has other code of {info.id} than this call was planned with: run it "
            "again, with new workers where they are yours"
        )
    return None


def _numerics_class(fit: PlannedFit, machine: Machine) -> str:
    return numerics.numerics_class(device=machine.device, precision=fit.spec.precision, threads=machine.threads)


def commit() -> tuple[str | None, bool | None]:
    """Commit of the checkout that this package runs from and whether it was changed since; None where there is none."""
    this_file = Path(__file__)
    head = _git(this_file.parent, "rev-parse", "HEAD")
    if head is None or _git(this_file.parent, "ls-files", "--error-unmatch", this_file.name) is None:
        return None, None
    status = _git(this_file.parent, "status", "--porcelain", "--untracked-files=no")
    return head.strip(), bool(status)


@functools.cache
def installed_digest() -> str:
    """SHA-256 over the sources and recipes that a fit may use, as they are installed here."""
    whole = hashlib.sha256()
    root = Path(__file__).parents[2]
    for package in PACKAGES:
        for file in sorted(path for kind in ("py", "toml") for path in (root / package).rglob(f"*.{kind}")):
            content = file.read_bytes()
            whole.update(f"{file.relative_to(root).as_posix()}\n{len(content)}\n".encode() + content)
    return whole.hexdigest()


@functools.cache
def _library_versions(packages: tuple[str, ...], plug_in: str | None) -> dict[str, str]:
    """Versions of the libraries behind every number, of what installed the further `packages`, and of what offers the
    detectors of the package `plug_in`. Read once: a process keeps what it imported. Not to be changed.
    """
    from importlib.metadata import entry_points, packages_distributions, version

    distributions = packages_distributions() if packages else {}
    names = {name for package in packages for name in distributions.get(package, ())}
    versions = {name: version(name) for name in (*LIBRARIES, *sorted(names))}
    for point in entry_points(group=installed.GROUP) if plug_in else ():
        if point.dist is not None and point.module.partition(".")[0] == plug_in:
            versions[point.dist.name] = point.dist.version
    return versions


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
