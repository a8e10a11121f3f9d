"""Methods that a record is a result of: their recipes resolve to its parameters."""

import functools
from collections.abc import Callable, Iterable, Mapping

from benchmark.planning.inputs.fit_params import fit_params
from methods.errors import MethodError
from methods.registry import installed
from methods.registry.recipe import EVALUATION, resolve
from protocols.values import ParamValue
from results.record import Record
from results.spec import RunSpec


def detector_versions() -> dict[str, int]:
    """Current version of each detector; a record of an older one is stale."""
    return {info.detector_id: info.version for info in installed.methods().values()}


def method_titles() -> dict[str, str]:
    """Titles of all methods by their ids."""
    return {info.id: info.title for info in installed.methods().values()}


def leaking_series(records: Iterable[Record]) -> frozenset[str]:
    """Ids of the series among the records whose scores test labels had part in; no gate counts these."""
    infos = {info.id: info for info in installed.methods().values()}
    fits = {record.series: record.spec.fit for record in records}
    return frozenset(
        series for series, fit in fits.items() if (info := infos.get(fit.detector)) and info.leaks(fit.params)
    )


def measures() -> Callable[[Record], frozenset[str]]:
    """A function from a record to the ids it measures: the one it was run as, and every twin with equal parameters."""
    of_spec = spec_measures()
    known_ids: dict[tuple[str, str, str], frozenset[str]] = {}

    def ids(record: Record) -> frozenset[str]:
        # A series has all that twins are told by: parameters, size, evaluation, dataset.
        identity = record.series, record.spec.method, record.spec.recipe
        if identity not in known_ids:
            known_ids[identity] = of_spec(record.spec)
        return known_ids[identity]

    return ids


def spec_measures() -> Callable[[RunSpec], frozenset[str]]:
    """As `measures`, of a run that need not be made yet."""
    methods = installed.methods()

    @functools.cache
    def params(method: str, recipe: str, dataset: str) -> dict[str, ParamValue] | None:
        try:
            return resolve(methods[method], recipe, dataset, {}).params
        except MethodError:
            return None

    def ids(spec: RunSpec) -> frozenset[str]:
        twins = {spec.method}
        for info in methods.values():
            if info.detector_id == spec.fit.detector and info.id != spec.method:
                twin_params = params(info.id, spec.recipe, spec.split.dataset)
                if twin_params is not None and _is_measured_by(twin_params, spec):
                    twins.add(info.id)
        return frozenset(twins)

    return ids


def _is_measured_by(params: Mapping[str, ParamValue], spec: RunSpec) -> bool:
    """True where a method with these resolved parameters would have made the same run."""
    size, resize = params.get("img_size"), params.get("img_resize") or "squash"
    evaluation = spec.evaluation and (spec.evaluation.order, spec.evaluation.batch)
    return (
        fit_params(params, fine_tuned=spec.is_fine_tuned) == spec.fit.params
        and (resize == "none" or not isinstance(size, int) or size == spec.fit.size)
        and resize == spec.fit.resize
        and (evaluation is None or evaluation == tuple(params.get(name) for name in EVALUATION))
    )
