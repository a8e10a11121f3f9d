"""From a suite and a selection to runs with keys: cached, missing, failed before, or blocked and why."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from benchmark import machine
from benchmark.errors import BenchError
from benchmark.measures import EVALUATION, fit_params
from benchmark.names import near
from benchmark.settings import Folders
from benchmark.suite import Selection, Suite, Wanted, expand
from methods import registry
from methods.errors import MethodError
from methods.info import MethodInfo
from methods.params import PER_DATASET, RECIPES, ParamValue, shown
from methods.recipe import Resolved, resolve
from methods.weights import WeightsFile
from methods.weights import find as find_weights
from protocols import datasets, prepare
from protocols.draw import list_fingerprint
from protocols.errors import DataError
from protocols.manifest import Dataset
from protocols.split import Split, draw
from results.record import Record
from results.spec import Evaluation, FitSpec, RunSpec, SplitDefinition
from results.store import Store

State = Literal["cached", "missing", "failed", "blocked"]


@dataclass(frozen=True)
class Request:
    """How the runs of a plan are to be made; None leaves the suite's or the machine's own choice."""

    recipe: str | None = None
    sets: Mapping[str, Mapping[str, ParamValue]] = field(default_factory=dict)
    split_options: Mapping[str, Any] = field(default_factory=dict)
    weights: Sequence[str] = ()
    precision: str | None = None
    device: str = "cpu"


@dataclass(frozen=True)
class PlannedRun:
    """One wanted run: its state, the reason where it is blocked, its spec and split where it is not."""

    wanted: Wanted
    state: State
    reason: str | None = None
    spec: RunSpec | None = None
    split: Split | None = None
    weights: Mapping[str, WeightsFile] = field(default_factory=dict)
    record: Record | None = None


@dataclass(frozen=True)
class Task:
    """One fit and the runs that score it; what the engine hands to a worker."""

    fit: FitSpec
    method: str
    runs: tuple[tuple[RunSpec, Split], ...]
    weights: Mapping[str, WeightsFile]


@dataclass(frozen=True)
class Plan:
    suite: Suite
    recipe: str
    runs: tuple[PlannedRun, ...]

    def count(self, state: State) -> int:
        return sum(run.state == state for run in self.runs)

    def tasks(self, states: Collection[State]) -> list[Task]:
        """The fits behind the runs in `states`, each once, in the order of the plan."""
        groups: dict[str, list[PlannedRun]] = defaultdict(list)
        for run in self.runs:
            if run.state in states and run.spec is not None:
                groups[run.spec.fit.fit_key].append(run)
        return [_task(group) for group in groups.values()]


def _task(group: list[PlannedRun]) -> Task:
    by_key = {run.spec.key: (run.spec, run.split) for run in group if run.spec and run.split}
    first = next(iter(by_key.values()))[0]
    return Task(fit=first.fit, method=first.method, runs=tuple(by_key.values()), weights=group[0].weights)


def plan(
    suite: Suite,
    selection: Selection,
    request: Request,
    *,
    folders: Folders,
    store: Store,
    notify: Any = None,
) -> Plan:
    """Resolve every wanted run to its key and look it up in `store`. Loads neither torch nor any image.

    Raises:
        BenchError: a selected method, dataset, class or recipe does not exist, or nothing is left.
        MethodError: `--set` names no parameter, or a value that it cannot have.
    """
    recipe = request.recipe or suite.recipe
    if recipe not in RECIPES:
        raise BenchError(f"unknown recipe '{recipe}'{near(recipe, RECIPES)}")
    planner = _Planner(suite, recipe, request, folders, store, notify)
    planner.check_names(selection)
    wanted = expand(
        suite,
        selection,
        without_anomalies=planner.without_anomalies(),
        known_classes={name: planner.known_classes(name) for name in selection.datasets or ()},
    )
    if not wanted:
        raise BenchError(
            f"the selection leaves nothing of suite {suite.id}, whose rule is '{suite.rule}': leave out a filter"
            + (", or take suite general for a dataset with one anomaly class" if suite.rule == "hard" else "")
        )
    return Plan(suite=suite, recipe=recipe, runs=tuple(planner.planned(item) for item in wanted))


class _BlockedError(Exception):
    """Why a run cannot be made here and now."""


class _Planner:
    """Resolves wanted runs one by one and remembers what they share: datasets, parameters, weights, splits."""

    def __init__(
        self, suite: Suite, recipe: str, request: Request, folders: Folders, store: Store, notify: Any
    ) -> None:
        self.suite = suite
        self.recipe = recipe
        self.request = request
        self.folders = folders
        self.store = store
        self.notify = notify
        self.methods = registry.methods()
        self.infos = datasets.infos()
        self.precision = request.precision or machine.default_precision(request.device)
        self._opened: dict[str, Dataset | DataError] = {}
        self._drawn: dict[tuple[Any, ...], Split] = {}
        self._weights: dict[str, WeightsFile | MethodError] = {}

    def check_names(self, selection: Selection) -> None:
        known_methods = {*self.methods, *self.suite.methods}
        for name in [*(selection.methods or ()), *self.request.sets]:
            if name not in known_methods:
                raise BenchError(f"unknown method '{name}'{near(name, known_methods)}")
        for name in selection.datasets or ():
            if name.partition("@")[0] not in self.infos and prepare.state(self.folders.data, name) == "absent":
                prepared = prepare.prepared(self.folders.data)
                raise BenchError(f"unknown dataset '{name}'{near(name, {*self.infos, *prepared})}")
        for method, values in self.request.sets.items():
            if method not in self.methods:
                raise BenchError(f"--set {method}...: there is no detector '{method}' yet, so it has no parameters")
            resolve(self.methods[method], self.recipe, "", values)

    def without_anomalies(self) -> set[str]:
        return {*self.suite.without_anomalies} | {name for name, info in self.methods.items() if not info.anomalies}

    def known_classes(self, name: str) -> tuple[str, ...]:
        info = self.infos.get(name.partition("@")[0])
        if info and info.known_classes:
            return info.known_classes
        try:
            dataset = self._dataset(name)
        except DataError:
            return ()
        return tuple(dataset.labels)

    def planned(self, wanted: Wanted) -> PlannedRun:
        try:
            return self._planned(wanted)
        except (_BlockedError, DataError, MethodError) as error:
            return PlannedRun(wanted, "blocked", str(error))

    def _planned(self, wanted: Wanted) -> PlannedRun:
        info = self.methods.get(wanted.method)
        if info is None:
            raise _BlockedError(f"there is no detector '{wanted.method}' yet")
        if self.suite.rule not in info.rules:
            raise _BlockedError(f"{info.title} does not run under the rule '{self.suite.rule}'")
        dataset = self._dataset(wanted.dataset)
        resolved = resolve(info, self.recipe, wanted.dataset, self.request.sets.get(wanted.method, {}))
        pools = {name: self._pool(name).fingerprint for name in info.pools(resolved.params)}
        files = {arch: self._find_weights(arch) for arch in info.backbones(resolved.params)}
        split = self._split(wanted, info, dataset)
        spec = self._spec(wanted, info, resolved, dataset, split, files, pools)
        record = self.store.get(spec.key)
        state: State = "missing" if record is None else "failed" if record.status == "failed" else "cached"
        return PlannedRun(wanted, state, spec=spec, split=split, weights=files, record=record)

    def _spec(
        self,
        wanted: Wanted,
        info: MethodInfo,
        resolved: Resolved,
        dataset: Dataset,
        split: Split,
        files: Mapping[str, WeightsFile],
        pools: Mapping[str, str],
    ) -> RunSpec:
        paper_size = _image_size(self.infos.get(wanted.dataset.partition("@")[0]), dataset)
        asked = resolved.params.get("img_size", PER_DATASET)
        size = asked if isinstance(asked, int) else paper_size
        fit = FitSpec(
            detector=info.detector_id,
            version=info.version,
            params=fit_params(resolved.params),
            dataset_fingerprint=dataset.fingerprint,
            train_normal=split.fingerprints["train_normal"],
            train_anomaly=split.fingerprints["train_anomaly"] if info.anomalies else list_fingerprint(()),
            size=size,
            resize="squash",
            pools=dict(pools),
            weights={arch: file.digest for arch, file in files.items()},
            precision=self.precision,
            seed=wanted.seed,
        )
        evaluation = None
        if not info.independent_scores:
            order, batch = (resolved.params[name] for name in EVALUATION)
            evaluation = Evaluation(order=str(order), batch=int(str(batch)))
        return RunSpec(
            fit=fit,
            test=split.test_fingerprint,
            evaluation=evaluation,
            method=wanted.method,
            recipe=self.recipe,
            split=SplitDefinition(
                dataset=wanted.dataset,
                dataset_fingerprint=dataset.fingerprint,
                rule=self.suite.rule,
                known_class=wanted.known_class,
                shots=wanted.shots,
                options=dict(split.options),
            ),
            split_seed=wanted.seed,
            deviations=[
                *_deviations(wanted.method, info, resolved, split),
                *(
                    []
                    if size == paper_size or self.recipe == "quick"
                    else [f"image size {size} (the paper's: {paper_size})"]
                ),
                *_data_deviations(self.infos.get(wanted.dataset), wanted.dataset, dataset),
            ],
        )

    def _dataset(self, name: str) -> Dataset:
        if name not in self._opened:
            try:
                self._opened[name] = prepare.open_dataset(self.folders.data, name, notify=self.notify)
            except DataError as error:
                self._opened[name] = error
        opened = self._opened[name]
        if isinstance(opened, DataError):
            raise opened
        return opened

    def _pool(self, name: str) -> Dataset:
        try:
            return self._dataset(name)
        except DataError as error:
            raise _BlockedError(f"needs the external pool '{name}': {error}") from error

    def _find_weights(self, arch: str) -> WeightsFile:
        if arch not in self._weights:
            quick = self.recipe == "quick"
            options = tuple(self.request.weights) or (("auto",) if quick else ())
            try:
                found = find_weights(
                    arch,
                    options=options,
                    env=self.folders.weights,
                    hub_dir=self.folders.hub,
                    cache_dir=self.folders.cache,
                    allow_auto=quick,
                )
            except MethodError as error:
                self._weights[arch] = error
            else:
                self._weights[arch] = found
                if "auto" in options and self.notify:
                    self.notify(f"weights of {arch}: {found.label} (--weights auto)")
        file = self._weights[arch]
        if isinstance(file, MethodError):
            raise file
        return file

    def _split(self, wanted: Wanted, info: MethodInfo, dataset: Dataset) -> Split:
        options = {
            **self.suite.options,
            **info.split(self.recipe),
            **self.request.split_options,
        }
        # A method without anomalies is scored on the test set of the ten-shot split (design section 6).
        shots = 10 if wanted.shots is None else wanted.shots
        key = (wanted.dataset, wanted.known_class, shots, wanted.seed, tuple(sorted(options.items())))
        if key not in self._drawn:
            self._drawn[key] = draw(
                dataset,
                self.suite.rule,
                split_seed=wanted.seed,
                known_class=wanted.known_class,
                shots=shots,
                options=options,
            )
        return self._drawn[key]


def _image_size(info: datasets.DatasetInfo | None, dataset: Dataset) -> int:
    """The paper's size; of another set: 448 where its median shorter side is nearer to that than to 224 (spec 10.0)."""
    if info is not None:
        return info.image_size
    shorter = sorted(min(row.width, row.height) for row in dataset.rows)
    return 448 if shorter[len(shorter) // 2] >= 336 else 224


def _deviations(method: str, info: MethodInfo, resolved: Resolved, split: Split) -> Iterable[str]:
    if info.assumed:
        yield f"{info.title} is defined by assumption, the papers say too little"
    for name, (usual, value) in sorted(resolved.changed.items()):
        yield f"{method}.{name} = {shown(value)} (recipe: {shown(usual)})"
    for name, value in sorted(split.options.items()):
        yield f"split option {name} = {value}"


def _data_deviations(info: datasets.DatasetInfo | None, name: str, dataset: Dataset) -> Iterable[str]:
    if info is None:
        yield f"dataset {name} is not the paper's"
        return
    if info.fingerprint and dataset.fingerprint != info.fingerprint:
        yield f"the images or labels of {name} are not those of the release (manifest {dataset.fingerprint[:8]})"
    anomalies = sum(row.label != "normal" for row in dataset.rows)
    published = info.published
    normals = len(dataset.rows) - anomalies
    if published and (normals, anomalies) != (published.train_normal + published.test_normal, published.anomalies):
        yield (
            f"{name} has {normals} normal and {anomalies} anomalous images, the paper's "
            f"{published.train_normal + published.test_normal} and {published.anomalies}"
        )
