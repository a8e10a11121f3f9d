"""Runs that stand in no table of a paper: other datasets, methods or shots than the paper has."""

from collections.abc import Callable, Collection, Iterable

from reports.render import escape_markdown, pipe_table
from reports.table import Table
from results.record import Record


def elsewhere(table: Table, records: Iterable[Record], measures: Callable[[Record], Collection[str]]) -> list[Record]:
    """The records that no measured cell of `table` can show."""
    names = ("dataset", "known_class", "normal_class", "method", "shots", "gamma")
    shown = {tuple(cell.coordinates.get(name, "") for name in names) for cell in table.cells if cell.measured}

    def stands(record: Record) -> bool:
        split = record.spec.split
        shots = "" if split.shots is None else str(split.shots)
        dataset = split.dataset.partition("@")[0]
        return any(
            (dataset, split.known_class or "", split.normal_class or "", method, shots, split.gamma or "") in shown
            for method in measures(record)
        )

    return [record for record in records if not stands(record)]


def listing(records: Iterable[Record]) -> str:
    """Markdown: one line a finished run with its AUC and average precision, by name."""
    rows = [
        [
            escape_markdown(record.spec.name),
            record.spec.recipe,
            f"{record.metrics.auroc:.4f}",
            f"{record.metrics.average_precision:.4f}",
        ]
        for record in sorted(records, key=lambda record: record.spec.name)
        if record.metrics
    ]
    return pipe_table(["Run", "Recipe", "AUC", "Average precision"], rows) + "\n"
