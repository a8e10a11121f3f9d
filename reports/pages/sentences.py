"""One sentence on each method of a table: its verdict, ranks, the counts of its cells' verdicts, tests of a suite."""

from collections.abc import Iterable, Iterator

from protocols.text import plural
from reports.stats.paired import LEAST_DATASETS
from reports.stats.thresholds import EPSILON, FEWEST_CELLS, PAIRED_ALPHA
from reports.stats.words import GROUP_MEANINGS, GROUP_TERMS, MARKS, group_words, verdict_words
from reports.tables.groups import Ranking, TableGroup, table_groups
from reports.tables.judging import Baseline
from reports.tables.table import Cell, Table

NO_PUBLISHED_VALUE = "no published value"
OTHER_READING = "if the paper's runs shared one draw of anomalies"
OTHER_SOURCES = " Columns of other papers: the same cells as they measured them; what they quote is left out."


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
    if group.unpublished:
        value = f", {NO_PUBLISHED_VALUE}" if table.layout.is_published else ""
        parts = [f"{name}: {of_cells}{value}", *([_ranks(group.ranking)] if group.ranking else [])]
        parts += [*_among(table, group), *_against(table, group)]
        return "; ".join(parts) + "."
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
    rank, wins = f"mean rank {ranking.rank:.1f}", f"{ranking.wins:g}"
    methods, rows = f"{ranking.methods} methods", plural(ranking.rows, "row")
    if ranking.published_rank is None or ranking.published_wins is None:
        return f"{rank} of {methods} measured, {wins} of {rows} won"
    return (
        f"{rank} (the paper's {ranking.published_rank:.1f}) of {methods}, "
        f"{wins} (the paper's {ranking.published_wins:g}) of {rows} won"
    )


def _among(table: Table, group: TableGroup) -> list[str]:
    """The label budget of those among whom a method without one is ranked."""
    if group.ranking is None or any(group.coordinates.get(name) for name in group.ranking.budget):
        return []
    return [f"ranked among those with {table.label(*pair)}" for pair in group.ranking.budget.items() if pair[1]]


def _against(table: Table, group: TableGroup) -> list[str]:
    """Signs of the differences from the baseline over the rows of a group, and those that hold after Holm."""
    baseline = table.baseline
    if baseline is None:
        return []
    leaves = table.layout.leaves
    tests = [
        test
        for at, test in baseline.tests.items()
        if at in leaves and all(dict(at).get(name, text) == text for name, text in group.coordinates.items())
    ]
    if not tests:
        return []
    better, worse = (
        [test for test in tests if sign * table.value.metric.sign * test.difference > EPSILON] for sign in (1, -1)
    )
    held = [sum(test.holds for test in side) for side in (better, worse)]
    counts = f"better on {len(better)} of {plural(len(tests), 'row')}, worse on {len(worse)}"
    return [f"against {table.label('method', baseline.method)}: {counts} (after Holm {held[0]} and {held[1]} hold)"]


def baseline_headings(table: Table, baseline: Baseline) -> tuple[str, ...]:
    """Headings of the details of a table with a baseline."""
    difference = f"Difference from {table.label('method', baseline.method)}"
    return "Cell", "n", "Std", difference, "95 % interval", "Test-set error", "Paired test"


def baseline_texts(table: Table, cell: Cell) -> tuple[str, str, str]:
    """Difference of a cell from the baseline's, its interval, and the test in words; empty where it has none."""
    test = table.baseline.tests.get(tuple(cell.coordinates.items())) if table.baseline else None
    if test is None:
        return "", "", ""
    decimals = table.layout.paper.decimals
    interval = ""
    if test.low is not None and test.high is not None:
        interval = f"{test.low:+z.{decimals}f} to {test.high:+z.{decimals}f}"
    if test.p_value is None or test.p_holm is None:
        return f"{test.difference:+z.{decimals}f}", interval, test.reason
    words = f"{test.test}: p {p_text(test.p_value)}, after Holm {p_text(test.p_holm)}"
    return f"{test.difference:+z.{decimals}f}", interval, words


def p_text(value: float) -> str:
    """A p value as tables print it."""
    return f"{value:.4f}" if value >= 0.00005 else "<0.0001"


def baseline_mark(table: Table, cell: Cell) -> str:
    """An arrow where the difference from the baseline is off zero."""
    test = table.baseline.tests.get(tuple(cell.coordinates.items())) if table.baseline else None
    return ("↑" if test.difference > 0 else "↓") if test and test.holds else ""


def baseline_legend(table: Table) -> Iterator[str]:
    """Meaning of the arrows and tests of a table with a baseline."""
    if table.baseline is None:
        return
    name = table.label("method", table.baseline.method)
    yield f"↑ ↓ above and below {name} on the same test images, at {PAIRED_ALPHA} after Holm's correction over all rows"
    yield (
        "Paired tests: t over seeds, DeLong of a single pair of runs, and in a mean row the signed rank over datasets, "
        f"which needs {LEAST_DATASETS}"
    )


def cell_words(table: Table, cell: Cell, decimals: int) -> str:
    """The verdict of a cell in words, with advice and the other reading of the published spread."""
    verdict = cell.verdict
    if cell.published is None or not table.value.is_auroc:
        none = NO_PUBLISHED_VALUE if table.layout.is_published else ""
        return ", ".join(filter(None, [none, "stale" if verdict.name == "stale" else ""]))
    if verdict.comparison is None:
        return verdict.name.replace("_", " ")
    words = verdict_words(verdict.comparison, decimals)
    words = f"not comparable ({words})" if verdict.name == "not_comparable" else words
    words += f": {verdict.advice}" if verdict.advice else ""
    return f"{words}; {verdict.one_draw} {OTHER_READING}" if verdict.one_draw else words


def table_caption(table: Table) -> str:
    """The metric, what is averaged on either side, and the margin of the verdicts."""
    paper = table.layout.paper
    over = {
        "runs": f"mean±std over {paper.runs_text}",
        "classes": "mean±std over classes",
        "none": "mean",
    }[table.layout.std]
    metric = table.metric
    if not table.layout.is_published:
        return f"{metric}. Mean±std over seeds."
    further = OTHER_SOURCES if table.all_sources and table.show != "measured" else ""
    if table.show == "published":
        return f"{metric}. Published {over}.{further}"
    ours = "mean±std over classes" if table.layout.std == "classes" else "mean±std over seeds"
    if not table.value.is_auroc:
        return f"{metric}. Measured {ours}; {NO_PUBLISHED_VALUE}."
    margin = f"{table.margin * table.layout.scale:.{paper.decimals}f}"
    if table.show == "measured":
        return f"{metric}. Measured {ours}; verdicts at a margin of {margin}."
    return f"{metric}. Published {over} / measured {ours}; verdicts at a margin of {margin}.{further}"
