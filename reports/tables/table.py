"""A table of a paper as cells: published beside measured, with a verdict each. Renderers read nothing else."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import isfinite
from typing import Literal

from msgspec import structs

from protocols.coordinates import COORDINATE_FIELDS
from protocols.text import near_miss
from protocols.values import ParamValue
from reports.errors import ReportError
from reports.stats.thresholds import MARGIN
from reports.stats.verdict import Sample, Verdict, judge
from reports.tables.layout import Layout, Source
from reports.tables.measured import (
    RECIPE_ORDER,
    STORED_AUROC,
    CellValue,
    Measured,
    Series,
    Stale,
    average_series,
    never_stale,
    series_of,
)
from reports.tables.published import PublishedValue
from results.maintenance.twins import disagreements
from results.metrics import AUROC
from results.record import Record

Show = Literal["published", "measured", "both"]
MeasuredIds = Callable[[Record], Collection[str]]

SPLIT_COORDINATES = ("dataset", *COORDINATE_FIELDS)


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of a paper's table, its coordinates in the published file's order.

    `published` is None for an added method, and for a metric that the paper does not print. `source` is what measures
    it, None where nothing does. `failures`: one text a failed run that would stand here if it had not.
    """

    paper: str
    table: str
    coordinates: Mapping[str, str]
    published: PublishedValue | None
    measured: Measured | None
    source: Source | None
    verdict: Verdict
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """All cells of one table in the order of its file, then those of added methods.

    `margin` is an AUC as a fraction, `remarks` are sentences on the records that it shows, `value` is what stands in
    its cells.
    """

    layout: Layout
    cells: tuple[Cell, ...]
    show: Show
    margin: float
    remarks: tuple[str, ...] = ()
    value: CellValue = STORED_AUROC

    @property
    def title(self) -> str:
        """That of the paper's table, after the metric where that is not the paper's."""
        title = self.layout.title
        return title if self.value.is_auroc else f"{self.value.metric.heading}, laid out as {title}"

    @property
    def metric(self) -> str:
        """The metric with its unit."""
        metric = self.value.metric
        if self.value.is_auroc:
            return self.layout.metric
        unit = "as a fraction" if self.unit == "fraction" else f"in {self.unit}"
        return f"{metric.heading} {unit}" + (", lower is better" if metric.better == "lower" else "")

    @property
    def unit(self) -> str:
        """`fraction` or `percent` as the paper has it, or the metric's own."""
        metric = self.value.metric
        return self.layout.paper.unit if metric.unit == "fraction" else metric.unit

    def label(self, coordinate: str, value: str) -> str:
        """How a value of a coordinate is printed."""
        if coordinate == "metric" and value == self.value.metric.id and not self.value.is_auroc:
            return self.value.metric.heading
        return self.layout.label(coordinate, value)

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


def build_table(
    layout: Layout,
    records: Iterable[Record],
    *,
    measures: MeasuredIds,
    versions: Mapping[str, int],
    stale: Stale = never_stale,
    remark: Callable[[list[Record]], str] = lambda _: "",
    margin: float = MARGIN,
    recipe: str | None = None,
    where: Mapping[str, ParamValue] | None = None,
    show: Show = "both",
    added_methods: Collection[str] = (),
    value: CellValue = STORED_AUROC,
) -> Table:
    """Lay records out as one table of a paper.

    Args:
        layout: the table.
        records: of any method, dataset and rule; those that belong elsewhere are passed over.
        measures: the ids of the detectors and variants that a record measures.
        versions: current version by detector; records of an older one are stale.
        stale: what else makes a record stale.
        remark: what is to be said once of the records that the table shows; empty where nothing is.
        margin: smallest difference that counts, as a fraction of AUC.
        recipe: only records of this recipe.
        where: only records with these resolved hyper-parameters.
        show: what the renderers print.
        added_methods: methods that the paper does not have, each a further column where it has records.
        value: what stands in the cells. With another metric than the paper prints, only the measured side is shown.

    Raises:
        ReportError: unknown recipe or hyper-parameter, a margin that is none, or nothing published to show.
    """
    if not (isfinite(margin) and 0 <= margin < 1):
        raise ReportError(f"margin {margin} is not an AUC difference from 0 to below 1: give for instance 0.02")
    places = list(_places(layout, value))
    if show == "published":
        if not value.is_auroc:
            raise ReportError(f"{layout.title} has no {value.metric.title}: leave out --metric, or --show published")
        cells = [_cell(layout, at, number, layout.source(at), None, Verdict("missing")) for at, number in places]
        return Table(layout, tuple(cells), show, margin)
    kept = chosen_records(list(records), recipe, where or {})
    lookup = Lookup(kept, measures, versions, stale, value)
    cells = [_measured_cell(layout, at, number, layout.source(at), lookup, margin) for at, number in places]
    cells += _added(layout, lookup, margin, added_methods)
    shown = {series for cell in cells if cell.measured for series in cell.measured.series}
    said = remark([record for record in kept if record.series in shown])
    sides: Show = show if value.is_auroc else "measured"
    return Table(layout, tuple(cells), sides, margin, (said,) if said else (), value)


