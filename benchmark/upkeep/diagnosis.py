"""Findings on a machine that hinder runs or that a person should know: a sentence each, with the next step."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmark import numerics
from benchmark.errors import BenchError
from benchmark.execution.stores.feature_files import feature_limit
from benchmark.upkeep.filesystem import FolderState
from benchmark.upkeep.inventory import PlugIn, TorchState, UnusableWeights, UsableWeights
from benchmark.upkeep.memory import MachineLimits
from protocols.text import size_in_words

FULL = 100 * 2**20
LITTLE = 2 * 2**30
"""Bytes of disk below which no run should start, and bytes of disk or memory below which one may come to nothing."""

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
BINDING = ("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY")


@dataclass(frozen=True)
class Finding:
    """A sentence; `hinders`: runs come to nothing until it is mended."""

    hinders: bool
    text: str


def package_findings(requirements: Mapping[str, Mapping[str, bool]], plug_ins: tuple[PlugIn, ...]) -> Iterator[Finding]:
    """Packages that are missing, plug-ins that cannot be used."""
    for name, installed in requirements.get("", {}).items():
        if not installed:
            yield Finding(hinders=True, text=f"{name} is not installed: pip install swanbench brings it")
    for plug_in in plug_ins:
        if plug_in.problem:
            text = f"the plug-in {plug_in.name} ({plug_in.kind}, {plug_in.value}) is left out: {plug_in.problem}"
            yield Finding(hinders=False, text=text)


def folder_findings(folder: FolderState) -> Iterator[Finding]:
    """A folder that cannot be written, is full, or lies where locks may not reach."""
    another = (
        "choose another with --results" if folder.name == "results" else f"set BENCH_{folder.name.upper()} to another"
    )
    subject = f"the {folder.name} folder {folder.path}"
    if folder.is_file:
        yield Finding(hinders=True, text=f"{subject} is a file: {another}")
        return
    if not folder.writable and folder.name == "data" and folder.there:
        text = f"{subject} cannot be written, so that only what is prepared there can be used: else {another}"
        yield Finding(hinders=False, text=text)
        return
    if not folder.writable:
        yield Finding(hinders=True, text=f"{subject} cannot be written: make it writable, or {another}")
        return
    if folder.free < FULL:
        yield Finding(hinders=True, text=f"{subject} has {size_in_words(folder.free)} free: make room, or {another}")
    elif folder.free < LITTLE:
        yield Finding(
            hinders=False, text=f"{subject} has little room, {size_in_words(folder.free)}: make some, or {another}"
        )
    if folder.locks is False:
        text = f"locks do not work in {subject}, so that two calls would do the same fit: {another} on a local disk"
        yield Finding(hinders=True, text=text)
    elif folder.by_files:
        text = (
            f"there are no locks in {subject}: a call that is killed on another machine leaves claims that have to be "
            f"removed by hand, which bench run names: {another} on a local disk"
        )
        yield Finding(hinders=False, text=text)
    elif folder.is_network and folder.name == "results":
        text = (
            f"{subject} is on a network file system ({folder.system}), where locks may not reach other machines: let "
            "one machine at a time run there, or give each its own and use bench results merge"
        )
        yield Finding(hinders=False, text=text)
    elif folder.is_network and folder.name == "cache":
        text = (
            f"{subject} is on a network file system ({folder.system}), which slows every fit: {another} on a local disk"
        )
        yield Finding(hinders=False, text=text)


def weights_findings(
    weights: tuple[UsableWeights, ...], files: tuple[UnusableWeights, ...], problem: str, named: str | None
) -> Iterator[Finding]:
    """Weights that are missing, and files that stop a run. `named` is the value of BENCH_WEIGHTS."""
    from methods.backbones.table import genuine_files

    if problem:
        yield Finding(hinders=True, text=problem)
        return
    for file in files:
        if not file.seen:
            text = f"{file.path} was not looked into yet, which needs torch: bench doctor --deep does"
            yield Finding(hinders=False, text=text)
        elif Path(file.path).name in {published.name for _, published in genuine_files()} or file.path == named:
            yield Finding(hinders=True, text=file.problem)
    unseen = any(not file.seen for file in files)
    backbones = [usable for usable in weights if usable.needed_by]
    if not unseen and not any(usable.labels for usable in backbones):
        text = (
            "no weights are found, so that only recipe quick and --weights random run: set BENCH_WEIGHTS to a file or "
            f"folder, or bench weights fetch {max(backbones, key=lambda usable: len(usable.needed_by)).arch}"
        )
        yield Finding(hinders=False, text=text)
        return
    for usable in backbones:
        if not usable.labels and not unseen:
            text = f"no weights of {usable.arch}, which {', '.join(usable.needed_by)} may need"
            yield Finding(hinders=False, text=f"{text}: bench weights fetch {usable.arch}")
        elif usable.labels and not usable.labels[0].startswith("genuine:"):
            label = usable.labels[0]
            text = f"the weights of {usable.arch} are {label}, so that what they measure counts as not comparable"
            yield Finding(hinders=False, text=f"{text}: bench weights fetch {usable.arch}")


def dataset_findings(states: Mapping[str, str]) -> Iterator[Finding]:
    """Prepared datasets that cannot be read."""
    for name, state in states.items():
        if state == "damaged":
            text = f"the prepared dataset {name} is damaged: bench data verify {name} says where, or prepare it again"
            yield Finding(hinders=True, text=text)


def machine_findings(limits: MachineLimits, expected: str | None, torch: TorchState | None) -> Iterator[Finding]:
    """Little memory, a torch that calculates wrong, another class of numerics than expected."""
    if limits.memory and limits.free < LITTLE:
        text = f"{size_in_words(limits.free)} of memory are free: end other programs, and run with --jobs 1"
        yield Finding(hinders=False, text=text)
    if torch is not None and torch.trouble:
        yield Finding(hinders=True, text=torch.trouble)
    if torch is not None and torch.numerics_class and expected and torch.numerics_class != expected:
        text = f"torch's class of numerics is {torch.numerics_class}, not {expected}: results keep torch's"
        yield Finding(hinders=False, text=text)


def environment_findings() -> Iterator[Finding]:
    """Environment variables that change threads or results but enter no key, or hold what no run can use."""
    texts = {
        THREADS: "fits do not go by it but by --threads (default: 1)",
        BINDING: "it may bind the threads of several workers to the same cores; unset it before --jobs above 1",
        numerics.ARITHMETIC: "it changes the numbers of fits, which get a numerics class of their own; unset it",
    }
    for names, text in texts.items():
        for name in names:
            if os.environ.get(name):
                yield Finding(hinders=False, text=f"{name}={os.environ[name]} is set: {text}")
    try:
        feature_limit()
    except BenchError as error:
        yield Finding(hinders=True, text=str(error))
