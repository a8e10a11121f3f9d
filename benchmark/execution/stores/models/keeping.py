"""Keeping the model of a fit in a worker, and opening it again."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from msgspec import structs

from benchmark.execution import provenance
from benchmark.execution.processes.handover import Machine
from benchmark.execution.resuming import in_brief
from benchmark.execution.stores.models.kept_model import KeptModel
from benchmark.execution.stores.models.model_files import ModelContents, ModelFacts, read_model, write_model
from benchmark.paths import Folders
from benchmark.planning.types import Task
from methods.backbones.find import RANDOM, WeightsFile
from methods.backbones.find import find as find_weights
from methods.detector import FitContext, SelfContained
from methods.errors import MethodError
from methods.in_memory import MemoryCheckpoint
from methods.nn.data.loader import batches
from methods.registry import installed
from protocols.images.store import Images
from results.store import Store

if TYPE_CHECKING:
    from methods.detector import Detector

_MAPPED = 64
"""Training images whose heat maps are made at a time."""


def keep_model(
    task: Task,
    machine: Machine,
    detector: "Detector",
    context: FitContext,
    normals: Images,
    notify: Callable[[str], None],
) -> None:
    """Keep the model of a task's fit with its scores of the training normals; `notify` is told where that fails.

    What goes wrong costs the model alone: the records of the fit are stored by then.
    """
    try:
        _keep(task, machine, detector, context, normals)
    except Exception as error:  # noqa: BLE001 - whatever a detector does, the fit is done
        notify(f"the model of {task.fit.name} is not kept: {in_brief(error)}")


def _keep(task: Task, machine: Machine, detector: "Detector", context: FitContext, normals: Images) -> None:
    fit = task.fit
    info = installed.get(fit.method)
    state = detector.kept_state() if isinstance(detector, SelfContained) else detector.state()
    others = [name for name, value in state.items() if not isinstance(value, torch.Tensor)]
    if others:
        raise MethodError(f"the state of {fit.method} holds more than tensors: {', '.join(map(repr, others))}")
    identity = provenance.fit_identity(fit, machine)
    facts = ModelFacts(
        fit=fit.spec,
        method=fit.method,
        dataset=fit.dataset,
        channels=normals.channels,
        batch=task.keep.batch if task.keep and "evaluation.batch" in info.params else None,
        independent=info.scores_independently(fit.spec.params),
        weights={arch: file.label for arch, file in fit.weights.items()},
        threads=machine.threads,
        numerics_class=identity["numerics"],
        code_digest=identity["code"],
        package_version=machine.package_version,
    )
    loaded = KeptModel(ModelContents(facts, state, torch.empty(0)), scoring_context(context))
    scores = loaded.stored_scores(normals)
    if scores.shape != (len(normals),) or not np.isfinite(scores).all():
        raise MethodError("its scores of the training normals are not a finite number each")
    facts = structs.replace(facts, map_range=_map_range(loaded, normals))
    path = Store(machine.store).model_path(fit.key)
    write_model(path, ModelContents(facts, state, torch.from_numpy(scores.copy())))


def open_model(
    store: Store, fit_key: str, folders: Folders, *, weights: Sequence[str], device: str, threads: int | None = None
) -> KeptModel:
    """The kept model of a fit; `weights` are options as `--weights` has them, `threads` None those of its fit.

    Raises:
        MethodError: its ImageNet weights are not at hand, or others are given, or some to a model that needs none.
        ResultsError: the file cannot be read or is damaged.
    """
    contents = read_model(store.model_path(fit_key))
    facts = contents.facts
    if weights and set(facts.fit.weights.values()) <= {RANDOM}:
        raise MethodError(f"this model of {facts.method} was made without a file of weights: leave --weights out")
    files = {arch: _weights(arch, digest, facts, folders, weights) for arch, digest in facts.fit.weights.items()}
    context = FitContext(
        seed=facts.fit.seed,
        threads=threads or facts.threads,
        precision=facts.fit.precision,
        device=device,
        weights=files,
        checkpoint=MemoryCheckpoint(),
        progress=_unheard,
        artefact=_unheard,
    )
    return KeptModel(contents, context)


def scoring_context(context: FitContext) -> FitContext:
    """The context of a fit for scores that leave nothing and stop for nothing."""
    return replace(
        context,
        checkpoint=MemoryCheckpoint(),
        progress=_unheard,
        artefact=_unheard,
        deadline=None,
        epoch_done=None,
    )


def _unheard(*_: object, **__: object) -> None:
    pass


def _weights(arch: str, digest: str, facts: ModelFacts, folders: Folders, options: Sequence[str]) -> WeightsFile:
    """The file of weights with that digest."""
    if digest == RANDOM:
        return WeightsFile(arch, None, RANDOM, RANDOM)
    file = find_weights(
        arch, options=options, env=folders.weights, hub_dir=folders.hub, cache_dir=folders.cache, allow_auto=False
    )
    if file.digest != digest:
        raise MethodError(
            f"this model of {facts.method} was made on the weights {facts.weights.get(arch, digest[:8])} of {arch}, "
            f"and {file.label} are here: give the same file by --weights {arch}=FILE"
        )
    return file


def _map_range(model: KeptModel, normals: Images) -> tuple[float, float] | None:
    """The least and the greatest value of the heat maps of the training normals; None where there are no maps."""
    if not model.has_maps:
        return None
    try:
        maps = (model.stored_maps(normals.select(index)) for index in batches(len(normals), _MAPPED))
        ends = [(float(each.min()), float(each.max())) for each in maps]
    except MethodError:  # none with these parameters
        return None
    return min(least for least, _ in ends), max(greatest for _, greatest in ends)
