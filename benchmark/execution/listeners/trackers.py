"""Trackers of experiments, which other packages offer: they hear of fits, their numbers and their records."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmark.errors import BenchError
from benchmark.execution.processes.handover import PATIENCE, PROCESS, OutcomeState
from benchmark.planning.types import PlannedFit
from protocols.plugins import PluginError, guest_code, load_object, only_point, points_by_name
from protocols.text import near_miss
from protocols.values import ParamValue
from results.record import Record

TRACKER_GROUP = "swanbench.trackers"
_NO_NUMBERS = {"phase", "done", "total", PATIENCE, PROCESS}


@dataclass(frozen=True)
class TrackedFit:
    """A fit as trackers know it: key and name, method, dataset, seed and hyper-parameters, and the results folder."""

    key: str
    name: str
    method: str
    dataset: str
    seed: int
    params: Mapping[str, ParamValue]
    results: Path


class Tracker(Protocol):
    """Object that an entry point of the group `swanbench.trackers` gives when it is called without arguments.

    It is called in the process of `bench run`, one call after another; several fits may be at work at the same time.
    """

    def fit_started(self, fit: TrackedFit) -> None: ...

    def numbers(self, fit: TrackedFit, done: int, total: int, values: Mapping[str, float]) -> None:
        """The last numbers that a fit told, such as `loss`, at step `done` of `total`; of quick fits not all come."""
        ...

    def record_finished(self, fit: TrackedFit, record: Record) -> None:
        """A record of the fit is stored: AUROC, the whole history, and the error where its `status` is `failed`."""
        ...

    def fit_finished(self, fit: TrackedFit, state: OutcomeState) -> None:
        """The fit is over: `done`, `failed`, `paused`, `stopped` or another word for why it left no record."""
        ...


class Trackers:
    """Trackers by name. One that raises an error is left out from then on, and `warn` told of it in one line."""

    def __init__(self, named: Mapping[str, Tracker], results: Path, warn: Callable[[str], None]) -> None:
        self._named = dict(named)
        self._results = results
        self._warn = warn
        self._at_work: dict[str, TrackedFit] = {}
        self._told: dict[str, Mapping[str, float]] = {}

    def see(self, fit: PlannedFit, progress: Mapping[str, Any]) -> None:
        """Take in the progress of a fit at work; its numbers are told where one of them is new."""
        tracked = self._started(fit)
        numbers = {
            name: float(value)
            for name, value in progress.items()
            if name not in _NO_NUMBERS and isinstance(value, int | float)
        }
        if numbers and numbers != self._told.get(fit.key):
            self._told[fit.key] = numbers
            self._tell("numbers", tracked, int(progress["done"]), int(progress["total"]), numbers)

    def finish(self, fit: PlannedFit, state: OutcomeState, records: Iterable[Record]) -> None:
        """A fit is over; one that this call did not do is told of only where it had been seen at work."""
        if state not in {"done", "failed"} and fit.key not in self._at_work:
            return
        tracked = self._started(fit)
        for record in records:
            self._tell("record_finished", tracked, record)
        self._tell("fit_finished", tracked, state)
        self._at_work.pop(fit.key)
        self._told.pop(fit.key, None)

    def _started(self, fit: PlannedFit) -> TrackedFit:
        if fit.key not in self._at_work:
            spec = fit.spec
            tracked = TrackedFit(fit.key, fit.name, fit.method, fit.dataset, spec.seed, spec.params, self._results)
            self._at_work[fit.key] = tracked
            self._tell("fit_started", tracked)
        return self._at_work[fit.key]

    def _tell(self, method: str, *facts: Any) -> None:
        for name, tracker in list(self._named.items()):
            try:
                with guest_code():
                    getattr(tracker, method)(*facts)
            except PluginError as error:
                del self._named[name]
                self._warn(f"the tracker {name} is left out from here on, the run goes on: {error}")


def check_trackers(names: Sequence[str]) -> None:
    """Refuse names that no installed package offers; raises BenchError."""
    points = points_by_name(TRACKER_GROUP) if names else {}
    for name in names:
        if name not in points:
            otherwise = "install a package with such an entry point, such as those in examples/trackers"
            raise BenchError(f"--tracker {name}: there is no such tracker: {near_miss(name, points, otherwise)}")


def load_trackers(names: Sequence[str], results: Path, warn: Callable[[str], None]) -> Trackers:
    """The trackers of these names, each once; one that cannot be made is left out with a line."""
    points = points_by_name(TRACKER_GROUP) if names else {}
    trackers: dict[str, Tracker] = {}
    for name in dict.fromkeys(names):
        try:
            point = only_point(points[name], (), "tracker")
            factory = load_object(point.value)
            with guest_code():
                trackers[name] = factory()
        except PluginError as error:
            warn(f"the tracker {name} is left out, the run goes on: {error}")
    return Trackers(trackers, results, warn)
