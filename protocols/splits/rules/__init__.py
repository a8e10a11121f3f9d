"""Rules: how a dataset becomes the four lists of a split. One rule a file, found by listing this package."""

import functools
import importlib
import pkgutil
from collections.abc import Callable, Collection
from typing import Protocol, cast

from protocols.coordinates import AnyCoordinates
from protocols.errors import DataError
from protocols.splits.draw.steps import DrawRequest, SplitLists
from protocols.text import near_miss


class Rule(Protocol):
    """The module of a rule: the coordinates that it draws by, the split options that it knows, and the draw itself.

    SUBSET is the coordinate that a suite lists for each dataset, None where a dataset is taken whole. A rule may also
    have `kept_as(coordinates, method_rules)`: rule and coordinates under which a run is kept, where another rule asks
    for the very same fit and test list; and `LIKE`, the id of a rule whose methods fit its splits too, so that no
    recipe has to name it.
    """

    COORDINATES: tuple[str, ...]
    OPTIONS: tuple[str, ...]
    SUBSET: str | None

    def lists(self, request: DrawRequest) -> SplitLists: ...


@functools.cache
def rule_names() -> tuple[str, ...]:
    """The ids of the rules, sorted."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def find_rule(name: str) -> Rule:
    """The rule of that id.

    Raises:
        DataError: there is none.
    """
    if name not in rule_names():
        raise DataError(f"there is no rule '{name}': {near_miss(name, rule_names())}")
    return cast("Rule", importlib.import_module(f"{__name__}.{name}"))


def is_fitted_by(name: str, method_rules: Collection[str]) -> bool:
    """True where a method that knows `method_rules` fits splits of the rule `name`: it, or the one that it is LIKE."""
    return name in method_rules or getattr(find_rule(name), "LIKE", None) in method_rules


def kept_as(name: str, coordinates: AnyCoordinates, method_rules: Collection[str]) -> tuple[str, AnyCoordinates]:
    """Rule and coordinates under which a run of the rule `name` is kept, by a method that knows `method_rules`."""
    of_rule: Callable[..., tuple[str, AnyCoordinates]] | None = getattr(find_rule(name), "kept_as", None)
    return (name, coordinates) if of_rule is None else of_rule(coordinates, method_rules)
