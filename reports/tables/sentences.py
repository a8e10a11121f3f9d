"""One sentence on each method of a table: its verdict, ranks, and the counts of its cells' verdicts."""

from collections.abc import Iterable, Iterator

from protocols.text import plural
from reports.stats.thresholds import FEWEST_CELLS
from reports.stats.words import GROUP_MEANINGS, GROUP_TERMS, MARKS, group_words
from reports.tables.groups import Ranking, TableGroup, table_groups
from reports.tables.table import Table


def verdict_legend(groups: Iterable[TableGroup]) -> Iterator[str]:
    """Rules behind the words of these groups, a line each."""
    judged = [group.judged for group in groups if group.judged and group.judged.verdict]
    if judged:
        yield GROUP_TERMS
    if any(verdict.is_small for verdict in judged):
        yield f"[tau]: of fewer than {FEWEST_CELLS} cells, a hint"
    words = {verdict.verdict for verdict in judged}
    yield from (f"Of a method: {meaning}" for word, meaning in GROUP_MEANINGS.items() if word in words)


def verdict_sentences(table: Table) -> list[str]:
    """Sentences on each method's cells together; empty where another metric than the paper's is shown."""
    return [group_sentence(table, group) for group in table_groups(table)] if table.value.is_auroc else []


def group_sentence(table: Table, group: TableGroup) -> str:
    """`DRA, ten-shot: reproduced: D ..., tau ...; 30 of 30 cells measured; ...`."""
    decimals = table.layout.paper.decimals
    name = ", ".join(table.label(*pair) for pair in group.coordinates.items() if pair[1]) or table.layout.title
    of_cells = f"{group.measured} of {plural(group.cells, 'cell')} measured"
    if group.judged is None:
        none = "none of them can be judged" if group.left_out else "none of them is comparable with the paper"
        return f"{name}: {of_cells}, {none}."
    parts = [f"{name}: {group_words(group.judged, decimals)}", of_cells]
    others = group.measured - group.judged.pooled.cells - group.left_out
    parts += [f"{others} not comparable"] if others else []
    parts += [f"{group.left_out} left out, no spread is known"] if group.left_out else []
    parts += [f"{group.borrowed} of one run, with the published std"] if group.borrowed else []
    parts += [_ranks(group.ranking)] if group.ranking else []
    counts = [
        f"{group.counts.get(verdict, 0)} {verdict} ({group.expected.get(verdict, 0.0):.1f})"
        for verdict in MARKS
        if group.counts.get(verdict, 0) or round(group.expected.get(verdict, 0.0), 1)
    ]
    parts.append(f"verdicts (expected if all were equal): {', '.join(counts)}")
    return "; ".join(parts) + "."


def _ranks(ranking: Ranking) -> str:
    return (
        f"mean rank {ranking.rank:.1f} (the paper's {ranking.published_rank:.1f}) of {ranking.methods} methods, "
        f"{ranking.wins:g} (the paper's {ranking.published_wins:g}) of {plural(ranking.rows, 'row')} won"
    )
