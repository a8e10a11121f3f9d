"""A table of a paper as cells: published beside measured, with a verdict each. Renderers read nothing else."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Literal

from reports.errors import ReportError, did_you_mean
from reports.layout import Layout
from reports.measured import RECIPES, Measured, Series, Spread, average, series_of
from reports.published import Unit, Value
from reports.verdict import Sample, Verdict, compare
from results.record import Record
from results.spec import ParamValue

Show = Literal["published", "measured", "both"]
Measures = Callable[[Record], Collection[str]]

MARGIN = 0.02
SPLIT_COORDINATES = ("dataset", "known_class", "normal_class", "shots", "gamma")


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of a paper's table, its coordinates in the published file's order.

    `published` is None for an added method.
    """

    paper: str
    table: str
    coordinates: Mapping[str, str]
    published: Value | None
    measured: Measured | None
    unit: Unit
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Table:
    """All cells of one table in the order of its file, then those of added methods.

    `margin` is an AUC as a fraction.
    """

    layout: Layout
    cells: tuple[Cell, ...]
    show: Show
    margin: float

    @property
    def has_measured(self) -> bool:
        return any(cell.measured for cell in self.cells)

    def measured_part(self) -> "Table":
        """The rows with a measured value, and in each block the columns that have one."""
        entry = self.layout.entry
        hit = [cell for cell in self.cells if cell.measured]
        rows = {_at(cell, entry.rows) for cell in hit}
        columns = {_at(cell, [*entry.blocks, *entry.columns]) for cell in hit}
        kept = [
            cell
            for cell in self.cells
            if _at(cell, entry.rows) in rows and _at(cell, [*entry.blocks, *entry.columns]) in columns
        ]
        return replace(self, cells=tuple(kept))


def build(
    layout: Layout,
    records: Iterable[Record],
    *,
    measures: Measures,
    versions: Mapping[str, int],
    margin: float = MARGIN,
    recipe: str | None = None,
    where: Mapping[str, ParamValue] | None = None,
    show: Show = "both",
    added_methods: Collection[str] = (),
) -> Table:
    """Lay records out as one table of a paper.

    Args:
        layout: the table.
        records: of any method, dataset and rule; those that belong elsewhere are passed over.
        measures: the ids of the detectors and variants that a record measures.
        versions: current version by detector; records of an older one are stale.
        margin: smallest difference that counts, as a fraction of AUC.
        recipe: only records of this recipe.
        where: only records with these resolved hyper-parameters.
        show: what the renderers print.
        added_methods: methods that the paper does not have, each a further column where it has records.

    Raises:
        ReportError: unknown recipe or hyper-parameter, or a margin that is none.
    """
    if not (isfinite(margin) and 0 <= margin < 1):
        raise ReportError(f"margin {margin} is not an AUC difference from 0 to below 1: give for instance 0.02")
    places = [(dict(place.coordinates), place.value) for place in layout.places if place.value]
    if show == "published":
        cells = [_cell(layout, at, value, None, Verdict("missing")) for at, value in places]
        return Table(layout, tuple(cells), show, margin)
    chosen = _filtered(list(records), recipe, where or {})
    lookup = _Lookup(chosen, measures, versions)
    cells = [_judged(layout, at, value, lookup, margin) for at, value in places]
    cells += _added(layout, lookup, margin, added_methods)
    return Table(layout, tuple(cells), show, margin)


class _Lookup:
    """The series of a method on a split definition, found by the coordinates of a cell."""

    def __init__(self, records: Iterable[Record], measures: Measures, versions: Mapping[str, int]) -> None:
        self.versions = versions
        self._found: defaultdict[tuple[str, ...], list[Record]] = defaultdict(list)
        for record in {record.key: record for record in sorted(records, key=_preference)}.values():
            for method in measures(record):
                self._found[method, *_split_of(record)].append(record)

    def series(self, method: str, rule: str, where: Mapping[str, str]) -> list[Series]:
        split = (where.get(name, "") for name in SPLIT_COORDINATES)
        return series_of(self._found.get((method, rule, *split), ()), self.versions)

    def shots(self, method: str) -> set[str]:
        """With how many labelled anomalies a method was run."""
        at = 2 + SPLIT_COORDINATES.index("shots")
        return {key[at] for key in self._found if key[0] == method}


def _preference(record: Record) -> tuple[bool, str]:
    """Of two records of one key the later in this order is taken: a finished one, the one made last."""
    return record.status == "done", record.provenance.started if record.provenance else ""


def _split_of(record: Record) -> tuple[str, ...]:
    split = record.spec.split
    shots = "" if split.shots is None else str(split.shots)
    dataset = split.dataset.partition("@")[0]
    return split.rule, dataset, split.known_class or "", split.normal_class or "", shots, split.gamma or ""


