"""Resolved hyper-parameters, read once into the typed dataclass of a detector."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar, get_origin, get_type_hints

import msgspec

from protocols.values import ParamValue

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Params = Mapping[str, ParamValue]
_Fields = TypeVar("_Fields", bound="DataclassInstance")


def read_params(kind: type[_Fields], params: Params, prefix: str = "") -> _Fields:
    """The dataclass `kind` of the parameters that its fields name, with underscores for dots.

    A field `group` that is a dataclass takes the parameters `group.*`, a field of type tuple the parts of a text with
    commas; `lambda_` stands for `lambda`. A field with a default may have no parameter, all others must have one.

    Raises:
        TypeError: a parameter is missing or has another type; the text names it.
    """
    names = {name.removeprefix(prefix).replace(".", "_"): name for name in params if name.startswith(prefix)}
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for field in fields(kind):
        name = names.get(field.name.rstrip("_"))
        if is_dataclass(hints[field.name]):
            values[field.name] = read_params(hints[field.name], params, f"{prefix}{field.name}.")
        elif name is not None:
            values[field.name] = _typed(name, params[name], hints[field.name])
        elif field.default is MISSING:
            raise TypeError(f"{kind.__name__} needs a parameter {prefix}{field.name}, which is missing")
    return kind(**values)


def _typed(name: str, value: ParamValue, hint: Any) -> Any:
    is_list = get_origin(hint) is tuple and isinstance(value, str)
    try:
        return msgspec.convert(str(value).split(",") if is_list else value, hint, strict=not is_list)
    except msgspec.ValidationError as error:
        raise TypeError(f"parameter {name} cannot be {value!r}: {error}") from None
