"""The coordinates of a split: what, beside dataset, rule and seed, names the one that is meant.

This is the one place that spells them out. What is drawn, planned, recorded and printed by coordinates inherits
`Coordinates`; options, columns and checks are made from `COORDINATE_FIELDS`. A new coordinate is a field, its entry,
and a rule that draws by it.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

CoordinateValue = str | int | None


class Coordinates(msgspec.Struct, frozen=True, kw_only=True):
    """The coordinates of one split; None stands for what its rule does not have."""

    source_dataset: str | None = None
    known_class: str | None = None
    normal_class: str | None = None
    shots: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    gamma: str | None = None

    @property
    def coordinates(self) -> dict[str, Any]:
        """Every coordinate by name."""
        return {name: getattr(self, name) for name in COORDINATE_FIELDS}

    @property
    def subset(self) -> dict[str, Any]:
        """The coordinates that name a part of the dataset, and where it is fine-tuned from."""
        return {name: getattr(self, name) for name, field in COORDINATE_FIELDS.items() if field.role == "subset"}

    @property
    def labels(self) -> dict[str, Any]:
        """The coordinates that say how many anomalies are labelled."""
        return {name: getattr(self, name) for name, field in COORDINATE_FIELDS.items() if field.role == "labels"}

    @property
    def coordinate_texts(self) -> dict[str, str]:
        """Every coordinate as tables print it, empty where it is unset."""
        return {name: "" if value is None else str(value) for name, value in self.coordinates.items()}


AnyCoordinates = TypeVar("AnyCoordinates", bound=Coordinates)


class Coordinate(NamedTuple):
    """A field of `Coordinates`.

    role: `subset`, which part of a dataset is meant, listed by a suite for each dataset; `labels`, how many of its
    anomalies are labelled, listed by a suite for all. kind: of the value. plural: of a suite's key. meaning: the help
    of an option that names one value; several: of one that selects several. unlabelled: the value of a method that is
    given no labelled anomalies.
    """

    role: Literal["subset", "labels"]
    kind: type[int] | type[str]
    plural: str
    meaning: str
    several: str
    unlabelled: CoordinateValue = None


COORDINATE_FIELDS: Mapping[str, Coordinate] = {
    "source_dataset": Coordinate(
        "subset", str, "source_datasets", "The dataset that is fine-tuned from.", "Fine-tune only from these datasets."
    ),
    "known_class": Coordinate(
        "subset", str, "known_classes", "The class seen in training (hard).", "Only these known classes."
    ),
    "normal_class": Coordinate(
        "subset",
        str,
        "normal_classes",
        "The class that is normal (one_class, labelled_share).",
        "Only these normal classes.",
    ),
    "shots": Coordinate(
        "labels", int, "shots", "Labelled anomalies, where the rule has them (10).", "Numbers of labelled anomalies."
    ),
    "gamma": Coordinate(
        "labels",
        str,
        "gammas",
        "Share of labelled anomalies, such as 0.05 (labelled_share).",
        "Shares of labelled anomalies, such as 0.00,0.05.",
        unlabelled="0.00",
    ),
}
