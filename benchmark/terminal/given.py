"""Options of a call as somebody typed them, for a command that says them again."""

from collections.abc import Collection
from decimal import Decimal
from pathlib import Path
from typing import Any

import click


def given_words(context: click.Context, leave_out: Collection[str]) -> list[str]:
    """The options that the command line gave, in their order in the help, without the parameters `leave_out`."""
    words: list[str] = []
    for param in context.command.get_params(context):
        name = param.name or ""
        is_given = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if is_given and name not in leave_out and isinstance(param, click.Option):
            words += _words(param, context.params[name])
    return words


def _words(option: click.Option, value: Any) -> list[str]:
    name = option.opts[0]
    if option.is_flag:
        return [name]
    if option.multiple:
        return [word for one in value for word in (name, str(one))]
    if isinstance(value, tuple):
        return [name, ",".join(map(str, value))]
    if isinstance(value, float):
        return [name, f"{Decimal(repr(value)):f}s"]
    return [name, str(value.absolute() if isinstance(value, Path) else value)]
