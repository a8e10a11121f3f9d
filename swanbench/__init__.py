"""Public interface for plug-ins and notebooks, under one name that no other file has.

Each name is loaded when it is first used, so that `import swanbench` takes no time and needs no torch. A detector is
a class with the methods of `Detector`; `check_detector(get_method("mine"))` is the battery that it must pass,
`check_dataset("mine", release)` that of a dataset; `results("runs")` is a data frame with one row a run,
`scores("runs")` one with a row an image, `cells("2", "runs")` one with a row a cell of Table 2; `load(run, "runs")`
is the detector that `bench run --keep-models` kept of a run; `judge_table(published, measured)` is `bench verdict`
for rows.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from swanbench.shadows import refuse_shadows

if TYPE_CHECKING:
    from benchmark import __version__ as __version__
    from methods.backbones.table import BACKBONES as BACKBONES
    from methods.checks import battery as battery
    from methods.checks import check_detector as check_detector
    from methods.detector import Checkpoint as Checkpoint
    from methods.detector import DeadlineReached as DeadlineReached
    from methods.detector import Detector as Detector
    from methods.detector import FitContext as FitContext
    from methods.detector import TrainData as TrainData
    from methods.errors import MethodError as MethodError
    from methods.registry.info import MethodInfo as MethodInfo
    from methods.registry.installed import get as get_method  # noqa: F401
    from methods.registry.installed import methods as methods
    from methods.registry.recipe import resolve as resolve_recipe  # noqa: F401
    from protocols.catalogue.dataset_checks import check_dataset as check_dataset
    from protocols.datasets.info import DatasetInfo as DatasetInfo
    from protocols.datasets.info import KnownRelease as KnownRelease
    from protocols.datasets.manifest import Row as Row
    from protocols.errors import DataError as DataError
    from protocols.images.store import Images as Images
    from protocols.release.builder import DatasetBuilder as DatasetBuilder
    from protocols.release.image_files import SourceImage as SourceImage
    from reports.errors import ReportError as ReportError
    from reports.judgement.judge import judge_table as judge_table
    from results.maintenance.export import frame as frame
    from results.metrics import METRICS as METRICS
    from results.metrics import Metric as Metric
    from results.record import Record as Record
    from swanbench.models import load_model as load  # noqa: F401
    from swanbench.notebooks import cells as cells
    from swanbench.notebooks import records as records
    from swanbench.notebooks import results as results
    from swanbench.notebooks import scores as scores

_HOMES = {
    "BACKBONES": "methods.backbones.table",
    "Checkpoint": "methods.detector",
    "DataError": "protocols.errors",
    "DatasetBuilder": "protocols.release.builder",
    "DatasetInfo": "protocols.datasets.info",
    "DeadlineReached": "methods.detector",
    "Detector": "methods.detector",
    "FitContext": "methods.detector",
    "Images": "protocols.images.store",
    "KnownRelease": "protocols.datasets.info",
    "METRICS": "results.metrics",
    "MethodError": "methods.errors",
    "MethodInfo": "methods.registry.info",
    "Metric": "results.metrics",
    "Record": "results.record",
    "ReportError": "reports.errors",
    "Row": "protocols.datasets.manifest",
    "SourceImage": "protocols.release.image_files",
    "TrainData": "methods.detector",
    "__version__": "benchmark",
    "battery": "methods.checks",
    "cells": "swanbench.notebooks",
    "check_dataset": "protocols.catalogue.dataset_checks",
    "check_detector": "methods.checks",
    "frame": "results.maintenance.export",
    "get_method": "methods.registry.installed:get",
    "judge_table": "reports.judgement.judge",
    "load": "swanbench.models:load_model",
    "methods": "methods.registry.installed",
    "records": "swanbench.notebooks",
    "resolve_recipe": "methods.registry.recipe:resolve",
    "results": "swanbench.notebooks",
    "scores": "swanbench.notebooks",
}
__all__ = sorted(_HOMES)  # noqa: PLE0605  # pyright: ignore[reportUnsupportedDunderAll] - one list of names is enough


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"swanbench has no {name!r}: it has {', '.join(_HOMES)}")
    module, _, attribute = _HOMES[name].partition(":")
    try:
        return getattr(import_module(module), attribute or name)
    except (ImportError, AttributeError) as error:
        refuse_shadows(error)
        raise


def __dir__() -> list[str]:
    return sorted(_HOMES)
