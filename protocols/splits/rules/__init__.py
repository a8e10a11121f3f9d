"""Rules: how a dataset becomes the four lists of a split. One rule a file, found by listing this package."""

import importlib
import pkgutil
from typing import Protocol, cast

from protocols.errors import DataError
from protocols.splits.draw.steps import Lists, Request
from protocols.text import near_miss


class Rule(Protocol):
    """What a rule's module has: the coordinates it needs, the split options it knows, and the draw itself."""

    COORDINATES: tuple[str, ...]
    OPTIONS: tuple[str, ...]

    def lists(self, request: Request) -> Lists: ...


def names() -> tuple[str, ...]:
    """The ids of the rules, sorted."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def get(name: str) -> Rule:
    """The rule of that id.

    Raises:
        DataError: there is none.
    """
    if name not in names():
        raise DataError(f"there is no rule '{name}': {near_miss(name, names())}")
    return cast("Rule", importlib.import_module(f"{__name__}.{name}"))
