"""Ids of cells: `PROTOCOL/DATASET/[CLASS/]METHOD[/SHOTS|GAMMA]`, with `PAPER:TABLE/` in front where wanted."""

from collections.abc import Mapping

from protocols.coordinates import COORDINATE_FIELDS
from reports.layouts.layout import Layout, Source
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


def cell_arguments(source: Source, at: Mapping[str, str]) -> tuple[str, ...]:
    """The five parts of a measured cell's id: rule, dataset, class, method, and shots, gamma or what it holds.

    Parts that it does not have are empty.
    """
    rule, dataset, subset, method, labels = _parts(source.rule, source.method, {**at, **source.split})
    return rule, dataset, "-".join(subset), method, "-".join([*labels, *filter(None, [source.history])])


def _joined(rule: str, method: str, at: Mapping[str, str]) -> str:
    rule, dataset, subset, method, labels = _parts(rule, method, at)
    return "/".join([rule, dataset, *subset, method, *labels])


def _parts(rule: str, method: str, at: Mapping[str, str]) -> tuple[str, str, list[str], str, list[str]]:
    """Under the rule cross_domain the dataset is `SOURCE-to-TARGET`."""
    source, target = at.get("source_dataset", ""), at["dataset"]
    dataset = f"{source}-to-{target}" if source else target
    subset, labels = (
        [
            at[name]
            for name, field in COORDINATE_FIELDS.items()
            if field.role == role and name != "source_dataset" and at.get(name)
        ]
        for role in ("subset", "labels")
    )
    return rule, dataset, subset, method, labels
