"""Prospects of cells: which have a verdict, which further runs can bring one, and which no number of runs can."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

from protocols.text import plural
from reports.stats.expected import BORROWED_FREEDOM, SpreadGuess, decision_chances, pooled_guess, spread_guess
from reports.stats.sample import Sample, t_quantile
from reports.stats.thresholds import VERDICT_QUANTILE
from reports.tables.groups import NOT_COMPARABLE, leaf_cells
from reports.tables.judging import cell_samples, printed_half_unit, published_sample
from reports.tables.table import Cell, Table

LEAST_CHANCE = 0.05
"""Chance of a verdict below which runs are not worth their time."""
MANY_RUNS = 1000
"""Number of runs at which a cell that is still undecided counts as out of reach."""

PlannedReasons = Callable[[Table, Cell], Iterable[str] | None]
"""Reasons why the planned runs of a cell will not be comparable with the paper; None where none are planned."""
ProspectState = Literal["decided", "open", "never"]
_ONE_SPLIT = "one split only"


@dataclass(frozen=True, slots=True)
class CellProspect:
    """What further runs can do for a printed leaf cell; `reason` says why they cannot, or which verdict it has.

    `spread` is what is known of the std of its runs, `spread_from` whose it is; None where nothing is. `measured` are
    the runs that count, with the spread floor of the table; None: there are none. Numbers in the table's unit.
    """

    table: Table
    cell: Cell
    state: ProspectState
    reason: str = ""
    published: Sample | None = None
    measured: Sample | None = None
    spread: SpreadGuess | None = None
    spread_from: str = ""

    @property
    def runs(self) -> int:
        return self.measured.n if self.measured else 0

    @property
    def can_be_told(self) -> bool:
        """True where a chance can be computed."""
        return self.state == "open" and self.published is not None and self.spread is not None

    def chances(self, added: Sequence[int]) -> tuple[float, ...]:
        """Chances of a verdict with so many runs more, in ascending order; 0 each where none can be computed."""
        if self.published is None or self.spread is None or self.cell.published is None:
            return (0.0,) * len(added)
        margin = self.table.margin * self.table.layout.scale
        least = printed_half_unit(self.cell.published)
        return decision_chances(self.published, self.measured, self.spread, margin, least, tuple(added))


def table_prospects(table: Table, planned_reasons: PlannedReasons) -> list[CellProspect]:
    """The prospects of the leaf cells that are planned, in the order of the table."""
    cells = [cell for cell in leaf_cells(table) if cell.source]
    pooled = {method: _pooled(table, alike) for method, alike in _by_method(cells).items()}
    planned = ((cell, planned_reasons(table, cell)) for cell in cells)
    return [_prospect(table, cell, reasons, pooled[_method(cell)]) for cell, reasons in planned if reasons is not None]


def _prospect(
    table: Table, cell: Cell, planned_reasons: Iterable[str], pooled: tuple[SpreadGuess | None, str]
) -> CellProspect:
    verdict, published = cell.verdict, cell.published
    if published is None:
        return CellProspect(table, cell, "never", "nothing is published")
    is_measured = cell.measured is not None and verdict.name != "stale"
    every_reason = verdict.reasons if is_measured else planned_reasons
    reasons = [text for text in every_reason if not text.startswith(_ONE_SPLIT)]
    if reasons:
        would_be = f", would be {verdict.would_be}" if verdict.would_be else ""
        return CellProspect(table, cell, "never", f"not comparable ({'; '.join(reasons)}){would_be}")
    theirs, ours = published_sample(table.layout, published), None
    if cell.measured and verdict.name != "stale":
        _, ours = cell_samples(table.layout, published, cell.measured)
        if verdict.name == NOT_COMPARABLE:  # for want of a second split alone
            ours = Sample(ours.mean, None, 1)
        elif verdict.name != "inconclusive":
            return CellProspect(table, cell, "decided", verdict.name, theirs, ours)
        elif ours.exact:
            return CellProspect(
                table, cell, "never", "the method is exact: more runs give the same value", theirs, ours
            )
    spread = spread_guess(theirs, ours)
    origin = _origin(theirs, ours)
    if spread is None:
        spread, origin = pooled
    prospect = CellProspect(table, cell, "open", "", theirs, ours, spread, origin)
    if spread and prospect.chances([max(1, MANY_RUNS - prospect.runs)])[0] < LEAST_CHANCE:
        return CellProspect(table, cell, "never", _out_of_reach(theirs, table), theirs, ours, spread, origin)
    return prospect


def _origin(theirs: Sample, ours: Sample | None) -> str:
    is_own = ours is not None and ours.has_spread
    if is_own:
        return "own and published" if theirs.has_spread else "own"
    return "published"


def _pooled(table: Table, cells: Iterable[Cell]) -> tuple[SpreadGuess | None, str]:
    """The pooled std of a method's measured cells in a table, and which these are; it is told by little."""
    samples = [
        cell_samples(table.layout, cell.published, cell.measured)[1]
        for cell in cells
        if cell.published and cell.measured and cell.verdict.name not in {"stale", NOT_COMPARABLE}
    ]
    with_spread = [sample for sample in samples if sample.has_spread and not sample.exact]
    return pooled_guess(with_spread, BORROWED_FREEDOM), f"pooled ({plural(len(with_spread), 'cell')})"


def _by_method(cells: Iterable[Cell]) -> dict[str, list[Cell]]:
    by_method: defaultdict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        by_method[_method(cell)].append(cell)
    return by_method


def _method(cell: Cell) -> str:
    return cell.source.method if cell.source else ""


def _out_of_reach(theirs: Sample, table: Table) -> str:
    if not theirs.has_spread or not theirs.spread:
        return f"{MANY_RUNS} runs of ours would hardly settle it"
    width = t_quantile(theirs.freedom, VERDICT_QUANTILE) * sqrt(theirs.mean_variance)
    shown = f"{width:.{3 if table.layout.scale == 1 else 1}f}"
    return f"{MANY_RUNS} runs of ours would hardly settle it: the paper's {theirs.n} leave ±{shown}"
