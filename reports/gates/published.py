"""The gate of `check --against published`: has a reproduced number stopped reproducing?

One-sided tests of H0 "ours >= published - margin" in three families: a method in a table (all its shots together), a
method in a data set of at least two cells, and a leaf cell. The families share alpha equally, Holm's step-down within
each. A mean of differences has the errors of its cells, and cells that share a fit count as one. One run of ours takes
the published std for its own; without one the cell cannot be tested. A cell with a failed run, or measured by what is
stale, is a fault, as is what was required and is not there.

A cell that several papers print is tested against the paper that measured it first: reruns are tested where they are
asked for, what a paper quotes never is.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from reports.errors import ReportError
from reports.gates.faults import Fault
from reports.layouts import cell_ids
from reports.pages.sentences import verdict_sentences
from reports.stats.families import FamilyTest, family_tests
from reports.stats.table_verdict import CellDifference, pool
from reports.stats.thresholds import EPSILON, GATE_ALPHA
from reports.tables.groups import is_comparable, leaf_cells, shared_fits
from reports.tables.judging import cell_difference
from reports.tables.table import Cell, Table, lookup_keys

ONE_SEED = "one run against a value without spread"
MEAN = "a mean of other cells"
TWIN = "tested in another table"
RERUN = "rerun by another paper, tested where --table names it"
QUOTED = "quoted from another paper"
LEAKING = "measured with a leak of test labels"

TestKind = Literal["method", "method in a data set", "cell"]
TEST_KINDS: tuple[TestKind, ...] = ("method", "method in a data set", "cell")


@dataclass(frozen=True, slots=True)
class GateTest:
    """One test of the gate by its id (`dra:2/dra`, `dra:2/dra/elpv`, or that of a cell), in the unit of its table.

    difference: mean of measured minus published over `cells`. p_value is Holm's in the family. sees: the true drop that
    would be found with probability 0.8. published, measured, n: of a cell, None for the others. largest_drop: how far
    below the published value the worst mean lies, of a cell. Where less is better, above instead.
    """

    kind: TestKind
    table: str
    name: str
    cells: int
    difference: float
    freedom: float
    margin: float
    p_value: float
    sees: float
    regressed: bool
    decimals: int
    scale: float
    reasons: tuple[str, ...] = ()
    published: float | None = None
    measured: float | None = None
    n: int | None = None
    largest_drop: float | None = None

    @property
    def id(self) -> str:
        return f"{self.table}/{self.name}"

    @property
    def blind(self) -> bool:
        """True where no drop could be found: not even the worst mean is bad enough."""
        return self.largest_drop is not None and self.sees > self.largest_drop


@dataclass(frozen=True, slots=True)
class PublishedGate:
    """Result of the gate.

    `tests` are those of all families, `untested` the ids of the cells without a test by reason, `required` says of
    cells that must be there and are, but were not tested, why not, and `contradictions` of records of one key which
    numbers they hold. `demanded` is the drop, as a fraction, that each method's test must see. `unpublished` is the
    title of a metric that was asked for and that no paper prints. `sentences` say of each method in a table what its
    cells say together.
    """

    tests: tuple[GateTest, ...]
    faults: tuple[Fault, ...]
    untested: Mapping[str, tuple[str, ...]]
    alpha: float
    includes_not_comparable: bool
    demanded: float | None = None
    required: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    unpublished: str = ""
    sentences: tuple[str, ...] = ()

    @property
    def skipped(self) -> dict[str, int]:
        """Counts of the cells that were not tested, by reason."""
        return {reason: len(names) for reason, names in self.untested.items()}

    @property
    def regressions(self) -> tuple[GateTest, ...]:
        return tuple(test for test in self.tests if test.regressed)

    @property
    def unseeing(self) -> tuple[GateTest, ...]:
        """Methods whose test does not see the demanded drop."""
        if self.demanded is None:
            return ()
        limit = self.demanded + EPSILON
        return tuple(test for test in self.tests if test.kind == "method" and test.sees / test.scale > limit)

    def of_kind(self, kind: TestKind) -> tuple[GateTest, ...]:
        return tuple(test for test in self.tests if test.kind == kind)

    @property
    def status(self) -> int:
        """Exit status: 0 no regression, 3 a regression or a fault, 4 nothing to compare or too little power."""
        if self.regressions or self.faults:
            return 3
        return 4 if self.unseeing or not self.tests else 0


def published_gate(
    tables: Iterable[Table],
    *,
    include_not_comparable: bool = False,
    include_reruns: bool = False,
    leaking: Collection[str] = (),
    alpha: float = GATE_ALPHA,
    demanded: float | None = None,
    faults: Iterable[Fault] = (),
    required: Collection[str] = (),
    contradictions: Iterable[str] = (),
    unpublished: str = "",
) -> PublishedGate:
    """Test every leaf cell of the tables that has a published and a current measured value, alone and together.

    Args:
        tables: built with the margin that the gate uses.
        include_not_comparable: also test cells whose recipe, weights, data or size are not the paper's.
        include_reruns: also test against what another paper measured anew.
        leaking: ids of series whose scores test labels had part in; a cell with one of them is never tested.
        alpha: chance of any false alarm over all tests.
        demanded: the drop, as a fraction of AUC, that the test of each method must see with probability 0.8.
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
    sentences: list[str] = []
    for table in tables:
        if any(
            cell.measured and cell.published and not _other_source(table, cell, include_reruns=include_reruns)
            for cell in table.cells
        ):
            sentences += (f"{table.layout.id}: {text}" for text in verdict_sentences(table))
        leaves = {tuple(cell.coordinates.items()) for cell in leaf_cells(table)}
        for cell in table.cells:
            if cell.published:
                lost |= {identity: fault for identity, fault in _faults(table, cell) if identity not in lost}
                is_leaf = tuple(cell.coordinates.items()) in leaves
                result = _other_source(table, cell, include_reruns=include_reruns) or _testable(
                    table, cell, leaks, is_leaf=is_leaf, include_not_comparable=include_not_comparable
                )
                if isinstance(result, str):
                    untested.setdefault(result, []).append(_name(table, cell))
                elif by_identity.setdefault(result.identity, result) is not result:
                    untested.setdefault(TWIN, []).append(_name(table, cell))
    return PublishedGate(
        tests=tuple(_tests(list(by_identity.values()), alpha)),
        faults=tuple(dict.fromkeys([*lost.values(), *faults])),
        untested={reason: tuple(names) for reason, names in sorted(untested.items())},
        alpha=alpha,
        includes_not_comparable=include_not_comparable,
        demanded=demanded,
        required=tuple(
            f"{name}: {reason.replace('_', ' ')}"
            for reason, names in untested.items()
            if reason not in {TWIN, "missing", "failed", "stale"}
            for name in names
            if not {name, *([] if reason in {RERUN, QUOTED} else [name.partition("/")[2]])}.isdisjoint(required)
        ),
        contradictions=tuple(contradictions),
        unpublished=unpublished,
        sentences=tuple(sentences),
    )


