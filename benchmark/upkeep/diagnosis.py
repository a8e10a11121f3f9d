"""What of a machine's state hinders runs, and what a person should know: one sentence each, with the next step."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmark import numerics
from benchmark.upkeep.filesystem import Place
from benchmark.upkeep.inventory import PlugIn, Torch, Weights, WeightsFile
from benchmark.upkeep.memory import Limits
from protocols.text import size_in_words

FULL = 100 * 2**20
LITTLE = 2 * 2**30
"""Bytes of disk below which no run should start, and bytes of disk or memory below which one may come to nothing."""

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
BINDING = ("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY")


@dataclass(frozen=True)
class Finding:
    """A sentence; `hinders` says that runs come to nothing until it is mended."""

    hinders: bool
    text: str


def of_packages(requirements: Mapping[str, Mapping[str, bool]], plug_ins: tuple[PlugIn, ...]) -> Iterator[Finding]:
    """Packages that are missing, plug-ins that cannot be used."""
    for name, installed in requirements.get("", {}).items():
        if not installed:
            yield Finding(hinders=True, text=f"{name} is not installed: pip install swanbench brings it")
    for one in plug_ins:
        if one.problem:
            text = f"the plug-in {one.name} ({one.kind}, {one.value}) is left out: {one.problem}"
            yield Finding(hinders=False, text=text)


def of_place(place: Place) -> Iterator[Finding]:
    """A folder that cannot be written, is full, or lies where locks may not reach."""
    other = "choose another with --results" if place.name == "results" else f"set BENCH_{place.name.upper()} to another"
    what = f"the {place.name} folder {place.path}"
    if place.is_file:
        yield Finding(hinders=True, text=f"{what} is a file: {other}")
        return
    if not place.writable and place.name == "data" and place.there:
        text = f"{what} cannot be written, so that only what is prepared there can be used: else {other}"
        yield Finding(hinders=False, text=text)
        return
    if not place.writable:
        yield Finding(hinders=True, text=f"{what} cannot be written: make it writable, or {other}")
        return
    if place.free < FULL:
        yield Finding(hinders=True, text=f"{what} has {size_in_words(place.free)} free: make room, or {other}")
    elif place.free < LITTLE:
        yield Finding(hinders=False, text=f"{what} has little room, {size_in_words(place.free)}: make some, or {other}")
    if place.locks is False:
        text = f"locks do not work in {what}, so that two calls would do the same fit: {other} on a local disk"
        yield Finding(hinders=True, text=text)
    elif place.by_files:
        text = (
            f"there are no locks in {what}: a call that is killed on another machine leaves claims that have to be "
            f"removed by hand, which bench run names: {other} on a local disk"
        )
        yield Finding(hinders=False, text=text)
    elif place.is_network and place.name == "results":
        text = (
            f"{what} is on a network file system ({place.system}), where locks may not reach other machines: let one "
            "machine at a time run there, or give each its own and use bench results merge"
        )
        yield Finding(hinders=False, text=text)
    elif place.is_network and place.name == "cache":
        text = f"{what} is on a network file system ({place.system}), which slows every fit: {other} on a local disk"
        yield Finding(hinders=False, text=text)


def of_weights(
    weights: tuple[Weights, ...], files: tuple[WeightsFile, ...], problem: str, named: str | None
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
    backbones = [one for one in weights if one.needed_by]
    if not unseen and not any(one.labels for one in backbones):
        text = (
            "no weights are found, so that only recipe quick and --weights random run: set BENCH_WEIGHTS to a file or "
            f"folder, or bench weights fetch {max(backbones, key=lambda one: len(one.needed_by)).arch}"
        )
        yield Finding(hinders=False, text=text)
        return
    for one in backbones:
        if not one.labels and not unseen:
            text = f"no weights of {one.arch}, which {', '.join(one.needed_by)} may need"
            yield Finding(hinders=False, text=f"{text}: bench weights fetch {one.arch}")
        elif one.labels and not one.labels[0].startswith("genuine:"):
            text = f"the weights of {one.arch} are {one.labels[0]}, so that what they measure counts as not comparable"
            yield Finding(hinders=False, text=f"{text}: bench weights fetch {one.arch}")


def of_datasets(states: Mapping[str, str]) -> Iterator[Finding]:
    """Prepared datasets that cannot be read."""
    for name, state in states.items():
        if state == "damaged":
            text = f"the prepared dataset {name} is damaged: bench data verify {name} says where, or prepare it again"
            yield Finding(hinders=True, text=text)


def of_machine(limits: Limits, expected: str | None, torch: Torch | None) -> Iterator[Finding]:
    """Little memory, and what torch says of itself."""
    if limits.memory and limits.free < LITTLE:
        text = f"{size_in_words(limits.free)} of memory are free: end other programs, and run with --jobs 1"
        yield Finding(hinders=False, text=text)
    if torch is not None and torch.trouble:
        yield Finding(hinders=True, text=torch.trouble)
    if torch is not None and torch.numerics_class and expected and torch.numerics_class != expected:
        text = f"torch's class of numerics is {torch.numerics_class}, not {expected}: results keep torch's"
        yield Finding(hinders=False, text=text)


def of_environment() -> Iterator[Finding]:
    """Variables that change threads or numbers behind the back of keys."""
    texts = {
        THREADS: "fits do not go by it but by --threads (default: cores / jobs)",
        BINDING: "it may bind the threads of several workers to the same cores; unset it before --jobs above 1",
        numerics.ARITHMETIC: "it changes the numbers of fits, which get a numerics class of their own; unset it",
    }
    for names, text in texts.items():
        for name in names:
            if os.environ.get(name):
                yield Finding(hinders=False, text=f"{name}={os.environ[name]} is set: {text}")
