"""Options of a split and their checks (design section 4)."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from protocols.errors import DataError
from protocols.text import near_miss

OptionValue = str | int | float | bool

LARGEST_ONE_SHOT_DRAW = 10
"""Draws of up to so many anomalies leave one and the same test set, where no option says otherwise."""

SPLIT_FILE = "split_file"
"""The option that takes all four lists from a file, and so goes with no other."""

OPTION_DESCRIPTIONS = {
    "normal_split": "`ranked`, or `released`: the authors' own draw of normals where the label file's order is known",
    "anomaly_draw": "`ranked`, or `released`: the shuffle of the authors' code, whose own seed is 42 (D27); of what "
    "it shuffles, a listing of directories, nobody wrote down the order: classes by id, then images by id (assumption)",
    "normal_side": "of a set of classes, `one_class` makes the named class normal and every other anomalous, "
    "`leave_one_out` the other way round (AGAD spec 1.2)",
    "deduplicate": "before any draw only the first id of equal sha256 stays, whatever the labels and halves of the "
    "others (D31)",
    "leak_guard": "a test image with the sha256 of a drawn anomaly leaves the test set; on for Mastcam (D32b)",
    "contamination": "share of unlabelled anomalies among the training normals (D37)",
    "one_shot_test": "`ten_shot_set`: every draw of up to ten leaves the same test set; a number above 10, such as "
    "100: every draw of up to so many does; or `own` (D26)",
    "limit_train": "keep the first n training normals by rank",
    "limit_test": "keep the first n test images by rank",
    SPLIT_FILE: "a file of the four lists, drawn elsewhere; records hold the first digits of their fingerprint",
}


@dataclass(frozen=True, slots=True)
class Options:
    """Every option of a split with its default; `OPTION_DESCRIPTIONS` describes each."""

    normal_split: str = "ranked"
    anomaly_draw: str = "ranked"
    normal_side: str = "one_class"
    deduplicate: bool = False
    leak_guard: bool = False
    contamination: float = 0.0
    one_shot_test: str | int = "ten_shot_set"
    limit_train: int | None = None
    limit_test: int | None = None
    split_file: str | None = None

    def without(self, defaults: "Options") -> dict[str, OptionValue]:
        """The options that differ from `defaults`, by name."""
        names = sorted(field.name for field in fields(self))
        return {name: getattr(self, name) for name in names if getattr(self, name) != getattr(defaults, name)}


_CHOICES = {
    "normal_split": ("ranked", "released"),
    "anomaly_draw": ("ranked", "released"),
    "normal_side": ("one_class", "leave_one_out"),
    "one_shot_test": ("ten_shot_set", "own"),
}
_SWITCHES = {"deduplicate", "leak_guard"}
_LIMITS = {"limit_train", "limit_test"}


def parse_split_options(
    values: Mapping[str, object], allowed: tuple[str, ...], rule: str, defaults: Options
) -> Options:
    """Options of a rule: `values` over `defaults`, each checked; None stands for the default.

    Raises:
        DataError: an option that the rule does not have, or a value that it cannot take.
    """
    fields_by_name: dict[str, OptionValue | None] = {
        field.name: getattr(defaults, field.name) for field in fields(Options)
    }
    for name, value in values.items():
        if name not in allowed:
            raise DataError(f"the rule {rule} has no split option '{name}': {near_miss(name, allowed)}")
        if value is not None:
            fields_by_name[name] = _checked(name, value)
    return Options(**fields_by_name)  # type: ignore[arg-type]  # each value was checked against its field


def _checked(name: str, value: object) -> OptionValue:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if name == "one_shot_test" and number:
        return _test_of(value)
    if name in _CHOICES:
        if isinstance(value, str) and value in _CHOICES[name]:
            return value
        raise DataError(f"split option {name} cannot be '{value}': {near_miss(str(value), _CHOICES[name])}")
    if name in _SWITCHES:
        if isinstance(value, bool):
            return value
        raise DataError(f"split option {name} cannot be '{value}': give true or false")
    if name == SPLIT_FILE:
        return _path_text(value)
    if name in _LIMITS:
        if isinstance(value, int) and number and value >= 1:
            return value
        raise DataError(f"split option {name} cannot be '{value}': give a whole number from 1")
    if number and 0 <= value < 1:  # type: ignore[operator]  # a number, by the line above
        return float(value)  # type: ignore[arg-type]
    raise DataError(f"split option {name} cannot be '{value}': give a share from 0 up to, not including, 1")


def _path_text(value: object) -> str:
    if isinstance(value, str) and value:
        return value
    raise DataError(f"split option {SPLIT_FILE} cannot be '{value}': give the path of a file")


def _test_of(draw: object) -> OptionValue:
    """The test set of draws of up to `draw` anomalies, that of ten shots by its name."""
    if not isinstance(draw, int) or draw < LARGEST_ONE_SHOT_DRAW:
        raise DataError(
            f"split option one_shot_test cannot be '{draw}': give ten_shot_set, own or a whole number from "
            f"{LARGEST_ONE_SHOT_DRAW}"
        )
    return _CHOICES["one_shot_test"][0] if draw == LARGEST_ONE_SHOT_DRAW else draw
