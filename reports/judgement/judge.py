"""Verdicts on the cells of any published table, on groups of them, and the tests of the gate (design section 8)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import frexp, isfinite
from sys import float_info
from typing import Any, NamedTuple, get_args

from protocols.text import near_miss
from reports.errors import ReportError
from reports.judgement.entries import CellKey, Entries, MeasuredRun, PublishedEntry, read_entries
from reports.judgement.numbers import two_digits
from reports.judgement.sources import SourceTable, source_of_rows
from reports.stats.expected import expected_by_digits
from reports.stats.families import FamilyTest, family_tests
from reports.stats.nested import NestedRun, NestedSample, nested_sample
from reports.stats.sample import Sample, pooling_errors
from reports.stats.table_verdict import CellDifference, TableVerdict, pool, table_verdict
from reports.stats.thresholds import GATE_ALPHA, MARGIN, BetterValue
from reports.stats.verdict import VERDICT_NAMES, CellState, MeanComparison, VerdictName, judge
from reports.stats.words import settling_advice

N_UNKNOWN = "n unknown, taken as {0}"
CONSTANT = "no published std: a constant"
CONSTANT_OF_ONE = "the published n is 1, so its std is not over runs: a constant"
ONE_SPLIT = "one split only"
TAKES_STD = "in groups it takes the published std for ours"
LEFT_OUT = "left out of groups: no std on either side"
_USUAL = (2.0**-10, 2.0**20)
"""Sizes of a table's largest number between which it is judged as it is."""

_TINY = 2.0**-100
"""Least spread beside the table's largest number; its square can still be divided by."""


class LossTest(NamedTuple):
    """A one-sided test of the gate. p is Holm's in its family; sees: the loss that it finds with probability 0.8."""

    p: float
    sees: float
    regressed: bool


@dataclass(frozen=True, slots=True)
class JudgedCell:
    """A published cell with what was measured of it, in the unit of the table.

    sample: our mean, its standard deviation over what n counts; None for a missing cell. pair: both samples as they
    were judged, with the least spread of printed digits, in units of `TableJudgement.unit`. test: None where no error
    of the difference is known.
    """

    entry: PublishedEntry
    verdict: CellState
    sample: Sample | None
    comparison: MeanComparison | None
    pair: tuple[Sample, Sample] | None
    difference: CellDifference | None
    notes: tuple[str, ...]
    test: LossTest | None = None


@dataclass(frozen=True, slots=True)
class JudgedGroup:
    """Cells that share the columns `by`; without any column it is the whole table.

    cells: number of its cells; left_out: those measured without a known error. verdict: None where no cell of the group
    is compared.
    """

    by: tuple[str, ...]
    coordinates: CellKey
    cells: int
    left_out: int
    verdict: TableVerdict | None
    test: LossTest | None


@dataclass(frozen=True)
class TableJudgement:
    """Verdicts on a published table and its groups; numbers in its unit. families: columns of each, the cells apart."""

    published: str
    measured: str
    columns: tuple[str, ...]
    margin: float
    better: BetterValue
    alpha: float
    families: tuple[tuple[str, ...], ...]
    cells: tuple[JudgedCell, ...]
    groups: tuple[JudgedGroup, ...]
    unit: float

    @property
    def missing(self) -> int:
        return sum(cell.verdict == "missing" for cell in self.cells)

    @cached_property
    def counts(self) -> dict[VerdictName, int]:
        """The number of cells by their verdict."""
        return {name: sum(cell.verdict == name for cell in self.cells) for name in VERDICT_NAMES}

    @cached_property
    def expected(self) -> dict[VerdictName, float]:
        """The mean number of cells by their verdict if every true difference were zero."""
        pairs = [(_least_spread(cell.entry, self.unit), cell.pair) for cell in self.cells if cell.pair]
        return expected_by_digits(pairs, _scaled(self.margin, self.unit))


