"""One class: a class of a set is normal, and the release's whole test set is the test (CSI spec 1, AGAD spec 1.2)."""

from collections.abc import Collection

from msgspec import structs

from protocols.coordinates import COORDINATE_FIELDS, AnyCoordinates
from protocols.splits.draw import steps
from protocols.splits.draw.class_sides import class_sides
from protocols.splits.draw.steps import DrawRequest, SplitLists

COORDINATES = ("normal_class",)
SUBSET = "normal_class"
OPTIONS = ("normal_side", "deduplicate", "limit_train", "limit_test")


def kept_as(coordinates: AnyCoordinates, method_rules: Collection[str]) -> tuple[str, AnyCoordinates]:
    """One class is the labelled share 0.00 of a method that knows shares."""
    if "labelled_share" in method_rules:
        return "labelled_share", structs.replace(coordinates, gamma=COORDINATE_FIELDS["gamma"].unlabelled)
    return "one_class", coordinates


def lists(request: DrawRequest) -> SplitLists:
    """Training images of the normal class, no labelled anomaly, every test image."""
    parts = class_sides(request)
    drawn = SplitLists(
        train_normal=steps.limit_train(request, parts.train_normal),
        train_anomaly=(),
        test_normal=parts.test_normal,
        test_anomaly=parts.test_other,
    )
    return steps.limit_test(request, drawn)
