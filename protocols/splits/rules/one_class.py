"""One class: a class of a set is normal, and the release's whole test set is the test (CSI spec 1, AGAD spec 1.2)."""

from protocols.splits.draw import steps
from protocols.splits.draw.class_sides import sides
from protocols.splits.draw.steps import Lists, Request

COORDINATES = ("normal_class",)
OPTIONS = ("normal_side", "deduplicate", "limit_train", "limit_test")


def lists(request: Request) -> Lists:
    """Training images of the normal class, no labelled anomaly, every test image."""
    parts = sides(request)
    drawn = Lists(
        train_normal=steps.limit_train(request, parts.train_normal),
        train_anomaly=(),
        test_normal=parts.test_normal,
        test_anomaly=parts.test_other,
    )
    return steps.limit_test(request, drawn)
