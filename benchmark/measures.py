"""What records measure: the detectors and variants whose resolved parameters they hold."""

from collections.abc import Callable

from methods import registry
from methods.errors import MethodError
from methods.params import ParamValue
from methods.recipe import resolve
from results.record import Record

EVALUATION = ("evaluation.order", "evaluation.batch")
OUTSIDE_FIT = (*EVALUATION, "img_size")


def fit_params(params: dict[str, ParamValue]) -> dict[str, ParamValue]:
    """The resolved parameters that `fit` is given and keys hold."""
    return {name: value for name, value in params.items() if name not in OUTSIDE_FIT}


def versions() -> dict[str, int]:
    """Current version of each detector; a record of an older one is stale."""
    return {info.detector_id: info.version for info in registry.methods().values()}


def measures() -> Callable[[Record], frozenset[str]]:
    """A function from a record to the ids it measures: the one it was run as, and every twin with equal parameters."""
    known = registry.methods()

    def ids(record: Record) -> frozenset[str]:
        spec = record.spec
        twins = {spec.method}
        for info in known.values():
            if info.detector_id == spec.fit.detector and info.id != spec.method:
                try:
                    resolved = resolve(info, spec.recipe, spec.split.dataset, {})
                except MethodError:
                    continue
                if fit_params(resolved.params) == spec.fit.params:
                    twins.add(info.id)
        return frozenset(twins)

    return ids
