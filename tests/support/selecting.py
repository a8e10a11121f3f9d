"""Selections as tests write them: coordinates by the plural of the option that selects several."""

from typing import Any

from benchmark.planning.suite import Selection
from protocols.coordinates import COORDINATE_FIELDS

PLURALS = {field.plural: name for name, field in COORDINATE_FIELDS.items()}
KEYWORDS = {"methods", "datasets", "seeds", "split_seeds", *PLURALS}


def select(**filters: Any) -> Selection:
    """`select(methods=("dra",), known_classes=("dot",), shots=(1,))`."""
    coordinates = {PLURALS[name]: values for name, values in filters.items() if name in PLURALS}
    return Selection(
        **{name: values for name, values in filters.items() if name not in PLURALS}, coordinates=coordinates
    )
