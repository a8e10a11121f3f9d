"""The parameters that a fit is given, and that keys hold."""

from collections.abc import Mapping

from methods.measures import request
from methods.registry.recipe import EVALUATION
from protocols.values import ParamValue

OUTSIDE_FIT = (*EVALUATION, "img_size", "img_resize")
FINE_TUNING = "finetune."


def fit_params(params: Mapping[str, ParamValue], *, fine_tuned: bool = False) -> dict[str, ParamValue]:
    """The resolved parameters that `fit` is given and keys hold.

    Those of measures change no score, so that a run is the same one with and without them.
    A parameter `finetune.NAME` is for the fits that start from another's state (spec 2.12, D44): there it takes the
    place of NAME, if there is such a one and it is not none.
    """
    fit_own = {
        name: value
        for name, value in params.items()
        if name not in OUTSIDE_FIT and not name.startswith((FINE_TUNING, request.PREFIX))
    }
    if not fine_tuned:
        return fit_own
    others = {name: value for name, value in params.items() if name.startswith(FINE_TUNING) and value is not None}
    plain = {name: name.removeprefix(FINE_TUNING) for name in others}
    return fit_own | {plain[name] if plain[name] in fit_own else name: value for name, value in others.items()}