def judge_table(
    published: Any,
    measured: Any,
    *,
    margin: float = MARGIN,
    by: Iterable[str | Iterable[str]] = (),
    better: BetterValue = "higher",
) -> TableJudgement:
    """Judge runs of any field against a published table, by the rules of `bench verdict`.

    Args:
        published: one row a cell, as dicts or a data frame: `mean`, and where they are known `std` (over runs) and `n`
            (runs); all other columns are the coordinates of the cell. Give numbers as texts to keep their printed
            digits: a std counts as at least half a unit of its last one.
        measured: one row a run: `value`, the same coordinates, and if runs share splits `split`.
        margin: smallest difference that counts, in the unit of the table.
        by: families of groups: each a column, or several columns, whose values the cells of a group share. Without any,
            all cells are one group.
        better: which value is the better one; only the direction of the gate's tests follows it.

    Returns:
        A verdict for each cell and each group, numbers in the unit of the table.

    Raises:
        ReportError: a column is missing or has a reserved name, the coordinates do not match, a number is none.

    Source: design of verdicts, section 8 (Welch interval and TOST a cell, moments of the scatter a group, Holm).
    """
    sources = source_of_rows("published", published), source_of_rows("measured", measured)
    return judge_sources(*sources, margin=margin, by=by, better=better)


def judge_sources(
    published: SourceTable,
    measured: SourceTable,
    *,
    margin: float = MARGIN,
    by: Iterable[str | Iterable[str]] = (),
    better: BetterValue = "higher",
) -> TableJudgement:
    """As `judge_table`, from tables of texts."""
    if isinstance(margin, bool) or not isinstance(margin, int | float):
        raise ReportError(f"the margin must be a number, not {margin!r}: give another")
    if not (isfinite(margin) and margin >= 0):
        raise ReportError(f"the margin must be a finite number of at least 0, not {margin}: give another")
    if better not in get_args(BetterValue):
        raise ReportError(f"better must be higher or lower, not {better!r}")
    entries = read_entries(published, measured)
    families = _families(entries.columns, [by] if isinstance(by, str) else by)
    unit = _unit(entries.numbers())
    cells = [_judged_cell(entry, entries, margin, unit) for entry in entries.published]
    groups = [_groups(entries.columns, family, cells) for family in families]
    pooled = [
        [pool(_differences(members)) for members in family.values() if _differences(members)] for family in groups
    ]
    pooled.append([pool([cell.difference]) for cell in cells if cell.difference])
    sign = 1.0 if better == "higher" else -1.0
    *group_tests, cell_tests = (
        iter(_in_unit(test, unit) for test in tests)
        for tests in family_tests(pooled, _scaled(margin, unit), alpha=GATE_ALPHA, sign=sign)
    )
    return TableJudgement(
        published.name,
        measured.name,
        entries.columns,
        margin,
        better,
        GATE_ALPHA,
        tuple(families),
        tuple(replace(cell, test=next(cell_tests)) if cell.difference else cell for cell in cells),
        tuple(
            _judged_group(family, at, members, margin, unit, tests)
            for family, by_coordinates, tests in zip(families, groups, group_tests, strict=True)
            for at, members in by_coordinates.items()
        ),
        unit,
    )


def _families(columns: Sequence[str], by: Iterable[str | Iterable[str]]) -> list[tuple[str, ...]]:
    """Columns of each family, each set of columns once; without any the one family of all cells."""
    families: list[tuple[str, ...]] = []
    for columns_of_family in by or ():
        if not isinstance(columns_of_family, Iterable):
            raise ReportError(f"by {columns_of_family!r}: give a column, or several, by their names")
        named = [columns_of_family] if isinstance(columns_of_family, str) else columns_of_family
        family = tuple(dict.fromkeys(map(str, named)))
        for name in family:
            if name not in columns:
                raise ReportError(f"by {name}: there is no such coordinate column: {near_miss(name, columns)}")
        if not any(set(family) == set(other) for other in families):
            families.append(family)
    return families or [()]


def _unit(numbers: Iterable[float]) -> float:
    """The unit in which the table is judged, so that neither roundings nor squares depend on its sizes.

    A power of two, which changes no digit; 1 for usual sizes.
    """
    largest = max(map(abs, numbers), default=0.0)
    return 1.0 if largest == 0 or _USUAL[0] <= largest <= _USUAL[1] else 2.0 ** (frexp(largest)[1] - 1)


def _least_spread(entry: PublishedEntry, unit: float) -> float:
    """Half a unit of the last digit that the cell prints, in `unit`s; between sizes whose squares are numbers."""
    return min(max(entry.least_spread / unit, _TINY), 1 / _TINY)


def _scaled(margin: float, unit: float) -> float:
    return min(margin / unit, float_info.max)


