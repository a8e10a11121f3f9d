"""Published reruns judged by the rules for ours: what a later paper measured anew beside what the first one printed.

A cell is the difference of two printed means; the groups are the table's, method and number of shots.
"""

from dataclasses import dataclass

from reports.layouts.layout import Layout
from reports.stats.sample import pooling_errors
from reports.stats.table_verdict import CellDifference, TableVerdict, table_verdict
from reports.stats.thresholds import MARGIN
from reports.tables.sources import PublishedSource, SourceIndex, published_sources
from reports.text import pipe_table


@dataclass(frozen=True, slots=True)
class RerunGroup:
    """Cells of one rerun that are judged together against one paper; `of_cells` counts those that it measured."""

    rerun: Layout
    original: str
    name: str
    judged: TableVerdict
    of_cells: int


def rerun_groups(margin: float = MARGIN) -> list[RerunGroup]:
    """Every group of leaf cells that a table of a later paper measured anew, in the order of the tables.

    Of a table that prints means alone these are its leaf cells.
    """
    index = published_sources()
    return [group for layout in index.layouts for group in _groups(layout, index, margin)]


def reruns_table(groups: list[RerunGroup]) -> str:
    """Markdown: one line a group, differences are rerun minus first paper."""
    rows = []
    for group in groups:
        judged, decimals = group.judged, group.rerun.paper.decimals
        tau, digits = "", f".{decimals}f"
        if judged.tau is not None and judged.tau_low is not None and judged.tau_high is not None:
            tau = f"{judged.tau:{digits}} ({judged.tau_low:{digits}} to {judged.tau_high:{digits}})"
            tau = f"[{tau}]" if judged.is_small else tau
        rows.append(
            [
                f"{group.rerun.paper.name} Table {group.rerun.table}",
                group.name,
                str(judged.pooled.cells),
                f"{judged.pooled.difference:+z.{decimals + 1}f}",
                f"{judged.pooled.standard_error:.{decimals + 1}f}",
                f"{judged.low:+z{digits}} to {judged.high:+z{digits}}",
                tau,
                judged.verdict or "one cell",
            ]
        )
    return pipe_table(["Rerun", "Of", "Cells", "D", "SE", "90 % interval", "tau", "Verdict"], rows) + "\n"


def _groups(layout: Layout, index: SourceIndex, margin: float) -> list[RerunGroup]:
    groups: dict[tuple[str, tuple[str, ...]], list[tuple[PublishedSource, PublishedSource]]] = {}
    for cell in layout.published_cells:
        at = dict(cell.coordinates)
        if cell.value is None or cell.coordinates not in layout.leaves or layout.source_kind(at)[0] != "rerun":
            continue
        sources = index.of_cell(layout, at)
        rerun = next((source for source in sources if source.paper == layout.paper.paper), None)
        original = next((source for source in sources if source.kind == "paper"), None)
        if rerun and original and rerun.layout.table == layout.table:
            names = tuple(layout.label(name, at[name]) for name in layout.groups)
            groups.setdefault((original.layout.paper.name, names), []).append((original, rerun))
    judged_groups = []
    for (paper, names), pairs in groups.items():
        differences = [difference for pair in pairs if (difference := _difference(*pair, layout.scale))]
        if differences:
            judged = table_verdict(differences, margin * layout.scale)
            judged_groups.append(RerunGroup(layout, paper, ", ".join(filter(None, names)), judged, len(pairs)))
    return judged_groups


def _difference(original: PublishedSource, rerun: PublishedSource, scale: float) -> CellDifference | None:
    theirs, ours = original.sample(scale), rerun.sample(scale)
    errors = pooling_errors(theirs, ours)
    return CellDifference(ours.mean - theirs.mean, errors) if errors else None
