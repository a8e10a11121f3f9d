"""What is counted beside a table of facts: images of prepared datasets (DRA's Table 5), parameters (AGAD's Table 8)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.views.datasets import table_5
from protocols.catalogue import data_folder
from protocols.datasets import registry as datasets
from protocols.errors import DataError

if TYPE_CHECKING:
    from reports.tables.facts import Facts


NETWORKS = Path(__file__).with_name("network_sizes.json")
"""Parameters of AGAD's generators by method, as `bench methods sizes` counts them, so that no report needs torch."""


def network_sizes() -> "dict[str, Facts]":
    """Parameters in millions by method."""
    from reports.tables.facts import Facts

    found: dict[str, int] = json.loads(NETWORKS.read_text(encoding="utf-8"))
    return {method: Facts({"params_millions": round(count / 1e6, 2)}) for method, count in found.items()}


def count_networks() -> dict[str, int]:
    """Parameters of the generators of AGAD's Table 8, of recipe official, colour, 32 pixels; needs torch."""
    from methods.detectors.agad.detector import generator_parameters
    from methods.registry import installed
    from methods.registry.recipe import resolve
    from reports.tables import layout

    table = layout.find("agad:8")
    methods = [dict(line.coordinates)["method"] for line in table.lines] if isinstance(table, layout.FactLayout) else []
    resolved = {method: resolve(installed.get(method), "official", "cifar10", {}).params for method in methods}
    return {method: generator_parameters(params, 32, 3) for method, params in resolved.items()}


def counted(data: Path, warn: Callable[[str], None]) -> "dict[str, Facts]":
    """Counts by dataset of those with published counts that are prepared; `warn` is told of each that is damaged."""
    from reports.tables.facts import Facts

    found = {}
    for name, info in datasets.infos().items():
        if info.published and data_folder.state(data, name) != "absent":
            try:
                counts = table_5(data_folder.open_dataset(data, name, notify=warn))
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
