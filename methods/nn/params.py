"""Typed reading of resolved hyper-parameters."""

from collections.abc import Mapping

from protocols.values import ParamValue

Params = Mapping[str, ParamValue]


def number(params: Params, name: str) -> float:
    value = params[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"parameter {name} must be a number, got {value!r}")
    return float(value)


def optional_number(params: Params, name: str) -> float | None:
    return None if params[name] is None else number(params, name)


def batch_size(params: Params, given: int | None) -> int:
    """Images that are scored at a time: as given, else the parameter `evaluation.batch`."""
    return integer(params, "evaluation.batch") if given is None else given


def integer(params: Params, name: str) -> int:
    value = params[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"parameter {name} must be an integer, got {value!r}")
    return value


def text(params: Params, name: str) -> str:
    value = params[name]
    if not isinstance(value, str):
        raise TypeError(f"parameter {name} must be a text, got {value!r}")
    return value


def flag(params: Params, name: str) -> bool:
    value = params[name]
    if not isinstance(value, bool):
        raise TypeError(f"parameter {name} must be true or false, got {value!r}")
    return value
