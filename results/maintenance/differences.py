"""Runs that a person would call the same, and the differences of their keys."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from results.spec import FitSpec, RunSpec, canonical, digest

_FIELD_NAMES = {
    "params": "parameter",
    "dataset_fingerprint": "manifest of the dataset",
    "train_normal": "list of training normals",
    "train_anomaly": "list of training anomalies",
    "size": "parameter img_size",
    "resize": "parameter img_resize",
    "pools": "pool",
}
"""Fields of a fit by the words that a person knows; others keep their name."""
_DIGEST_FIELDS = {"dataset_fingerprint", "train_normal", "train_anomaly", "pools", "weights", "source"}
SHOWN_DIGITS = 8
_ABSENT = "absent"
_QUOTE = '"'


class Difference(NamedTuple):
    """One thing in which two specs differ, with both values as texts, digests cut to their first digits."""

    what: str
    ours: str
    theirs: str

    def beside(self, second: str) -> str:
        """`version = 1 (B: 2)`; `second` names the other side."""
        return f"{self.what} = {self.ours} ({second}: {self.theirs})"


def run_identity(spec: RunSpec) -> bytes:
    """Method, dataset, rule, coordinates and seeds of a run, as bytes: equal for what a person calls the same run."""
    split = spec.split
    coordinates = tuple(split.coordinates.values())
    return canonical([spec.method, split.rule, split.dataset, coordinates, spec.split_seed, spec.fit.seed])


def spec_differences(a: RunSpec, b: RunSpec) -> list[Difference]:
    """Differences that make the keys of two runs differ; before them that of the recipe, which is in no key."""
    listed = [*value_differences("recipe", a.recipe, b.recipe), *_fit_differences(a.fit, b.fit)]
    if a.source is not None and b.source is not None:
        listed += [item._replace(what=f"source's {item.what}") for item in _fit_differences(a.source, b.source)]
    else:
        listed += value_differences("source", a.fit.source, b.fit.source, digits=SHOWN_DIGITS)
    listed += _mapping_differences("split option", a.split.options, b.split.options)
    listed += value_differences("test list", a.test, b.test, digits=SHOWN_DIGITS)
    return listed + list(_mapping_differences("parameter", _evaluation(a), _evaluation(b)))


def value_differences(what: str, ours: Any, theirs: Any, *, digits: int | None = None) -> Iterator[Difference]:
    """The difference of two values, nothing where both are hashed alike."""
    if canonical(ours) != canonical(theirs):
        yield Difference(what, _value_text(ours, digits), _value_text(theirs, digits))


def _fit_differences(a: FitSpec, b: FitSpec) -> Iterator[Difference]:
    for field in FitSpec.__struct_fields__:
        what, digits = _FIELD_NAMES.get(field, field), SHOWN_DIGITS if field in _DIGEST_FIELDS else None
        ours, theirs = getattr(a, field), getattr(b, field)
        if isinstance(ours, dict):
            yield from _mapping_differences(what, ours, theirs, digits=digits)
        elif field != "source":
            yield from value_differences(what, ours, theirs, digits=digits)


def _evaluation(spec: RunSpec) -> dict[str, Any]:
    settings: dict[str, Any] = msgspec.to_builtins(spec.evaluation) or {}
    return {f"evaluation.{name}": value for name, value in settings.items()}


def _mapping_differences(
    what: str, ours: Mapping[str, Any], theirs: Mapping[str, Any], *, digits: int | None = None
) -> Iterator[Difference]:
    for name in sorted({**ours, **theirs}):
        yield from value_differences(
            f"{what} {name}", ours.get(name, _ABSENT), theirs.get(name, _ABSENT), digits=digits
        )


def _value_text(value: Any, digits: int | None) -> str:
    if digits and value is not None and not isinstance(value, str):
        value = digest(value)
    return canonical(value).decode().strip(_QUOTE)[:digits]
