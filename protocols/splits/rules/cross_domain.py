"""Cross-domain: trained on a source, fine-tuned on a target's normals, tested on the target (DRA spec 2.12).

The lists are those of the general rule on the target, by the same ranks: spec 2.12 tests on the target's general
ten-shot test set, whatever the source. The source has a general split of its own, and its fit is part of the target's
fit, not of the split; the target's labelled anomalies leave the test set and are given to nobody.
"""

from collections.abc import Collection

from protocols.coordinates import AnyCoordinates
from protocols.splits.rules.general import COORDINATES, lists
from protocols.splits.rules.general import DRAW_OPTIONS as OPTIONS

__all__ = ["COORDINATES", "OPTIONS", "SUBSET", "kept_as", "lists"]

SUBSET = "source_dataset"


def kept_as(coordinates: AnyCoordinates, method_rules: Collection[str]) -> tuple[str, AnyCoordinates]:  # noqa: ARG001 - a form of all rules
    """A method without anomalies beside a cross-domain one is trained on the target: that is its general run."""
    return "general" if coordinates.source_dataset is None else "cross_domain", coordinates
