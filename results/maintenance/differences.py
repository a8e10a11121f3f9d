"""Runs that a person would call the same, and what makes their keys differ."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from results.key import canonical, digest
from results.spec import FitSpec, RunSpec

NAMES = {
    "params": "parameter",
    "dataset_fingerprint": "manifest of the dataset",
    "train_normal": "list of training normals",
    "train_anomaly": "list of training anomalies",
    "size": "parameter img_size",
    "resize": "parameter img_resize",
    "pools": "pool",
}
"""Fields of a fit as a person knows them; others go by their own name."""
DIGESTS = {"dataset_fingerprint", "train_normal", "train_anomaly", "pools", "weights", "source"}
SHOWN_DIGITS = 8
ABSENT = "absent"
QUOTE = '"'


class Difference(NamedTuple):
    """One thing in which two specs differ, with both values as texts; of digests the first digits."""

    what: str
    ours: str
    theirs: str

    def beside(self, other: str) -> str:
        """`version = 1 (B: 2)`; `other` names the second side."""
        return f"{self.what} = {self.ours} ({other}: {self.theirs})"


def place(spec: RunSpec) -> bytes:
    """What a person would call one run: method, dataset, rule, coordinates and seeds."""
    split = spec.split
    coordinates = tuple(split.coordinates.values())
    return canonical([spec.method, split.rule, split.dataset, coordinates, spec.split_seed, spec.fit.seed])


def differences(a: RunSpec, b: RunSpec) -> list[Difference]:
    """What makes the keys of two runs differ; the recipe first, which is in no key."""
    found = [*of_values("recipe", a.recipe, b.recipe), *_of_fits(a.fit, b.fit)]
    if a.source is not None and b.source is not None:
        found += [one._replace(what=f"source's {one.what}") for one in _of_fits(a.source, b.source)]
    else:
        found += of_values("source", a.fit.source, b.fit.source, digits=SHOWN_DIGITS)
    found += _of_mappings("split option", a.split.options, b.split.options)
    found += of_values("test list", a.test, b.test, digits=SHOWN_DIGITS)
    return found + list(_of_mappings("parameter", _evaluation(a), _evaluation(b)))


def of_values(what: str, ours: Any, theirs: Any, *, digits: int | None = None) -> Iterator[Difference]:
    """The difference of two values, nothing where both are hashed alike."""
    if canonical(ours) != canonical(theirs):
        yield Difference(what, _shown(ours, digits), _shown(theirs, digits))


def _of_fits(a: FitSpec, b: FitSpec) -> Iterator[Difference]:
    for field in FitSpec.__struct_fields__:
        what, digits = NAMES.get(field, field), SHOWN_DIGITS if field in DIGESTS else None
        ours, theirs = getattr(a, field), getattr(b, field)
        if isinstance(ours, dict):
            yield from _of_mappings(what, ours, theirs, digits=digits)
        elif field != "source":
            yield from of_values(what, ours, theirs, digits=digits)


def _evaluation(spec: RunSpec) -> dict[str, Any]:
    settings: dict[str, Any] = msgspec.to_builtins(spec.evaluation) or {}
    return {f"evaluation.{name}": value for name, value in settings.items()}


def _of_mappings(
    what: str, ours: Mapping[str, Any], theirs: Mapping[str, Any], *, digits: int | None = None
) -> Iterator[Difference]:
    for name in sorted({**ours, **theirs}):
        yield from of_values(f"{what} {name}", ours.get(name, ABSENT), theirs.get(name, ABSENT), digits=digits)


def _shown(value: Any, digits: int | None) -> str:
    if digits and value is not None and not isinstance(value, str):
        value = digest(value)
    return canonical(value).decode().strip(QUOTE)[:digits]
