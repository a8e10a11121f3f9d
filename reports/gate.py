"""The gate of `check --against published`: has a reproduced number stopped reproducing?

Per cell a one-sided test of H0 "ours >= published - margin". With two or more seeds of ours it is Welch's test, or a
one-sample test where the published value has no spread over runs. With one seed of ours the published std stands for
both sides, with the published degrees of freedom: the test of one new run against the published ones. One seed against
a value without spread cannot be tested. Holm's step-down over all cells keeps the chance of any false alarm at `alpha`.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import sqrt

from reports.errors import ReportError
from reports.holm import adjusted
from reports.table import Cell, Table
from reports.verdict import ROUNDING, Sample, standard_error

ALPHA = 0.10
ONE_SEED = "one seed against a value without spread"
TWIN = "tested in another table"
LEAKING = "measured with a leak of test labels"


@dataclass(frozen=True, slots=True)
class Check:
    """One tested cell, values in the unit of its table.

    `smallest_drop`: how far below the published value our mean must lie, at the spread and number of seeds at hand,
    for the test to see it at its strictest Holm level.
    """

    table: str
    name: str
    published: float
    measured: float
    n: int
    margin: float
    p_value: float
    smallest_drop: float
    regressed: bool
    decimals: int
    reasons: tuple[str, ...]

    @property
    def drop(self) -> float:
        return self.published - self.measured


@dataclass(frozen=True, slots=True)
class Gate:
    """What the gate found; `skipped` counts by reason the cells that were not tested."""

    checks: tuple[Check, ...]
    skipped: Mapping[str, int]
    alpha: float
    includes_not_comparable: bool

    @property
    def regressions(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.regressed)

    @property
    def status(self) -> int:
        """Exit status: 0 no regression, 3 a regression, 4 nothing to compare."""
        if not self.checks:
            return 4
        return 3 if self.regressions else 0


def check(
    tables: Iterable[Table],
    *,
    include_not_comparable: bool = False,
    leaking: Collection[str] = (),
    alpha: float = ALPHA,
) -> Gate:
    """Test every cell of the tables that has a published and a current measured value.

    Args:
        tables: built with the margin that the gate uses.
        include_not_comparable: also test cells whose recipe, weights, data or size are not the paper's.
        leaking: ids of series whose scores test labels had part in; a cell with one of them is never tested.
        alpha: chance of any false alarm over all cells.

    Raises:
        ReportError: alpha is not between 0 and 0.5.
    """
    if not 0 < alpha < 0.5:
        raise ReportError(f"alpha {alpha} is no chance of a false alarm: give a number between 0 and 0.5, such as 0.1")
    skipped: Counter[str] = Counter()
    kept: dict[tuple[object, ...], _Testable] = {}
    leaks = frozenset(leaking)
    for table in tables:
        for cell in table.cells:
            if cell.published:
                found = _testable(table, cell, leaks, include_not_comparable=include_not_comparable)
                if isinstance(found, str):
                    skipped[found] += 1
                elif kept.setdefault(found.identity, found) is not found:
                    skipped[TWIN] += 1
    testable = list(kept.values())
    corrected = adjusted([one.p_value for one in testable])
    checks = tuple(
        one.check(alpha / len(testable), regressed=p_value <= alpha)
        for one, p_value in zip(testable, corrected, strict=True)
    )
    return Gate(checks, dict(sorted(skipped.items())), alpha, include_not_comparable)


@dataclass(frozen=True, slots=True)
class _Testable:
    table: Table
    cell: Cell
    published: float
    measured: Sample
    error: float
    freedom: float
    reasons: tuple[str, ...]

    @property
    def identity(self) -> tuple[object, ...]:
        """What twin cells of two tables share: the papers print some values twice, and one test is enough."""
        series = self.cell.measured.series if self.cell.measured else ()
        return series, self.published, self.error

    @property
    def margin(self) -> float:
        return self.table.margin * self.table.layout.scale

    @property
    def p_value(self) -> float:
        """Chance of a mean as low as ours if ours truly lies at published - margin."""
        above = self.measured.mean - self.published + self.margin
        if self.error == 0:
            return 0.0 if above < -ROUNDING else 1.0
        from scipy.special import stdtr

        return float(stdtr(self.freedom, above / self.error))

    def check(self, level: float, *, regressed: bool) -> Check:
        layout = self.table.layout
        coordinates = self.cell.coordinates
        return Check(
            table=layout.id,
            name=" ".join(value for value in coordinates.values() if value),
            published=self.published,
            measured=self.measured.mean,
            n=self.measured.n,
            margin=self.margin,
            p_value=self.p_value,
            smallest_drop=self.margin + self._critical(level) * self.error,
            regressed=regressed,
            decimals=layout.paper.decimals,
            reasons=self.reasons,
        )

    def _critical(self, level: float) -> float:
        from scipy.special import stdtrit

        return float(stdtrit(self.freedom, 1 - level)) if self.error else 0.0


def _testable(table: Table, cell: Cell, leaking: frozenset[str], *, include_not_comparable: bool) -> _Testable | str:
    """The cell with its standard error, or why it is not tested."""
    if cell.published is None or cell.measured is None:
        return cell.verdict.name
    if not leaking.isdisjoint(cell.measured.series):
        return LEAKING
    if cell.verdict.comparison is None or (cell.verdict.name == "not_comparable" and not include_not_comparable):
        return cell.verdict.name
    by_runs = table.layout.std == "runs"
    theirs = Sample(cell.published.mean, cell.published.std if by_runs else None, table.layout.paper.runs)
    ours = Sample(cell.measured.mean, cell.measured.seed_std, cell.measured.n)
    if ours.has_spread:
        error, freedom = standard_error(theirs, ours)
    elif theirs.has_spread and theirs.std is not None:
        error, freedom = theirs.std * sqrt(1 + 1 / theirs.n), theirs.n - 1
    else:
        return ONE_SEED
    return _Testable(table, cell, theirs.mean, ours, error, freedom, cell.measured.reasons)