def _filtered(records: list[Record], recipe: str | None, where: Mapping[str, ParamValue]) -> list[Record]:
    if recipe is not None and recipe not in RECIPES:
        raise ReportError(f"no recipe {recipe!r}{did_you_mean(recipe, RECIPES) or ': choose ' + ', '.join(RECIPES)}")
    known = {name for record in records for name in record.spec.fit.params}
    for name in where:
        if records and name not in known:
            raise ReportError(
                f"no record has a hyper-parameter {name!r}{did_you_mean(name, known) or ': see bench methods show'}"
            )
    return [
        record
        for record in records
        if recipe in {None, record.spec.recipe}
        and all(_same(record.spec.fit.params.get(name), value) for name, value in where.items())
    ]


def _same(one: ParamValue, other: ParamValue) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _added(layout: Layout, lookup: _Lookup, margin: float, methods: Collection[str]) -> Iterator[Cell]:
    if "method" not in layout.entry.coordinates:
        return
    printed = {layout.method(dict(place.coordinates)) for place in layout.places}
    rows = dict.fromkeys(
        tuple((name, value) for name, value in place.coordinates if name not in {"method", "shots"})
        for place in layout.places
    )
    for method in methods:
        if method in printed:
            continue
        for shots in sorted(lookup.shots(method), key=lambda text: (len(text), text)):
            for row in rows:
                values = {**dict(row), "method": method, "shots": shots}
                at = {name: values[name] for name in layout.entry.coordinates}
                cell = _judged(layout, at, None, lookup, margin)
                if cell.measured:
                    yield cell


def _judged(layout: Layout, at: dict[str, str], value: Value | None, lookup: _Lookup, margin: float) -> Cell:
    method = layout.method(at) if value else at["method"]
    if method is None:
        return _cell(layout, at, value, None, Verdict("missing"))
    subsets = [lookup.series(method, layout.rule(at), subset) for subset in layout.subsets(at)]
    shown = [series for series in (_shown(found) for found in subsets) if series]
    if len(shown) < len(subsets):
        return _cell(layout, at, value, None, _absent(subsets, len(shown)))
    spread: Spread = "classes" if layout.std == "classes" else "seeds"
    measured = average(shown, scale=layout.scale, spread_over=spread, notes=_not_shown(subsets, shown))
    if measured is None:
        return _cell(layout, at, value, None, Verdict("missing", reasons=("no seed that every subset has",)))
    verdict = _verdict(layout, value, measured, margin) if value else Verdict("missing")
    stale = tuple(dict.fromkeys(_age(series, lookup.versions) for series in shown if series.stale))
    return _cell(layout, at, value, measured, Verdict("stale", reasons=stale) if stale else verdict)


def _shown(found: list[Series]) -> Series | None:
    """The best series with a result; None where there is none, or only a stale one beside a failed run of today."""
    done = next((series for series in found if series.runs), None)
    return None if done and done.stale and _failures(found) else done


def _failures(found: Iterable[Series]) -> list[str]:
    return [text for series in found if not series.stale and not series.runs for text in series.failures]


def _absent(subsets: list[list[Series]], present: int) -> Verdict:
    failures = tuple(dict.fromkeys(text for found in subsets for text in _failures(found)))
    if failures:
        return Verdict("failed", reasons=failures)
    part = (f"{present} of {len(subsets)} subsets measured",) if present else ()
    return Verdict("missing", reasons=part)


def _not_shown(subsets: list[list[Series]], shown: list[Series]) -> list[str]:
    others = [series for found, one in zip(subsets, shown, strict=True) for series in found if series is not one]
    done = sum(bool(series.runs) for series in others)
    failed = dict.fromkeys(series.recipe for series in others if not series.runs and not series.stale)
    notes = [f"{done} other series not shown"] if done else []
    return notes + [f"a series of recipe {recipe} failed" for recipe in failed]


def _age(series: Series, versions: Mapping[str, int]) -> str:
    fit = next(iter(series.runs.values())).spec.fit
    return f"measured by version {fit.version} of {fit.detector}, now {versions[fit.detector]}"


def _verdict(layout: Layout, value: Value, measured: Measured, margin: float) -> Verdict:
    published = Sample(value.mean, value.std if layout.std == "runs" else None, layout.paper.runs)
    comparison = compare(published, Sample(measured.mean, measured.seed_std, measured.n), margin * layout.scale)
    return Verdict("not_comparable" if measured.reasons else comparison.agreement, comparison, measured.reasons)


def _cell(layout: Layout, at: dict[str, str], value: Value | None, measured: Measured | None, verdict: Verdict) -> Cell:
    return Cell(layout.paper.paper, layout.table, at, value, measured, layout.paper.unit, verdict)


def _at(cell: Cell, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(cell.coordinates[name] for name in names)