def _places(layout: Layout, value: CellValue) -> Iterator[tuple[dict[str, str], PublishedValue | None]]:
    """Coordinates and published value of each cell; another metric than the paper's takes the places of the AUCs."""
    for place in layout.places:
        at = dict(place.coordinates)
        source = layout.source(at)
        if place.value and value.is_auroc:
            yield at, place.value
        elif place.value and not (source and source.history):
            yield at | ({"metric": value.metric.id} if at.get("metric") == AUROC.id else {}), None


def lookup_keys(layout: Layout, cell: Cell) -> Iterator[tuple[str, ...]]:
    """Where a cell looks for its runs: method, rule and `SPLIT_COORDINATES`, once a subset."""
    if cell.source:
        for subset in layout.subsets(cell.coordinates):
            yield _key(cell.source, subset.at)


def split_of(record: Record) -> tuple[str, ...]:
    """Rule and `SPLIT_COORDINATES` of a record, a prepared variant of a dataset under the dataset's id."""
    split = record.spec.split
    return split.rule, split.dataset.partition("@")[0], *split.coordinate_texts.values()


class Lookup:
    """The series of a method on a split definition, found by the coordinates of a cell; of runs that have the value."""

    def __init__(
        self,
        records: Iterable[Record],
        measures: MeasuredIds,
        versions: Mapping[str, int],
        stale: Stale = never_stale,
        value: CellValue = STORED_AUROC,
    ) -> None:
        self.value = value
        self._versions = versions
        self._stale = stale
        self._found: defaultdict[tuple[str, ...], list[Record]] = defaultdict(list)
        for record in latest_records(records):
            for method in measures(record):
                self._found[method, *split_of(record)].append(record)

    def series(
        self, source: Source, where: Mapping[str, str], other_data: Callable[[str], str] = lambda _: ""
    ) -> list[Series]:
        value = replace(self.value, history=source.history)
        records = self._found.get(_key(source, where), [])
        valued = [record for record in records if record.status == "failed" or value.of(record) is not None]
        return series_of(valued, self._versions, stale=self._stale, other_data=other_data)

    def has_valueless(self, source: Source, where: Mapping[str, str]) -> bool:
        """Whether a finished run has no such metric."""
        records = self._found.get(_key(source, where), [])
        return any(record.metrics and self.value.of(record) is None for record in records)

    def values(self, source: Source, coordinate: str) -> list[str]:
        """The values of a split coordinate that a method was run with, under the source's rule and split."""
        at = 2 + SPLIT_COORDINATES.index(coordinate)
        wanted = [(2 + SPLIT_COORDINATES.index(name), value) for name, value in source.split.items()]
        found = {
            key[at]
            for key in self._found
            if key[:2] == (source.method, source.rule) and all(key[index] == value for index, value in wanted)
        }
        return sorted(found, key=lambda text: (len(text), text))


def _key(source: Source, where: Mapping[str, str]) -> tuple[str, ...]:
    return source.method, source.rule, *(({**where, **source.split}).get(name, "") for name in SPLIT_COORDINATES)


def latest_records(records: Iterable[Record]) -> list[Record]:
    """One record a key: of several a finished one, and of these the one made last, which notes the others' numbers."""
    groups: dict[str, list[Record]] = {}
    for record in sorted(records, key=_preference):
        groups.setdefault(record.key, []).append(record)
    return [_told(group) if len(group) > 1 else group[0] for group in groups.values()]


def _told(group: Sequence[Record]) -> Record:
    """The last of several records of one key; a note says where they hold other numbers."""
    made = [one.provenance for one in group]
    places = [f"({one.numerics_class}, started {one.started})" if one else "(nobody knows where)" for one in made]
    last = group[-1]
    told = [f"{text}; the last counts" for text in disagreements(zip(group, places, strict=True))]
    return structs.replace(last, notes=[*last.notes, *told]) if told else last


def _preference(record: Record) -> tuple[bool, str]:
    return record.status == "done", record.provenance.started if record.provenance else ""


def chosen_records(records: list[Record], recipe: str | None, where: Mapping[str, ParamValue]) -> list[Record]:
    """The records of a recipe (None: of any) with these resolved hyper-parameters.

    Raises:
        ReportError: unknown recipe or hyper-parameter.
    """
    if recipe is not None and recipe not in RECIPE_ORDER:
        raise ReportError(f"no recipe {recipe!r}: {near_miss(recipe, RECIPE_ORDER)}")
    known = {name for record in records for name in record.spec.fit.params}
    for name in where:
        if records and name not in known:
            raise ReportError(
                f"no record has a hyper-parameter {name!r}: {near_miss(name, known, 'see bench methods show')}"
            )
    return [
        record
        for record in records
        if recipe in {None, record.spec.recipe}
        and all(_same(record.spec.fit.params.get(name), value) for name, value in where.items())
    ]


