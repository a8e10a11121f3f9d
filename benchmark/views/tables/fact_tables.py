"""Facts measured beside a paper's table of facts: images of prepared datasets, parameters of networks."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.views.datasets import image_counts
from methods.errors import MethodError
from protocols.catalogue import data_folder
from protocols.datasets.registry import dataset_info
from protocols.errors import DataError
from protocols.plugins import PluginError

if TYPE_CHECKING:
    from reports.layouts.layout import FactLayout
    from reports.pages.facts import Facts


NETWORKS = Path(__file__).with_name("network_sizes.json")
"""Parameters of networks by table and printed method, as `bench methods sizes` counts them, so that no report of these
needs torch.
"""


def measured_facts(layout: "FactLayout", data: Path, warn: Callable[[str], None]) -> "dict[str, Facts]":
    """Measured facts of a table's rows, by its key; `warn` is told of those that cannot be measured."""
    if layout.entry.measured_by == "images":
        return _images(layout, data, warn)
    if layout.entry.measured_by == "network_parameters":
        return _networks(layout, warn)
    return {}


def count_networks(layout: "FactLayout", warn: Callable[[str], None]) -> dict[str, int]:
    """Parameters of the networks of a table by printed method, as its `networks` says; needs torch.

    Methods whose detector has no `network_parameters` are left out.
    """
    from methods.registry import installed
    from methods.registry.recipe import resolve
    from protocols import plugins

    setting, counts = layout.entry.networks, {}
    printed = [dict(line.coordinates)[layout.entry.key] for line in layout.lines]
    for name, method in ((name, layout.paper.methods.get(name)) for name in printed):
        if setting is None or method is None:
            continue
        try:
            info = installed.get(method)
            params = resolve(info, setting.recipe, setting.dataset, {}).params
            count = getattr(installed.load(info), "network_parameters", None)
            if count is not None:
                with plugins.guest_code():
                    counts[name] = int(count(params, setting.side, setting.channels))
        except (MethodError, PluginError) as error:
            warn(f"the parameters of {name} are not counted: {error}")
    return counts


def sized_tables() -> "Iterator[FactLayout]":
    """Every table that counts parameters of networks."""
    from reports.layouts import layout

    for name in layout.table_ids():
        table = layout.find_layout(name)
        if isinstance(table, layout.FactLayout) and table.entry.measured_by == "network_parameters":
            yield table


def _networks(layout: "FactLayout", warn: Callable[[str], None]) -> "dict[str, Facts]":
    from reports.pages.facts import Facts

    packaged: dict[str, dict[str, int]] = json.loads(NETWORKS.read_text(encoding="utf-8"))
    counts = packaged[layout.id] if layout.id in packaged else count_networks(layout, warn)
    return {name: Facts({"params_millions": round(count / 1e6, 2)}) for name, count in counts.items()}


def _images(layout: "FactLayout", data: Path, warn: Callable[[str], None]) -> "dict[str, Facts]":
    """Counts by dataset of the rows and of the groups that rows sum, as far as they are prepared."""
    from reports.pages.facts import Facts

    rows = [dict(line.coordinates)[layout.entry.key] for line in layout.lines]
    parts = [name for group in layout.entry.sums.values() for name in layout.paper.groups[group]]
    facts = {}
    for name in dict.fromkeys([*rows, *parts]):
        if data_folder.dataset_state(data, name) == "absent":
            continue
        try:
            counts = image_counts(data_folder.open_dataset(data, name, notify=warn))
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
            info = dataset_info(name)
            facts[name] = Facts(values, info.differences if info else "")
    return facts