@dataclass(frozen=True, slots=True)
class _Testable:
    """A leaf cell with its difference as a fraction of AUC, so that tables in percent stand beside the others."""

    table: Table
    cell: Cell
    difference: CellDifference

    @property
    def scale(self) -> float:
        return self.table.layout.scale

    @property
    def sign(self) -> int:
        return self.table.value.metric.sign

    @property
    def method(self) -> tuple[str, str]:
        return self.table.layout.id, self.cell.source.method if self.cell.source else ""

    @property
    def dataset(self) -> tuple[str, str, str]:
        return *self.method, self.cell.coordinates["dataset"]

    @property
    def identity(self) -> tuple[object, ...]:
        """Shared by twin cells of two tables: the papers print some values twice, and one test is enough."""
        measured, published = self.cell.measured, self.cell.published
        return measured.series if measured else (), published.mean if published else 0.0, self.difference.errors


def _tests(testable: Sequence[_Testable], alpha: float) -> Iterator[GateTest]:
    """The tests of all families; each cell's difference points the way in which less is a loss."""
    clusters = shared_fits([cell.cell.measured.fits if cell.cell.measured else frozenset() for cell in testable])
    known = {
        id(cell): cell.difference._replace(difference=cell.sign * cell.difference.difference, fit=cluster)
        for cell, cluster in zip(testable, clusters, strict=True)
    }
    methods: dict[tuple[str, ...], list[_Testable]] = {}
    datasets: dict[tuple[str, ...], list[_Testable]] = {}
    for cell in testable:
        methods.setdefault(cell.method, []).append(cell)
        datasets.setdefault(cell.dataset, []).append(cell)
    groups = [list(methods.values()), [cells for cells in datasets.values() if len(cells) > 1], [[c] for c in testable]]
    if not testable:
        return
    families = [[pool([known[id(cell)] for cell in cells]) for cells in family] for family in groups]
    margins = {cell.table.margin for cell in testable}
    tested = family_tests(families, margins.pop(), alpha=alpha)
    for kind, family, results in zip(TEST_KINDS, groups, tested, strict=True):
        for cells, result in zip(family, results, strict=True):
            yield _gate_test(kind, cells, result)