def _same(one: ParamValue, other: ParamValue) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _added(layout: Layout, lookup: Lookup, margin: float, methods: Collection[str]) -> Iterator[Cell]:
    coordinates = layout.entry.coordinates
    if "method" not in coordinates or not {"protocol", "method", *SPLIT_COORDINATES}.issuperset(coordinates):
        return
    printed = {source.method for place in layout.places if (source := layout.source(dict(place.coordinates)))}
    rows = dict.fromkeys(
        tuple((name, value) for name, value in place.coordinates if name not in {"method", "shots"})
        for place in layout.places
    )
    rules = dict.fromkeys(layout.rule(dict(place.coordinates)) for place in layout.places)
    for method in methods:
        if method in printed:
            continue
        shots = dict.fromkeys(one for rule in rules for one in lookup.values(Source(method, rule, {}), "shots"))
        for one in shots if "shots" in coordinates else ("",):
            for row in rows:
                values = {**dict(row), "method": method, "shots": one}
                at = {name: values[name] for name in coordinates}
                cell = _measured_cell(layout, at, None, Source(method, layout.rule(at), {}), lookup, margin)
                if cell.measured:
                    yield cell


def _measured_cell(
    layout: Layout,
    at: dict[str, str],
    published: PublishedValue | None,
    source: Source | None,
    lookup: Lookup,
    margin: float,
) -> Cell:
    if source is None:
        return _cell(layout, at, published, source, None, Verdict("missing"))
    behind = layout.subsets(at)
    subsets = [lookup.series(source, subset.at, partial(layout.other_data, at)) for subset in behind]
    best = [_shown(found) for found in subsets]
    shown = [series for series in best if series]
    failures = tuple(
        dict.fromkeys(text for found, one in zip(subsets, best, strict=True) for text in _lost(found, one))
    )
    valueless = not source.history and any(lookup.has_valueless(source, subset.at) for subset in behind)
    lacks = [f"a run has no {lookup.value.metric.title}"] if valueless else []
    if len(shown) < len(subsets):
        verdict = _absent(subsets, len(shown))
        verdict = replace(verdict, reasons=(*verdict.reasons, *lacks))
        return _cell(layout, at, published, source, None, verdict, failures)
    measured = average_series(
        shown,
        [subset.share for subset in behind],
        scale=layout.scale,
        spread_over="classes" if layout.std == "classes" else "seeds",
        notes=[*_not_shown(subsets, shown), *lacks],
        value=replace(lookup.value, history=source.history),
    )
    if measured is None:
        lacking = Verdict("missing", reasons=("no seed that every subset has",))
        return _cell(layout, at, published, source, None, lacking, failures)
    if source.history:
        verdict = Verdict("not_comparable", reasons=("it is no AUC", *measured.reasons))
    else:
        verdict = _verdict(layout, published, measured, margin, lookup.value) if published else Verdict("missing")
    ages = tuple(dict.fromkeys(text for series in shown for text in series.ages))
    return _cell(layout, at, published, source, measured, Verdict("stale", reasons=ages) if ages else verdict, failures)


def _shown(found: list[Series]) -> Series | None:
    """The best series with a result; None where there is none, or only a stale one beside a failed run of today."""
    done = next((series for series in found if series.runs), None)
    return None if done and done.stale and _failures(found) else done


def _failures(found: Iterable[Series]) -> list[str]:
    return [text for series in found if not series.stale and not series.runs for text in series.failures]


def _lost(found: Iterable[Series], shown: Series | None) -> list[str]:
    """The failed runs of today in the series that is shown, and in those that would stand before or beside it."""
    return [
        text
        for series in found
        if not series.stale and (shown is None or series.rank[:3] <= shown.rank[:3])
        for text in series.failures
    ]


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


def _verdict(layout: Layout, published: PublishedValue, measured: Measured, margin: float, value: CellValue) -> Verdict:
    theirs = Sample(published.mean, published.std if layout.std == "runs" else None, layout.paper.runs)
    ours = Sample(measured.mean, measured.seed_std, measured.n)
    comparison = judge(theirs, ours, margin * layout.scale, value.metric.better)
    return Verdict("not_comparable" if measured.reasons else comparison.agreement, comparison, measured.reasons)


def _cell(
    layout: Layout,
    at: dict[str, str],
    published: PublishedValue | None,
    source: Source | None,
    measured: Measured | None,
    verdict: Verdict,
    failures: tuple[str, ...] = (),
) -> Cell:
    return Cell(layout.paper.paper, layout.table, at, published, measured, source, verdict, failures)


def _at(cell: Cell, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(cell.coordinates[name] for name in names)
