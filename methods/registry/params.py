"""One hyper-parameter: what it is in each recipe, what it may be, and the words that refuse anything else."""

import math
import re
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from protocols.values import ParamValue

RECIPES = ("official", "paper", "quick")
PER_DATASET = "per_dataset"

_LARGEST_INT = 2**53  # the largest integer that every JSON reader keeps exactly
_KINDS = {"float": "a float", "int": "an int", "bool": "true or false", "str": "a text", "size": "an int"}


def shown(value: object) -> str:
    """A value as a person would type it after `--set`, texts in quotes."""
    return str(value).lower() if value is None or isinstance(value, bool) else repr(value)


def assignment(text: str) -> tuple[str, str | int | float | bool]:
    """Name and value of `NAME=VALUE`; the value is one TOML value, or a bare word for a text.

    Raises:
        ValueError: the text has another form; the error's text says what the value may be.
    """
    import tomllib

    name, _, value = (part.strip() for part in text.partition("="))
    try:
        parsed = tomllib.loads(f"value = {value}")
    except (tomllib.TOMLDecodeError, RecursionError):
        parsed = {"value": value} if re.fullmatch(r"[\w.,:@+/-]+", value) else {}
    setting = parsed.get("value")
    if not name or len(parsed) != 1 or not isinstance(setting, str | int | float | bool):
        raise ValueError("with one value: a number, true, false, a word or a quoted text")
    return name, setting


class Param(msgspec.Struct, frozen=True, kw_only=True):
    """One hyper-parameter: its value in each recipe, what it may be, and where that comes from.

    `above` is an exclusive lower bound, `at_most` names a parameter that this one may not exceed, `form` is
    `subset:a,b,c` for a comma-separated choice, `diff` an id of the DIFF table of the papers' differences. Of the
    values of a choice, `refused` names those that no run may have, `leaking` those by which test labels get into the
    scores, so that no gate counts a run with them; each with the reason. `only_where` names parameters and those values
    of theirs without which this one has no effect: then it is in no resolved parameters, and so in no key. A switch
    that `needs_anomalies` has no effect without labelled ones: a fit that has it on and is given none is blocked.
    """

    type: Literal["float", "int", "bool", "str", "size"]
    source: Annotated[str, Meta(min_length=1)]
    default: ParamValue | UnsetType = UNSET
    official: ParamValue | UnsetType = UNSET
    paper: ParamValue | UnsetType = UNSET
    quick: ParamValue | UnsetType = UNSET
    min: int | float | None = None
    max: int | float | None = None
    above: int | float | None = None
    choices: tuple[str | int | float, ...] = ()
    optional: bool = False
    form: Annotated[str, Meta(pattern=r"\Asubset:\w+(,\w+)*\Z")] | None = None
    at_most: str | None = None
    only_where: dict[str, tuple[str | bool, ...]] = {}
    needs_anomalies: bool = False
    refused: dict[str, str] = {}
    leaking: dict[str, str] = {}
    diff: Annotated[str, Meta(pattern=r"\A[A-Z]\d+[a-z]?(, [A-Z]\d+[a-z]?)*\Z")] | None = None
    assumption: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        for recipe in RECIPES:
            self.value(recipe)

    def value(self, recipe: str) -> ParamValue:
        """The recipe's value, in its canonical form."""
        stated: ParamValue | UnsetType = getattr(self, recipe)
        value = self.default if stated is UNSET else stated
        if value is UNSET:
            raise ValueError(f"recipe {recipe} has no value: give {recipe} or default")
        try:
            return self.accept(value)
        except ValueError as error:
            raise ValueError(f"recipe {recipe} must have {error}, got {shown(value)}") from None

    def accept(self, value: object) -> ParamValue:
        """The value in its canonical form: ints become floats where those are wanted, subsets are sorted.

        Raises:
            ValueError: it is none of what the parameter may be; the text is `expected`.
        """
        if self.optional and (value is None or value == "none"):
            return None
        cast = self._cast(value)
        if cast is None or not self._allows(cast):
            raise ValueError(self.expected)
        return cast

    @property
    def expected(self) -> str:
        """Possible values of the parameter in words: `a float above 0`."""
        if self.form:
            text = f"one or more of {self.form.removeprefix('subset:')}"
        elif self.choices:
            text = "one of " + ", ".join(map(shown, self.choices))
        else:
            text = _KINDS[self.type] + self._limits()
        if self.type == "size":
            text += f" or '{PER_DATASET}'"
        return text + " or none" if self.optional else text

    def _limits(self) -> str:
        if self.min is not None and self.max is not None:
            return f" from {self.min:g} to {self.max:g}"
        bounds = {"above": self.above, "of at least": self.min, "of at most": self.max}
        words = [f"{word} {limit:g}" for word, limit in bounds.items() if limit is not None]
        return " " + " and ".join(words) if words else ""

    def _cast(self, value: object) -> str | float | None:
        if self.type == "bool":
            return value if isinstance(value, bool) else None
        if self.type == "str":
            return _in_order(self.form, value) if isinstance(value, str) else None
        if self.type == "size" and value == PER_DATASET:
            return PER_DATASET
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST_INT:
            return None
        if self.type == "float":
            return float(value) + 0.0  # no negative zero, which would be another key
        return value if isinstance(value, int) else None

    def _allows(self, value: str | float) -> bool:
        if isinstance(value, str):
            return bool(value) and (not self.choices or value in self.choices)
        return (
            math.isfinite(value)
            and (not self.choices or value in self.choices)
            and (self.above is None or value > self.above)
            and (self.min is None or value >= self.min)
            and (self.max is None or value <= self.max)
        )


def _in_order(form: str | None, value: str) -> str | None:
    """The chosen members of a subset in the order of its form; None where one is unknown or named twice."""
    if form is None:
        return value
    members = form.removeprefix("subset:").split(",")
    chosen = [part.strip() for part in value.split(",")]
    if len(set(chosen)) != len(chosen) or not set(chosen) <= set(members):
        return None
    return ",".join(member for member in members if member in chosen)
