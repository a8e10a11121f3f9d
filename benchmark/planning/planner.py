"""Resolution of a wanted run to its spec: parameters, data, pools, weights, split, and the fit it starts from."""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from msgspec import structs

from benchmark.errors import BenchError
from benchmark.planning import comparability
from benchmark.planning.inputs import pools
from benchmark.planning.inputs.fit_params import fit_params
from benchmark.planning.inputs.resources import Resources
from benchmark.planning.suite import Selection, Suite, WantedRun, class_subsets
from benchmark.planning.types import PlannedFit, PlannedRun, RunRequest, RunState
from methods.backbones.find import WrongWeightsError
from methods.devices import DEFAULT_PRECISION
from methods.errors import MethodError
from methods.measures import request as measuring
from methods.measures.request import Measures
from methods.registry import installed
from methods.registry.base import ResolvedBase, resolve_base
from methods.registry.info import MethodInfo
from methods.registry.params import PER_DATASET
from methods.registry.recipe import EVALUATION, Resolved, resolve
from protocols.catalogue import data_folder
from protocols.datasets.manifest import Dataset
from protocols.datasets.naming import base_id
from protocols.datasets.registry import dataset_infos
from protocols.errors import DataError
from protocols.splits import rules
from protocols.splits.draw.options import LARGEST_ONE_SHOT_DRAW, SPLIT_FILE
from protocols.splits.draw.ranking import list_fingerprint
from protocols.splits.split import Split, file_remarks
from protocols.values import ParamValue
from results.errors import ResultsError
from results.spec import Evaluation, FitSpec, RunSpec, SplitDefinition
from results.store import Store


class BlockedError(Exception):
    """A run that cannot be made here and now; the text is the reason."""


class RefusedError(Exception):
    """A run that cannot be as the command line has it; the text is the reason."""


def _no_detector(method: str) -> str:
    return installed.trouble(method) or f"there is no detector '{method}' yet"


