"""Ids of cells: `PROTOCOL/DATASET/[CLASS/]METHOD[/SHOTS|GAMMA]`, with `PAPER:TABLE/` in front where wanted."""

from collections.abc import Mapping

from protocols.coordinates import COORDINATE_FIELDS
from reports.layouts.layout import Layout
from results.record import Record


def cell_id(layout: Layout, at: Mapping[str, str]) -> str:
    """The id of a printed cell, without paper and table; a cell that holds no AUC ends with what it holds."""
    source = layout.source(at)
    if source is None:
        return "/".join([layout.rule(at), *(value for name, value in at.items() if value and name != "protocol")])
    return "/".join([_joined(source.rule, source.method, {**at, **source.split}), *filter(None, [source.history])])


def run_cell_id(record: Record, method: str) -> str:
    """The id of the cell in which a run stands as `method`, were there a table of it."""
    split = record.spec.split
    return _joined(split.rule, method, {"dataset": split.dataset.partition("@")[0], **split.coordinate_texts})


def _joined(rule: str, method: str, at: Mapping[str, str]) -> str:
    """Under the rule cross_domain the dataset is `SOURCE-to-TARGET`."""
    source, target = at.get("source_dataset", ""), at["dataset"]
    dataset = f"{source}-to-{target}" if source else target
    subset, labels = (
        [
            at.get(name, "")
            for name, field in COORDINATE_FIELDS.items()
            if field.role == role and name != "source_dataset"
        ]
        for role in ("subset", "labels")
    )
    return "/".join([rule, dataset, *filter(None, [*subset, method, *labels])])
