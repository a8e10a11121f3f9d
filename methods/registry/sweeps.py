"""Settings of the command line: `METHOD.PARAM=VALUE`, or several values of which each is a run of its own."""

import re
from collections.abc import Mapping

from methods.errors import MethodError
from methods.registry.info import MethodInfo
from methods.registry.params import Param
from methods.registry.recipe import parse_assignment
from protocols.values import ParamValue

_OUTSIDE_QUOTES = re.compile(r""",(?=(?:[^"']*["'][^"']*["'])*[^"']*$)""")


def parse_setting(text: str, methods: Mapping[str, MethodInfo]) -> tuple[str, str, tuple[ParamValue, ...]]:
    """Method, parameter and values of a text such as `dra.topk=0.1` or `dra.topk=0.1,0.2`.

    A text with commas that the parameter takes as it is, such as `dra.heads=s,p`, is one value; so is a quoted text.
    Several texts of such a parameter are quoted each: `dra.heads="s,p","r,n"`.

    Raises:
        MethodError: the text has another form, or names a value twice.
    """
    target, _, value = (part.strip() for part in text.partition("="))
    parts = [text] if value.startswith("[") else _OUTSIDE_QUOTES.split(value)
    if len(parts) == 1:
        method, name, only = parse_assignment(text)
        return method, name, (only,)
    method, name, _ = parse_assignment(f"{target}=1")
    param = methods[method].params.get(name) if method in methods else None
    if param and _is_taken(param, value):
        return method, name, (value,)
    values = tuple(parse_assignment(f"{target}={part}")[2] for part in parts)
    if len(set(map(repr, values))) < len(values):
        raise MethodError(f"--set {text} has a value twice: give each once")
    return method, name, values


def _is_taken(param: Param, text: str) -> bool:
    try:
        param.accept(text)
    except ValueError:
        return False
    return True
