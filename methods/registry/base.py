"""The fit that a method starts from: which method, by which recipe, with which parameters."""

from collections.abc import Mapping

import msgspec

from methods.errors import MethodError
from methods.registry.info import MethodInfo
from methods.registry.params import RECIPES
from methods.registry.recipe import Resolved, resolve
from protocols.text import near_miss
from protocols.values import ParamValue


class ResolvedBase(msgspec.Struct, frozen=True):
    """The base of a method with the value of every parameter; `resolved.changed` leaves out those that both share."""

    info: MethodInfo
    recipe: str
    resolved: Resolved


def resolve_base(
    info: MethodInfo,
    params: Mapping[str, ParamValue],
    methods: Mapping[str, MethodInfo],
    dataset: str,
    overrides: Mapping[str, object],
) -> ResolvedBase:
    """The base of a method that has these resolved parameters.

    Args:
        info: a method with a base.
        params: its resolved parameters, from which the base takes its recipe and those that both share.
        methods: all methods by id.
        dataset: what both are trained on.
        overrides: parameters of the base that are not its recipe's; a shared one is that of `info` all the same.

    Raises:
        MethodError: the base is not installed, has a base itself, or cannot have such parameters.
    """
    if info.base is None:
        raise MethodError(f"{info.id} starts from no other method's fit")
    base = methods.get(info.base.method)
    if base is None:
        raise MethodError(
            f"{info.id} starts from a fit of '{info.base.method}': {near_miss(info.base.method, methods, 'install it')}"
        )
    if base.base is not None:
        raise MethodError(f"{info.id} starts from a fit of {base.id}, which has a base itself: name one without")
    recipe = str(params[info.base.recipe])
    if recipe not in RECIPES:
        raise MethodError(f"{info.id}.{info.base.recipe} must be official, paper or quick. Got '{recipe}' instead")
    shared = {name: params[name] for name in info.base.shared if name in params}
    resolved = resolve(base, recipe, dataset, {**overrides, **shared})
    changed = {name: values for name, values in resolved.changed.items() if name not in shared}
    return ResolvedBase(base, recipe, Resolved(resolved.params, changed))