class Planner:
    """Resolves the wanted runs of one suite and recipe one by one."""

    def __init__(
        self,
        suite: Suite,
        recipe: str,
        request: RunRequest,
        resources: Resources,
        store: Store,
    ) -> None:
        self.suite = suite
        self.recipe = recipe
        self.request = request
        self.resources = resources
        self.store = store
        self.methods = installed.methods()
        self.infos = dataset_infos()
        self.precision = request.precision or DEFAULT_PRECISION
        self._resolved = functools.cache(self._resolve)
        self._resolved_base = functools.cache(self._resolve_base)
        self._data_deviations = functools.cache(self._data_deviations_of)
        self._release_deviations = functools.cache(self._release_deviations_of)

    def check_names(self, selection: Selection) -> None:
        """Refuse methods, datasets, parameters and shares that cannot be; raises BenchError, MethodError, DataError."""
        known_methods = {*self.methods, *self.suite.methods}
        for name in [*(selection.methods or ()), *self.request.sets]:
            if name not in known_methods:
                installed.get(name)
        for name in [*(selection.datasets or ()), *selection.coordinates.get("source_dataset", ())]:
            if base_id(name) not in self.infos and data_folder.dataset_state(self.resources.data, name) == "absent":
                data_folder.known_target(name, self.resources.data)
        for method, values in self.request.sets.items():
            if method not in self.methods:
                raise BenchError(f"--set {method}...: {_no_detector(method)}, so it has no parameters")
            resolve(self.methods[method], self.recipe, "", values)
        if selection.coordinates.get("gamma"):
            from protocols.splits.rules.labelled_share import exact_share

            for gamma in selection.coordinates["gamma"]:
                exact_share(gamma)

    def without_anomalies(self) -> set[str]:
        """Methods that are given no labelled anomalies."""
        return {*self.suite.without_anomalies} | {name for name, info in self.methods.items() if not info.anomalies}

    def classes(self, name: str) -> tuple[str, ...]:
        """Known or normal classes of a dataset, as the rule has it; none where they are not known."""
        if self.suite.subset not in {"known_class", "normal_class"}:
            return ()
        listed = class_subsets(self.infos.get(base_id(name)), self.suite.subset)
        if listed:
            return listed
        try:
            return tuple(sorted(self.resources.dataset(name).labels, key=lambda label: (len(label), label)))
        except DataError:
            return ()

    def planned(self, wanted_run: WantedRun) -> PlannedRun:
        """The run with its key and state, or why it is blocked; raises WrongWeightsError."""
        try:
            return self._planned(wanted_run)
        except WrongWeightsError:
            raise
        except (BlockedError, RefusedError, DataError, MethodError) as error:
            return PlannedRun(wanted_run, "blocked", str(error), is_refused=isinstance(error, RefusedError))

    def _planned(self, wanted_run: WantedRun) -> PlannedRun:
        info = self.methods.get(wanted_run.method)
        if info is None:
            raise BlockedError(_no_detector(wanted_run.method))
        rule, named = rules.kept_as(self.suite.rule, wanted_run, info.rules)
        if not rules.is_fitted_by(rule, info.rules):
            raise BlockedError(f"{info.title} does not run under the rule '{rule}'")
        if self.request.audit and not info.capabilities.scored_between_epochs:
            raise BlockedError(f"{info.title} cannot be scored between epochs: --audit-selection says nothing of it")
        split = self._split(rule, info, named)
        fit = self._fit_of_run(info, split, named)
        params = self._resolved(info.id, split.dataset).params
        evaluation = self._evaluation(params)
        spec = RunSpec(
            fit=fit.spec,
            test=split.test_fingerprint,
            evaluation=None if info.scores_independently(params) else evaluation,
            method=named.method,
            recipe=self.recipe,
            split=SplitDefinition(
                dataset=named.dataset,
                dataset_fingerprint=split.dataset_fingerprint,
                rule=rule,
                options=dict(split.options),
                **named.coordinates,
            ),
            split_seed=named.split_seed,
            source=fit.source.spec if fit.source else None,
            deviations=list(dict.fromkeys(self._deviations(info, split, fit))),
        )
        try:
            record = self.store.get(spec.key)
        except ResultsError as error:
            raise BlockedError(str(error)) from error
        run = PlannedRun(wanted_run, "cached", spec=spec, split=split, evaluation=evaluation, fit=fit, record=record)
        state = self._state(run, info)
        lacking = info.lacking(params) if state == "missing" else None
        if lacking:
            raise BlockedError(lacking)
        return replace(run, state=state)

    def _state(self, run: PlannedRun, info: MethodInfo) -> RunState:
        if run.record is None:
            return "missing"
        if run.record.status == "failed":
            return "failed"
        is_stale = run.is_of_other_code and info.is_plug_in and not self.request.accept_stale_code
        return "stale" if is_stale else "cached"

    def _split(self, rule: str, info: MethodInfo, run: WantedRun) -> Split:
        is_filed = SPLIT_FILE in self.request.split_options
        own_options = {} if is_filed else {**self.suite.options, **info.split(self.recipe)}
        # A method without anomalies is scored on the test set of the ten-shot split (design section 6).
        coordinates = run.coordinates | {"shots": LARGEST_ONE_SHOT_DRAW if run.shots is None else run.shots}
        dataset = self.resources.dataset(run.dataset)
        drawn = functools.partial(
            self.resources.split,
            rule,
            dataset,
            run.split_seed,
            coordinates,
            is_labelled=run.shots is not None,
        )
        try:
            return drawn(options=own_options | dict(self.request.split_options))
        except DataError as error:
            drawn(options=own_options)  # where this fails too, the data lack something
            raise RefusedError(str(error)) from error

    def _fit_of_run(self, info: MethodInfo, split: Split, run: WantedRun) -> PlannedFit:
        """The fit behind a run; it starts from a fit on the source dataset (cross_domain), or from that of its base."""
        if run.source_dataset is None:
            source = self._base_fit(info, split, run.seed) if info.base else None
            return self._fit(info, split, run.seed, anomalies=info.anomalies, source=source)
        origin = structs.replace(run, dataset=run.source_dataset, source_dataset=None)
        source = self._fit(info, self._split("general", info, origin), run.seed, anomalies=True)
        return self._fit(info, split, run.seed, anomalies=False, source=source, fine_tuned=True)

    def _base_fit(self, info: MethodInfo, split: Split, seed: int) -> PlannedFit:
        """The fit of a method's base, on the same split and seed."""
        base = self._resolved_base(info.id, split.dataset)
        return self._fit(base.info, split, seed, anomalies=base.info.anomalies, params=base.resolved.params)

    def _fit(
        self,
        info: MethodInfo,
        split: Split,
        seed: int,
        *,
        anomalies: bool,
        source: PlannedFit | None = None,
        fine_tuned: bool = False,
        params: Mapping[str, ParamValue] | None = None,
    ) -> PlannedFit:
        """The fit of a method, with `params` where they are not those that the command line resolves to."""
        dataset = self.resources.dataset(split.dataset)
        params = self._resolved(info.id, split.dataset).params if params is None else params
        pool_parts = {
            pool: pools.pool_parts(pool, params, dataset, self.resources.data, self.resources.dataset)
            for pool in info.pools(params)
        }
        files = {arch: self.resources.weights(arch) for arch in info.backbones(params)}
        train_anomaly = split.train_anomaly if anomalies else ()
        if not train_anomaly:
            info.check_alone(params)
        size, resize = self._image_form(params, dataset)
        spec = FitSpec(
            detector=info.detector_id,
            version=info.version,
            params=fit_params(params, fine_tuned=fine_tuned),
            dataset_fingerprint=split.dataset_fingerprint,
            train_normal=split.fingerprints["train_normal"],
            train_anomaly=split.fingerprints["train_anomaly"] if anomalies else list_fingerprint(()),
            size=size,
            resize=resize,
            pools={pool: pools.key_parts(parts, self.resources.dataset) for pool, parts in pool_parts.items()},
            weights={arch: file.digest for arch, file in files.items()},
            precision=self.precision if info.takes_precision else "fp32",
            seed=seed,
            source=source.key if source else None,
        )
        return PlannedFit(
            spec=spec,
            name=f"fit-{split.dataset}-{info.id}-{len(train_anomaly)}-s{seed}-{spec.fit_key[:8]}",
            method=info.id,
            dataset=split.dataset,
            train_normal=split.train_normal,
            train_anomaly=train_anomaly,
            pools=pool_parts,
            weights=files,
            reusable=not info.anomalies and info.scores_independently(params),
            notes=tuple(pools.pool_note(pool, parts) for pool, parts in pool_parts.items()),
            source=source,
            measures=self._measures(params),
            takes_native_images=info.takes_native_images(params),
            code=self.resources.codes.of(info.module),
        )

    def _measures(self, params: Mapping[str, ParamValue]) -> Measures:
        """Measures to take beside the scores; raises MethodError where packages or weights for them are missing."""
        measured = measuring.own(params)
        measuring.check_packages(measured)
        return Measures(
            measured, {arch: self.resources.weights(arch, auto=False) for arch in measuring.networks(measured)}
        )

    def _resolve(self, method: str, dataset: str) -> Resolved:
        try:
            return resolve(self.methods[method], self.recipe, dataset, self.request.sets.get(method, {}))
        except MethodError as error:
            raise RefusedError(str(error)) from error

    def _resolve_base(self, method: str, dataset: str) -> ResolvedBase:
        info, params = self.methods[method], self._resolved(method, dataset).params
        sets = self.request.sets.get(info.base.method, {}) if info.base else {}
        try:
            return resolve_base(info, params, self.methods, dataset, sets)
        except MethodError as error:
            raise RefusedError(str(error)) from error

    def _evaluation(self, params: Mapping[str, ParamValue]) -> Evaluation:
        """Order and batch of the test images; part of the key only where scores depend on them."""
        order, batch = (params.get(name, usual) for name, usual in EVALUATION.items())
        return Evaluation(order=str(order), batch=int(str(batch)))

    def _image_form(self, params: Any, dataset: Dataset) -> tuple[int, str]:
        """Side in pixels and resampling; 0 where the images keep their own sizes."""
        resize = str(params.get("img_resize") or "squash")
        size = params.get("img_size", PER_DATASET)
        if resize == "none":
            return 0, resize
        return size if isinstance(size, int) else self._default_size(dataset), resize

    def _default_size(self, dataset: Dataset) -> int:
        """The paper's size; of another set 448 if its median shorter side is nearer to that than to 224 (spec 10.0)."""
        info = self.infos.get(base_id(dataset.name))
        if info is not None:
            return info.image_size
        shorter = sorted(min(row.width, row.height) for row in dataset.rows)
        return 448 if shorter[len(shorter) // 2] >= 336 else 224

    def _deviations(self, info: MethodInfo, split: Split, fit: PlannedFit) -> Iterator[str]:
        dataset = self.resources.dataset(split.dataset)
        resolved = self._resolved(info.id, split.dataset)
        yield from comparability.of_method(info.id, info, resolved)
        if info.base is not None:
            base = self._resolved_base(info.id, split.dataset)
            yield from comparability.of_method(base.info.id, base.info, base.resolved)
        yield from comparability.of_options(split.options)
        yield from file_remarks(split, dataset)
        if self.recipe != "quick":
            yield from comparability.of_size(fit.spec.size, resolved, self._default_size(dataset))
        for pool, parts in fit.pools.items():
            lacking = pools.lacking_categories(pool, resolved.params, dataset.name, len(parts))
            if lacking:
                yield lacking
            for part in parts:
                yield from self._release_deviations(part.dataset)
        yield from self._data_deviations(split.dataset)
        if fit.source is not None and fit.source.dataset != split.dataset:
            yield from self._data_deviations(fit.source.dataset)

    def _data_deviations_of(self, name: str) -> tuple[str, ...]:
        return tuple(comparability.of_data(self.infos.get(name), self.resources.dataset(name)))

    def _release_deviations_of(self, name: str) -> tuple[str, ...]:
        return tuple(comparability.of_release(self.infos.get(base_id(name)), self.resources.dataset(name)))
