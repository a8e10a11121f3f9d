"""Images of the prepared datasets, beside what DRA's Table 5 prints."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.data_view import table_5
from protocols import datasets, prepare
from protocols.errors import DataError

if TYPE_CHECKING:
    from reports.facts import Facts


def counted(data: Path, warn: Callable[[str], None]) -> "dict[str, Facts]":
    """Counts by dataset of those with published counts that are prepared; `warn` is told of each that is damaged."""
    from reports.facts import Facts

    found = {}
    for name, info in datasets.infos().items():
        if info.published and prepare.state(data, name) != "absent":
            try:
                counts = table_5(prepare.open_dataset(data, name, notify=warn))
            except DataError as error:
                warn(f"{name} is not counted: {error}")
                continue
            if counts:
                values = {
                    "train_normal": counts.train_normal,
                    "test_normal": counts.test_normal,
                    "test_anomaly": counts.anomalies,
                    "anomaly_classes": counts.classes,
                }
                found[name] = Facts(values, info.differences)
    return found
