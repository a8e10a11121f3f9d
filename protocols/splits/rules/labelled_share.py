"""Labelled share: one class, and beside it a share gamma of labelled true anomalies in training (AGAD spec 1.1)."""

import math
import re
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from protocols.errors import DataError
from protocols.splits.draw import steps
from protocols.splits.draw.class_sides import class_sides, first_others
from protocols.splits.draw.steps import DrawRequest, SplitLists

COORDINATES = ("normal_class", "gamma")
SUBSET = "normal_class"
OPTIONS = ("normal_side", "deduplicate", "leak_guard", "limit_train", "limit_test")

_CANONICAL = re.compile(r"0\.[0-9]{2}([0-9]{0,7}[1-9])?")


def lists(request: DrawRequest) -> SplitLists:
    """The lists of one_class, and the first a training images of the other side by rank.

    Neither the class nor gamma enters the rank, so that a smaller share is a prefix of a larger one.
    """
    gamma = exact_share(request.gamma)
    parts = class_sides(request)
    train_normal = steps.limit_train(request, parts.train_normal)
    n_labelled = n_anomalies(len(train_normal), gamma)
    if n_labelled > len(parts.train_other):
        raise DataError(
            f"gamma {request.gamma} of {len(train_normal)} normals asks for {n_labelled} labelled anomalies and "
            f"{request.dataset.name} has {len(parts.train_other)} for training: lower gamma, or set limit_train"
        )
    drawn = SplitLists(
        train_normal=train_normal,
        train_anomaly=first_others(request, n_labelled),
        test_normal=parts.test_normal,
        test_anomaly=parts.test_other,
    )
    return steps.limit_test(request, steps.without_leaks(request, drawn.train_anomaly, drawn))


def n_anomalies(n_normal: int, gamma: Fraction) -> int:
    """Labelled anomalies that make a share gamma of the training images: floor(n g / (1 - g) + 1/2)."""
    return math.floor(n_normal * gamma / (1 - gamma) + Fraction(1, 2))


def exact_share(gamma: str | None) -> Fraction:
    """The exact share that a text such as `0.05` names.

    Raises:
        DataError: not a decimal from 0.00 up to, not including, 1, with two decimals or as many as it needs.
    """
    if not isinstance(gamma, str) or not _CANONICAL.fullmatch(gamma):
        raise DataError(f"gamma cannot be '{gamma}': {_near(str(gamma))}")
    return Fraction(gamma)


def _near(text: str) -> str:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if value.is_finite() and 0 <= value < 1 and (not value or value.adjusted() >= -9):
        near = f"0.{f'{value:f}'.partition('.')[2].rstrip('0'):0<2}" if value else "0.00"
        if _CANONICAL.fullmatch(near):
            return f"did you mean '{near}'?"
    return "give a share of the training images from 0.00 up to, not including, 1, such as 0.05"
