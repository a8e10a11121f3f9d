"""Data classes of a plan: runs with their states, the fits behind them, and the tasks that workers execute."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from benchmark.planning.suite import Suite, WantedRun
from methods.backbones.find import WeightsFile
from methods.devices import CPU, Device
from methods.measures.request import NONE, Measures, lacking
from protocols.splits.draw.steps import Ids
from protocols.splits.split import Split
from protocols.values import ParamValue
from results.record import Record
from results.spec import Evaluation, FitSpec, RunSpec

RunState = Literal["cached", "missing", "failed", "blocked", "stale"]
"""`stale`: stored, but made by other code of a plug-in than is installed."""


@dataclass(frozen=True)
class RunRequest:
    """Settings for all runs of a plan; None leaves the suite's or the machine's own choice.

    `sets` are parameters by method; of those in `sweeps` every value is run, each with each of the method's others.

    `audit`: the test images are scored after every epoch, into records that no table counts.
    """

    recipe: str | None = None
    sets: Mapping[str, Mapping[str, ParamValue]] = field(default_factory=dict)
    sweeps: Mapping[str, Mapping[str, Sequence[ParamValue]]] = field(default_factory=dict)
    split_options: Mapping[str, Any] = field(default_factory=dict)
    weights: Sequence[str] = ()
    precision: str | None = None
    device: Device = CPU
    accept_stale_code: bool = False
    audit: bool = False


@dataclass(frozen=True)
class Part:
    """Images of one prepared dataset that belong to a pool."""

    dataset: str
    ids: Ids


@dataclass(frozen=True)
class PlannedFit:
    """One training and all that a worker needs for it.

    `name` is for people; `notes` go into the records; `reusable` says that its state alone scores any test list, so
    that it is worth keeping; `source` is the fit whose state this one starts from; `measures` are taken beside it;
    `code` is the digest of the detector's installed code; `takes_native_images`: it is given the training normals at
    their own sizes too.
    """

    spec: FitSpec
    name: str
    method: str
    dataset: str
    train_normal: Ids
    train_anomaly: Ids
    pools: Mapping[str, tuple[Part, ...]]
    weights: Mapping[str, WeightsFile]
    reusable: bool
    code: str
    notes: tuple[str, ...] = ()
    source: "PlannedFit | None" = None
    measures: Measures = NONE
    takes_native_images: bool = False

    @property
    def key(self) -> str:
        return self.spec.fit_key


@dataclass(frozen=True)
class PlannedRun:
    """One wanted run: its state, the reason where it is blocked; all that a worker needs of it where it is not.

    `is_refused`: the command line blocks it, not what this machine lacks.
    """

    wanted_run: WantedRun
    state: RunState
    reason: str | None = None
    spec: RunSpec | None = None
    split: Split | None = None
    evaluation: Evaluation | None = None
    fit: PlannedFit | None = None
    record: Record | None = None
    is_refused: bool = False

    @property
    def is_of_other_code(self) -> bool:
        """True where the stored record was made by other code of the detector than is installed."""
        provenance = self.record.provenance if self.record and self.record.status == "done" else None
        return bool(provenance and self.fit and provenance.code_digest != self.fit.code)

    @property
    def lacks_measure(self) -> bool:
        """True where the run is stored without a measure that is asked for."""
        if self.state != "cached" or self.fit is None or self.record is None:
            return False
        return bool(lacking(self.fit.measures.params, self.record.history))


class Scoring(NamedTuple):
    """A run as a worker scores it: the key holds `evaluation` only where scores depend on it."""

    spec: RunSpec
    split: Split
    evaluation: Evaluation


class StoreKey(NamedTuple):
    """Image store of a dataset: side in pixels and resampling."""

    dataset: str
    size: int
    resize: str


@dataclass(frozen=True)
class Task:
    """One fit and the runs that score it, with `audit` after every epoch too.

    The state of a source is kept for the fits that start from it. With `keep`, how its images are scored, the model is
    kept for new images.
    """

    fit: PlannedFit
    runs: tuple[Scoring, ...]
    is_source: bool = False
    audit: bool = False
    keep: Evaluation | None = None

    @property
    def is_for_others(self) -> bool:
        """True where it is due although all its runs are stored."""
        return self.is_source or self.keep is not None

    @property
    def key(self) -> str:
        return self.fit.key

    @property
    def image_stores(self) -> Iterator[StoreKey]:
        """The image stores behind the fit and its pools."""
        spec = self.fit.spec
        for name in (self.fit.dataset, *(part.dataset for parts in self.fit.pools.values() for part in parts)):
            yield StoreKey(name, spec.size, spec.resize)

    @property
    def source_key(self) -> str | None:
        """The key of the fit that must be done before."""
        return self.fit.spec.source

    @property
    def name(self) -> str:
        return self.runs[0].spec.name if self.runs else self.fit.name


@dataclass(frozen=True)
class Plan:
    """All runs of a call; `is_swept`: a method has several settings, and so more runs than the suite has places."""

    suite: Suite
    recipe: str
    runs: tuple[PlannedRun, ...]
    audit: bool = False
    is_swept: bool = False

    def count(self, state: RunState) -> int:
        return sum(run.state == state for run in self.runs)

    @property
    def is_blocked(self) -> bool:
        """True where all runs are blocked."""
        return self.count("blocked") == len(self.runs)

    @property
    def is_refused(self) -> bool:
        """True where all runs are blocked, some by the command line itself."""
        return self.is_blocked and any(run.is_refused for run in self.runs)

    def lacking_models(self, models: Collection[str]) -> list[PlannedRun]:
        """A stored run for each fit whose key is none of `models`."""
        lacking = {run.fit.key: run for run in self.runs if run.state == "cached" and run.fit is not None}
        return [run for key, run in lacking.items() if key not in models]

    def tasks(self, states: Collection[RunState], models: Collection[str] | None = None) -> list[Task]:
        """The fits behind the runs in `states`, each once, in the order of the plan, a source before what needs it.

        With `models`, the keys of fits whose models are kept, each fit keeps its own; so do fits of stored runs which
        have none.
        """
        lacking = set() if models is None else {run.spec.key for run in self.lacking_models(models) if run.spec}
        keep: dict[str, Evaluation] = {}
        groups: dict[str, list[PlannedRun]] = defaultdict(list)
        fits: dict[str, PlannedFit] = {}
        sources: set[str] = set()
        for run in self.runs:
            is_due = run.state in states
            if run.fit is not None and (is_due or (run.spec and run.spec.key in lacking)):
                if run.fit.source is not None:
                    sources.add(run.fit.source.key)
                    fits.setdefault(run.fit.source.key, run.fit.source)
                fits.setdefault(run.fit.key, run.fit)
                groups[run.fit.key] += [run] if is_due else []
                if models is not None and run.evaluation is not None:
                    keep[run.fit.key] = run.evaluation
        return [
            Task(fit, _scorings(groups[key]), is_source=key in sources, audit=self.audit, keep=keep.get(key))
            for key, fit in fits.items()
        ]


def _scorings(runs: list[PlannedRun]) -> tuple[Scoring, ...]:
    by_key = {
        run.spec.key: Scoring(run.spec, run.split, run.evaluation)
        for run in runs
        if run.spec and run.split and run.evaluation
    }
    return tuple(by_key.values())