def _gate_test(kind: TestKind, cells: Sequence[_Testable], result: FamilyTest) -> GateTest:
    first, pooled = cells[0], result.pooled
    layout, scale = first.table.layout, first.scale
    names = {"method": first.method[1], "method in a data set": "/".join(first.dataset[1:])}
    test = GateTest(
        kind=kind,
        table=layout.id,
        name=names.get(kind) or cell_ids.cell_id(layout, first.cell.coordinates),
        cells=pooled.cells,
        difference=first.sign * scale * pooled.difference,
        freedom=pooled.freedom,
        margin=scale * first.table.margin,
        p_value=result.p_value,
        sees=scale * result.sees,
        regressed=result.regressed,
        decimals=layout.paper.decimals,
        scale=scale,
        reasons=tuple(dict.fromkeys(text for cell in cells for text in _reasons(cell))),
    )
    return test if kind != "cell" else _with_values(test, first)


def _with_values(test: GateTest, cell: _Testable) -> GateTest:
    published, measured, metric = cell.cell.published, cell.cell.measured, cell.table.value.metric
    if published is None or measured is None:
        return test
    worst = cell.scale * (metric.low if metric.better == "higher" else metric.high)
    return replace(
        test,
        published=published.mean,
        measured=measured.mean,
        n=measured.n,
        largest_drop=abs(published.mean - worst),
    )


def _reasons(cell: _Testable) -> tuple[str, ...]:
    return cell.cell.measured.reasons if cell.cell.measured else ()


def _faults(table: Table, cell: Cell) -> Iterator[tuple[tuple[object, ...], Fault]]:
    """Faults of a cell, each with its identity: a cell that two tables print fails once."""
    keys = tuple(lookup_keys(table.layout, cell))
    if cell.failures:
        yield ("failed", keys), Fault("failed", _name(table, cell), "; ".join(cell.failures))
    if cell.verdict.name == "stale":
        yield ("stale", keys), Fault("stale", _name(table, cell), "; ".join(cell.verdict.reasons))


def _name(table: Table, cell: Cell) -> str:
    return f"{table.layout.id}/{cell_ids.cell_id(table.layout, cell.coordinates)}"


def _other_source(table: Table, cell: Cell, *, include_reruns: bool) -> str:
    """The reason why the published value of a measured cell is not the one to test against; empty where it is."""
    if cell.measured is None:
        return ""
    kind, _ = table.layout.source_kind(cell.coordinates)
    if kind == "quoted":
        return QUOTED
    return RERUN if kind == "rerun" and not include_reruns else ""


def _testable(
    table: Table, cell: Cell, leaking: frozenset[str], *, is_leaf: bool, include_not_comparable: bool
) -> _Testable | str:
    """The cell with its difference, or the reason why it is not tested."""
    if cell.published is None or cell.measured is None:
        return cell.verdict.name
    if not leaking.isdisjoint(cell.measured.series):
        return LEAKING
    if cell.verdict.comparison is None or not (include_not_comparable or is_comparable(cell)):
        return cell.verdict.name
    if not is_leaf:
        return MEAN
    difference = cell_difference(table.layout, cell.published, cell.measured, "")
    if difference is None:
        return ONE_SEED
    scale = table.layout.scale
    errors = difference.errors._replace(
        ours=difference.errors.ours / scale**2, theirs=difference.errors.theirs / scale**2
    )
    return _Testable(table, cell, CellDifference(difference.difference / scale, errors))
