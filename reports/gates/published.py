"""The gate of `check --against published`: has a reproduced number stopped reproducing?

Per cell a one-sided test of H0 "ours >= published - margin". With two or more seeds of ours it is Welch's test, or a
one-sample test where the published value has no spread over runs. With one seed of ours the published std stands for
both sides, with the published degrees of freedom: the test of one new run against the published ones. One seed against
a value without spread cannot be tested. Holm's step-down over all cells keeps the chance of any false alarm at `alpha`.
A cell with a failed run, or measured by what is stale, is a fault, as is what was required and is not there.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import sqrt

from reports.errors import ReportError
from reports.gates import cell_ids
from reports.gates.faults import Fault
from reports.stats.holm import holm_adjusted
from reports.stats.thresholds import EPSILON, GATE_ALPHA
from reports.stats.verdict import Sample, standard_error
from reports.tables.table import Cell, Table, lookup_keys

ONE_SEED = "one seed against a value without spread"
TWIN = "tested in another table"
LEAKING = "measured with a leak of test labels"


@dataclass(frozen=True, slots=True)
class CellTest:
    """One tested cell by its id, values in the unit of its table.

    `freedom`: degrees of freedom of the t test, infinite where neither side varies. `smallest_drop`: how far below the
    published value our mean must lie, at the spread and number of seeds at hand, for the test to find it at its
    strictest Holm level; `largest_drop`: how far below it the worst mean lies. Where less is better, above instead.
    """

    table: str
    name: str
    published: float
    measured: float
    n: int
    freedom: float
    margin: float
    p_value: float
    smallest_drop: float
    regressed: bool
    decimals: int
    reasons: tuple[str, ...]
    largest_drop: float

    @property
    def blind(self) -> bool:
        """True where no drop could have been found: not even the worst mean is bad enough."""
        return self.smallest_drop > self.largest_drop


@dataclass(frozen=True, slots=True)
class PublishedGate:
    """Result of the gate.

    `faults`: cells that are no success whatever their numbers, and what was required in vain. `untested`: by reason the
    ids of the cells that were not tested; `required` says of cells that must be there, and are, why they were not.
    `contradictions` say of records of one key which numbers they hold. `unpublished` is the title of a metric that was
    asked for and that no paper prints.
    """

    checks: tuple[CellTest, ...]
    faults: tuple[Fault, ...]
    untested: Mapping[str, tuple[str, ...]]
    alpha: float
    includes_not_comparable: bool
    required: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    unpublished: str = ""

    @property
    def skipped(self) -> dict[str, int]:
        """Counts of the cells that were not tested, by reason."""
        return {reason: len(names) for reason, names in self.untested.items()}

    @property
    def regressions(self) -> tuple[CellTest, ...]:
        return tuple(check for check in self.checks if check.regressed)

    @property
    def status(self) -> int:
        """Exit status: 0 no regression, 3 a regression or a fault, 4 nothing to compare."""
        if self.regressions or self.faults:
            return 3
        return 0 if self.checks else 4


def published_gate(
    tables: Iterable[Table],
    *,
    include_not_comparable: bool = False,
    leaking: Collection[str] = (),
    alpha: float = GATE_ALPHA,
    faults: Iterable[Fault] = (),
    required: Collection[str] = (),
    contradictions: Iterable[str] = (),
    unpublished: str = "",
) -> PublishedGate:
    """Test every cell of the tables that has a published and a current measured value.

    Args:
        tables: built with the margin that the gate uses.
        include_not_comparable: also test cells whose recipe, weights, data or size are not the paper's.
        leaking: ids of series whose scores test labels had part in; a cell with one of them is never tested.
        alpha: chance of any false alarm over all cells.
        faults: what was required and is not there.
        required: ids of cells that must be there, with or without the table in front.
        contradictions: sentences on records of one key with other numbers.
        unpublished: title of a metric that was asked for and that no paper prints.

    Raises:
        ReportError: alpha is not between 0 and 0.5.
    """
    if not 0 < alpha < 0.5:
        raise ReportError(f"alpha {alpha} is no chance of a false alarm: give a number between 0 and 0.5, such as 0.1")
    untested: dict[str, list[str]] = {}
    lost: dict[tuple[object, ...], Fault] = {}
    by_identity: dict[tuple[object, ...], _Testable] = {}
    leaks = frozenset(leaking)
    for table in tables:
        for cell in table.cells:
            if cell.published:
                lost |= {identity: fault for identity, fault in _faults(table, cell) if identity not in lost}
                result = _testable(table, cell, leaks, include_not_comparable=include_not_comparable)
                if isinstance(result, str):
                    untested.setdefault(result, []).append(_name(table, cell))
                elif by_identity.setdefault(result.identity, result) is not result:
                    untested.setdefault(TWIN, []).append(_name(table, cell))
    testable = list(by_identity.values())
    corrected = holm_adjusted([cell.p_value for cell in testable])
    checks = tuple(
        cell.check(alpha / len(testable), regressed=p_value <= alpha)
        for cell, p_value in zip(testable, corrected, strict=True)
    )
    return PublishedGate(
        checks=checks,
        faults=tuple(dict.fromkeys([*lost.values(), *faults])),
        untested={reason: tuple(names) for reason, names in sorted(untested.items())},
        alpha=alpha,
        includes_not_comparable=include_not_comparable,
        required=tuple(
            f"{name}: {reason.replace('_', ' ')}"
            for reason, names in untested.items()
            if reason not in {TWIN, "missing", "failed", "stale"}
            for name in names
            if not {name, name.partition("/")[2]}.isdisjoint(required)
        ),
        contradictions=tuple(contradictions),
        unpublished=unpublished,
    )


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
        """Shared by twin cells of two tables: the papers print some values twice, and one test is enough."""
        series = self.cell.measured.series if self.cell.measured else ()
        return series, self.published, self.error

    @property
    def margin(self) -> float:
        return self.table.margin * self.table.layout.scale

    @property
    def largest_drop(self) -> float:
        metric, scale = self.table.value.metric, self.table.layout.scale
        return abs(self.published - scale * (metric.low if metric.better == "higher" else metric.high))

    @property
    def p_value(self) -> float:
        """Chance of a mean as bad as ours if ours is truly worse than the published value by the margin."""
        above = self.table.value.metric.sign * (self.measured.mean - self.published) + self.margin
        if self.error == 0:
            return 0.0 if above < -EPSILON else 1.0
        from scipy.special import stdtr

        return float(stdtr(self.freedom, above / self.error))

    def check(self, level: float, *, regressed: bool) -> CellTest:
        layout = self.table.layout
        return CellTest(
            table=layout.id,
            name=cell_ids.cell_id(layout, self.cell.coordinates),
            published=self.published,
            measured=self.measured.mean,
            n=self.measured.n,
            freedom=self.freedom,
            margin=self.margin,
            p_value=self.p_value,
            smallest_drop=self.margin + self._critical(level) * self.error,
            regressed=regressed,
            decimals=layout.paper.decimals,
            reasons=self.reasons,
            largest_drop=self.largest_drop,
        )

    def _critical(self, level: float) -> float:
        from scipy.special import stdtrit

        return float(stdtrit(self.freedom, 1 - level)) if self.error else 0.0


def _faults(table: Table, cell: Cell) -> Iterator[tuple[tuple[object, ...], Fault]]:
    """Faults of a cell, each with its identity: a cell that two tables print fails once."""
    keys = tuple(lookup_keys(table.layout, cell))
    if cell.failures:
        yield ("failed", keys), Fault("failed", _name(table, cell), "; ".join(cell.failures))
    if cell.verdict.name == "stale":
        yield ("stale", keys), Fault("stale", _name(table, cell), "; ".join(cell.verdict.reasons))


def _name(table: Table, cell: Cell) -> str:
    return f"{table.layout.id}/{cell_ids.cell_id(table.layout, cell.coordinates)}"


def _testable(table: Table, cell: Cell, leaking: frozenset[str], *, include_not_comparable: bool) -> _Testable | str:
    """The cell with its standard error, or the reason why it is not tested."""
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
