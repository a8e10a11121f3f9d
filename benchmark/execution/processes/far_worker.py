"""Workers on other machines, which may not see the folders of the call: they say what they lack, work in their own
folders, and give back the files that a fit leaves.
"""

import platform
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmark.execution.processes.handover import Machine, Outcome
from benchmark.paths import Folders, resolve_folders
from benchmark.planning.types import PlannedFit, Task
from methods.backbones.find import WeightsFile, listing
from methods.errors import MethodError
from methods.measures.request import Measures
from protocols.catalogue import data_folder
from protocols.errors import DataError
from results.files import write_atomic
from results.store import Store

FAR_FOLDER = "far"
"""Folder within a worker's cache, with a results folder for each fit of a call whose own it does not see."""

Execute = Callable[..., Outcome]
"""`worker.execute(task, machine, again=, failure=)`."""
FitFiles = tuple[tuple[str, bytes], ...]
"""Paths within a results folder and contents."""


@dataclass(frozen=True)
class Proof:
    """A file in the results folder of a call: who reads the same text there shares the folder."""

    path: Path
    text: str

    @property
    def is_seen(self) -> bool:
        try:
            return self.path.read_text(encoding="utf-8") == self.text
        except (OSError, ValueError):
            return False


@dataclass(frozen=True)
class Needs:
    """Needs of the fits of a call: fingerprints of data sets by name, and digests of weights by architecture."""

    datasets: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FarResult:
    """Outcome of a fit, and the files that it left."""

    outcome: Outcome
    files: FitFiles = ()


def shares_folders(proof: Proof, data: Path) -> bool:
    """True where this machine sees the results folder of the call and its data folder."""
    return proof.is_seen and data.is_dir()


def lacks(needs: Needs, data: Path | None) -> str | None:
    """One sentence on what this machine lacks; `data` is the data folder that it shares with the call, else its own."""
    folders = resolve_folders()
    host, data_dir = platform.node(), data or folders.data
    for name, fingerprint in needs.datasets.items():
        try:
            own_fingerprint = data_folder.open_dataset(data_dir, name).fingerprint
        except DataError as error:
            return f"the worker on {host} lacks a data set: {error}"
        if own_fingerprint != fingerprint:
            text = f"other images or labels of {name} ({own_fingerprint[:12]} in {data_dir}, here {fingerprint[:12]})"
            return f"the worker on {host} has {text}: prepare the same release there"
    if data is None:
        for arch, digest in needs.weights.items():
            if not _own_weights(digest, folders):
                return (
                    f"the worker on {host} lacks the weights of {arch} with SHA-256 {digest[:12]}: "
                    "set BENCH_WEIGHTS to them there"
                )
    return None


def execute_sharing(execute: Execute, proof: Proof, task: Task, machine: Machine, **named: object) -> Outcome:
    """Execute a task in the folders of the call; a worker that came later may not see them."""
    if not shares_folders(proof, machine.data):
        text = f"the worker on {platform.node()} does not see {proof.path.parent.parent} and {machine.data}"
        return Outcome("stopped", f"{text}: run again, and what it makes is sent back")
    return execute(task, machine, **named)


def execute_far(execute: Execute, task: Task, machine: Machine, files: FitFiles, **named: object) -> FarResult:
    """Execute a task in folders of this machine, from `files` of the call: kept states and a checkpoint."""
    folders = resolve_folders()
    store = Store(folders.cache.absolute() / FAR_FOLDER / task.key)
    own_machine = replace(machine, data=folders.data.absolute(), cache=folders.cache.absolute(), store=store.root)
    try:
        _check_images(task, own_machine)
        own_task = replace(task, fit=_with_own_weights(task.fit, folders))
    except (DataError, MethodError) as error:
        return FarResult(Outcome("blocked", f"the worker on {platform.node()}: {error}"))
    for name, content in files:
        if not (store.root / name).exists():
            write_atomic(store.root / name, content)
    outcome = execute(own_task, own_machine, **named)
    if outcome.reason is not None:
        outcome = replace(outcome, reason=outcome.reason.replace(str(store.root), str(machine.store)))
    if outcome.state == "busy":
        return FarResult(outcome)
    result = FarResult(outcome, _left_files(store, task))
    shutil.rmtree(store.root, ignore_errors=True)
    return result


def files_of_fit(store: Store, task: Task) -> list[Path]:
    """Paths of what a task may go on from: its checkpoint, its kept state and that of its source."""
    fit_keys = [key for key in (task.key, task.source_key) if key is not None]
    states = [store.root / "fits" / f"{key}{ending}" for key in fit_keys for ending in (".pt", ".json")]
    return [store.checkpoint_path(task.key), *states]


def result_files(store: Store, task: Task) -> list[Path]:
    """Paths of all that a task leaves but artefacts: scores before the records that they belong to."""
    keys = [run.spec.key for run in task.runs]
    fit_files = [path for path in files_of_fit(store, task) if task.key in path.name]
    tracebacks = [store.traceback_path(key) for key in (*keys, task.key)]
    models = [store.model_path(task.key)] if task.keep else []
    return [*fit_files, *models, *tracebacks, *map(store.scores_path, keys), *map(store.record_path, keys)]


def read_files(store: Store, paths: list[Path]) -> FitFiles:
    """Those of the files that are there, by their paths in the store."""
    return tuple((path.relative_to(store.root).as_posix(), path.read_bytes()) for path in paths if path.is_file())


def _left_files(store: Store, task: Task) -> FitFiles:
    artefacts = store.artefacts_path(task.key)
    inside = sorted(path for path in artefacts.glob("[!.]*") if not path.is_symlink()) if artefacts.is_dir() else []
    return read_files(store, [*inside, *result_files(store, task)])


def _check_images(task: Task, machine: Machine) -> None:
    """Raise DataError where files are no longer those of this machine's manifests."""
    from protocols.catalogue.replaced import refuse_replaced

    for name in dict.fromkeys(key.dataset for key in task.image_stores):
        refuse_replaced(data_folder.open_dataset(machine.data, name), machine.cache, jobs=machine.threads)


def _own_weights(digest: str, folders: Folders) -> WeightsFile | None:
    """The weights with that digest among those of this machine."""
    try:
        listed = listing(env=folders.weights, hub_dir=folders.hub, cache_dir=folders.cache)
    except MethodError:
        return None
    return next((item.weights for item in listed if item.weights and item.weights.digest == digest), None)


def _with_own_weights(fit: PlannedFit, folders: Folders) -> PlannedFit:
    """The fit with the paths of this machine's weights. Raises MethodError where they are not here."""
    measures = Measures(fit.measures.params, _replaced(fit.measures.weights, folders))
    return replace(fit, weights=_replaced(fit.weights, folders), measures=measures)


def _replaced(weights: Mapping[str, WeightsFile], folders: Folders) -> dict[str, WeightsFile]:
    own_files = {}
    for arch, file in weights.items():
        own_file = file if file.path is None else _own_weights(file.digest, folders)
        if own_file is None:
            raise MethodError(f"no weights of {arch} with SHA-256 {file.digest[:12]}: set BENCH_WEIGHTS to them there")
        own_files[arch] = WeightsFile(arch, own_file.path, file.digest, file.label)
    return own_files