def _judged_cell(entry: PublishedEntry, entries: Entries, margin: float, unit: float) -> JudgedCell:
    notes = [] if entry.is_n_known else [N_UNKNOWN.format(entry.n)]
    if entry.std is None:
        notes.append(CONSTANT)
    elif entry.n == 1:
        notes.append(CONSTANT_OF_ONE)
    runs = entries.runs[entry.coordinates]
    if not runs:
        return JudgedCell(entry, "missing", None, None, None, None, tuple(notes))
    nested = _nested(runs, unit)
    raw = Sample(nested.sample.mean, None, 1) if nested.one_split else nested.sample
    least = _least_spread(entry, unit)
    theirs = Sample(entry.mean / unit, None if entry.std is None else entry.std / unit, entry.n).with_least_spread(
        least
    )
    ours = raw.with_least_spread(least)
    comparison = judge(theirs, ours, _scaled(margin, unit))
    errors = pooling_errors(theirs, ours)
    notes += _nested_notes(nested, unit)
    if not ours.has_spread:
        notes.append(TAKES_STD if errors else LEFT_OUT)
    counted = "splits" if entries.has_splits else "runs"
    if advice := settling_advice(comparison, theirs, ours, counted, lambda width: two_digits(width * unit)):
        notes.append(advice)
    return JudgedCell(
        entry,
        comparison.verdict,
        replace(raw, mean=raw.mean * unit, std=None if raw.std is None else raw.std * unit),
        _comparison_in_unit(comparison, margin, unit),
        (theirs, ours),
        CellDifference(comparison.difference, errors) if errors else None,
        tuple(notes),
    )


def _nested(runs: Sequence[MeasuredRun], unit: float) -> NestedSample:
    """Without a column of splits each run is one of its own."""
    return nested_sample(
        NestedRun(run.value / unit, number if run.split is None else run.split) for number, run in enumerate(runs)
    )


def _nested_notes(nested: NestedSample, unit: float) -> list[str]:
    if nested.one_split:
        return [ONE_SPLIT]
    if nested.draw_std is None or nested.training_std is None:
        return []
    draw, training = (two_digits(std * unit) for std in (nested.draw_std, nested.training_std))
    return [f"{nested.runs} runs on {nested.sample.n} splits: std of splits {draw}, of runs on one split {training}"]


def _comparison_in_unit(comparison: MeanComparison, margin: float, unit: float) -> MeanComparison:
    low, high, told = (
        None if number is None else number * unit for number in (comparison.low, comparison.high, comparison.told)
    )
    return MeanComparison(comparison.verdict, comparison.difference * unit, low, high, told, margin)


def _groups(
    columns: Sequence[str], family: Sequence[str], cells: Sequence[JudgedCell]
) -> dict[CellKey, list[JudgedCell]]:
    groups: dict[CellKey, list[JudgedCell]] = {}
    for cell in cells:
        coordinates = dict(zip(columns, cell.entry.coordinates, strict=True))
        groups.setdefault(tuple(coordinates[name] for name in family), []).append(cell)
    return groups


def _differences(members: Sequence[JudgedCell]) -> list[CellDifference]:
    return [cell.difference for cell in members if cell.difference]


def _judged_group(
    family: tuple[str, ...],
    coordinates: CellKey,
    members: Sequence[JudgedCell],
    margin: float,
    unit: float,
    tests: Iterable[LossTest],
) -> JudgedGroup:
    """`tests` are those of the family that are left; the group takes its own."""
    differences = _differences(members)
    left_out = sum(cell.sample is not None and cell.difference is None for cell in members)
    if not differences:
        return JudgedGroup(family, coordinates, len(members), left_out, None, None)
    verdict = _group_in_unit(table_verdict(differences, _scaled(margin, unit)), margin, unit)
    return JudgedGroup(family, coordinates, len(members), left_out, verdict, next(iter(tests)))


def _group_in_unit(verdict: TableVerdict, margin: float, unit: float) -> TableVerdict:
    pooled = verdict.pooled._replace(
        difference=verdict.pooled.difference * unit, standard_error=verdict.pooled.standard_error * unit
    )
    tau, tau_low, tau_high = (
        None if number is None else number * unit for number in (verdict.tau, verdict.tau_low, verdict.tau_high)
    )
    return replace(
        verdict,
        pooled=pooled,
        low=verdict.low * unit,
        high=verdict.high * unit,
        margin=margin,
        tau=tau,
        tau_low=tau_low,
        tau_high=tau_high,
    )


def _in_unit(test: FamilyTest, unit: float) -> LossTest:
    return LossTest(test.p_value, test.sees * unit, test.regressed)
