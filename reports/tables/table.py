"""A table of a paper as cells: published beside measured, with a verdict each. Renderers read nothing else."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from math import isfinite
from typing import Literal

from protocols.values import ParamValue
from reports.errors import ReportError
from reports.layouts.layout import Layout, Source
from reports.layouts.published import PublishedValue
from reports.stats.thresholds import MARGIN
from reports.stats.verdict import Verdict
from reports.tables.judging import Baseline, cell_verdict
from reports.tables.lookup import SPLIT_COORDINATES, Lookup, LookupKey, MeasuredIds, chosen_records, source_key
from reports.tables.measured import (
    STORED_AUROC,
    CellValue,
    Measured,
    Series,
    Stale,
    average_series,
    never_stale,
)
from reports.tables.nesting import ScoresDigest, no_scores
from results.metrics import AUROC
from results.record import Record

Show = Literal["published", "measured", "both"]


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
    its cells. `all_sources`: the renderers also print what other papers say of its cells. `titles` are those of methods
    that the paper does not name, `left_out` cells that the table has and this part of it does not print. `baseline` is
    what the measured values of a suite are tested against. `names_runs`: what is said of a measured cell names them.
    """

    layout: Layout
    cells: tuple[Cell, ...]
    show: Show
    margin: float
    remarks: tuple[str, ...] = ()
    value: CellValue = STORED_AUROC
    all_sources: bool = False
    titles: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[Cell, ...] = ()
    baseline: Baseline | None = None
    names_runs: bool = False

    @property
    def title(self) -> str:
        """That of the paper's table, after the metric where that is not the paper's."""
        title = self.layout.title
        if self.value.is_auroc or not self.layout.is_published:
            return title
        return f"{self.value.metric.heading}, laid out as {title}"

    @property
    def page_id(self) -> str:
        """The table's id; a figure and another metric are named in it, since a document may hold them beside it."""
        number = self.layout.table if self.layout.kind == "Table" else f"figure_{self.layout.table}"
        return ":".join([self.layout.paper.paper, number, *([] if self.value.is_auroc else [self.value.metric.id])])

    @property
    def subject(self) -> str:
        """The title without the name of the paper's table."""
        subject = self.layout.entry.title
        return subject if self.value.is_auroc else f"{self.value.metric.heading}, laid out as: {subject}"

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
        """The printed form of a value of a coordinate."""
        if coordinate == "metric" and value == self.value.metric.id and not self.value.is_auroc:
            return self.value.metric.heading
        if coordinate == "method" and value not in self.layout.paper.labels.get("method", {}):
            return self.titles.get(value, value)
        return self.layout.label(coordinate, value)

    @property
    def has_measured(self) -> bool:
        return any(cell.measured for cell in self.cells)

    def measured_part(self) -> "Table":
        """The rows with a measured value, and in each block the columns that have one."""
        entry = self.layout.entry
        measured = [cell for cell in self.cells if cell.measured]
        rows = {_values(cell, entry.rows) for cell in measured}
        columns = {_values(cell, [*entry.blocks, *entry.columns]) for cell in measured}
        return self.part(
            {
                number
                for number, cell in enumerate(self.cells)
                if _values(cell, entry.rows) in rows and _values(cell, [*entry.blocks, *entry.columns]) in columns
            }
        )

    def part(self, numbers: Collection[int]) -> "Table":
        """The cells of these places in `cells`; the others are left out."""
        shown = tuple(cell for number, cell in enumerate(self.cells) if number in numbers)
        hidden = tuple(cell for number, cell in enumerate(self.cells) if number not in numbers)
        return replace(self, cells=shown, left_out=(*self.left_out, *hidden))


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
    params: Mapping[str, ParamValue] | None = None,
    show: Show = "both",
    added_methods: Collection[str] = (),
    forced_methods: Mapping[str, bool] | None = None,
    titles: Mapping[str, str] | None = None,
    value: CellValue = STORED_AUROC,
    scores_digest: ScoresDigest = no_scores,
    all_sources: bool = False,
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
        params: only records of which these facts are so, such as hyper-parameters; see `record_facts`.
        show: what the renderers print.
        added_methods: methods that the paper does not have, each a further column where it has records.
        forced_methods: those that get a column without records too; True where labelled anomalies are given to them.
        titles: of methods that the paper does not name, by their ids.
        value: what stands in the cells. With another metric than the paper prints, only the measured side is shown.
        scores_digest: tells copies of one run from runs that happen to have equal numbers.
        all_sources: also print what other papers say of the cells.

    Raises:
        ReportError: unknown recipe or fact, a margin that is none, or nothing published to show.
    """
    _check_margin(margin)
    cells = list(_empty_cells(layout, value))
    if show == "published":
        if not value.is_auroc:
            raise ReportError(f"{layout.title} has no {value.metric.title}: leave out --metric, or --show published")
        return Table(layout, tuple(cells), show, margin, all_sources=all_sources)
    chosen = chosen_records(list(records), recipe, params or {})
    lookup = Lookup(chosen, measures, versions, stale, value, scores_digest)
    cells = [_measured_cell(layout, cell, lookup, margin) for cell in cells]
    cells += _added_cells(layout, lookup, margin, added_methods, forced_methods or {})
    series = {id_ for cell in cells if cell.measured for id_ in cell.measured.series}
    text = remark([record for record in chosen if record.series in series])
    sides: Show = show if value.is_auroc and layout.is_published else "measured"
    return Table(layout, tuple(cells), sides, margin, (text,) if text else (), value, all_sources, titles or {})


def build_tables(layouts: Iterable[Layout], lookup: Lookup, margin: float = MARGIN) -> list[Table]:
    """Lay the same records out as several tables; see `build_table`."""
    _check_margin(margin)
    return [
        Table(
            layout,
            tuple(_measured_cell(layout, cell, lookup, margin) for cell in _empty_cells(layout, lookup.value)),
            "both",
            margin,
            value=lookup.value,
        )
        for layout in layouts
    ]


def _check_margin(margin: float) -> None:
    if not (isfinite(margin) and 0 <= margin < 1):
        raise ReportError(f"margin {margin} is not an AUC difference from 0 to below 1: give for instance {MARGIN}")


def unprinted_methods(layout: Layout, records: Iterable[Record], measures: MeasuredIds) -> list[str]:
    """Methods with a finished run that measures none of those which the table prints, by their ids in order."""
    printed = {source.method for cell in layout.published_cells if (source := layout.source(dict(cell.coordinates)))}
    claims = {(record.series, record.spec.method, record.spec.recipe): record for record in records if record.metrics}
    return sorted({record.spec.method for record in claims.values() if printed.isdisjoint(measures(record))})


def lookup_keys(layout: Layout, cell: Cell) -> Iterator[LookupKey]:
    """The keys under which a cell looks for its runs, one a subset."""
    if cell.source:
        for subset in layout.subsets(cell.coordinates):
            yield source_key(cell.source, subset.coordinates)


def _empty_cells(layout: Layout, value: CellValue) -> Iterator[Cell]:
    """The published cells, nothing measured yet; another metric than the paper's takes the places of the AUCs."""
    for published in layout.published_cells:
        coordinates = dict(published.coordinates)
        source = layout.source(coordinates)
        if not layout.is_published:
            yield _empty_cell(layout, coordinates, None, source)
        elif published.value and value.is_auroc:
            yield _empty_cell(layout, coordinates, published.value, source)
        elif published.value and not (source and source.history):
            if coordinates.get("metric") == AUROC.id:
                coordinates["metric"] = value.metric.id
            yield _empty_cell(layout, coordinates, None, layout.source(coordinates))


def _empty_cell(
    layout: Layout, coordinates: dict[str, str], published: PublishedValue | None, source: Source | None
) -> Cell:
    return Cell(layout.paper.paper, layout.table, coordinates, published, None, source, Verdict("missing"))


def _added_cells(
    layout: Layout, lookup: Lookup, margin: float, methods: Collection[str], forced: Mapping[str, bool]
) -> Iterator[Cell]:
    """Cells of methods that the table does not print, at the coordinates of those that it does.

    Measured ones, and all of a method that is forced.
    """
    names = layout.entry.coordinates
    if "method" not in names or not {"protocol", "method", *SPLIT_COORDINATES}.issuperset(names):
        if forced:
            raise ReportError(f"{layout.title} has no columns of methods: leave out --add")
        return
    printed = [dict(cell.coordinates) for cell in layout.published_cells]
    printed_methods = {source.method for source in map(layout.source, printed) if source}
    rows = dict.fromkeys(
        tuple((name, value) for name, value in coordinates.items() if name not in {"method", "shots"})
        for coordinates in printed
    )
    rules = dict.fromkeys(map(layout.rule, printed))
    printed_shots = dict.fromkeys(text for coordinates in printed if (text := coordinates.get("shots", "")))
    for method in dict.fromkeys([*methods, *forced]):
        if method in printed_methods:
            continue
        shots = dict.fromkeys(text for rule in rules for text in lookup.values(Source(method, rule, {}), "shots"))
        if not shots and method in forced:
            shots = printed_shots if forced[method] else {"": None}
        for number in shots if "shots" in names else ("",):
            for row in rows:
                values = {**dict(row), "method": method, "shots": number}
                coordinates = {name: values[name] for name in names}
                source = Source(method, layout.rule(coordinates), {})
                cell = _measured_cell(layout, _empty_cell(layout, coordinates, None, source), lookup, margin)
                if cell.measured or method in forced:
                    yield cell


def _measured_cell(layout: Layout, cell: Cell, lookup: Lookup, margin: float) -> Cell:
    """The cell with what its source measured, the verdict, and the failed runs that would stand in it."""
    source, coordinates = cell.source, cell.coordinates
    if source is None:
        return cell
    subsets = layout.subsets(coordinates)
    candidates = [
        lookup.series(source, subset.coordinates, partial(layout.other_data, coordinates)) for subset in subsets
    ]
    best = [_best_series(series) for series in candidates]
    chosen = [series for series in best if series]
    failures = tuple(
        dict.fromkeys(
            text for series, first in zip(candidates, best, strict=True) for text in _lost_runs(series, first)
        )
    )
    cell = replace(cell, failures=failures)
    valueless = not source.history and any(lookup.has_valueless(source, subset.coordinates) for subset in subsets)
    lacks = [f"a run has no {lookup.value.metric.title}"] if valueless else []
    if len(chosen) < len(subsets):
        verdict = _absent(candidates, len(chosen))
        return replace(cell, verdict=replace(verdict, reasons=(*verdict.reasons, *lacks)))
    measured = average_series(
        chosen,
        [subset.share for subset in subsets],
        scale=layout.scale,
        spread_over="classes" if layout.std == "classes" else "seeds",
        notes=[*_passed_over(candidates, chosen), *lacks],
        value=replace(lookup.value, history=source.history),
        scores_digest=lookup.scores_digest,
    )
    if measured is None:
        return replace(cell, verdict=Verdict("missing", reasons=("no seed that every subset has",)))
    ages = tuple(dict.fromkeys(text for series in chosen for text in series.ages))
    if ages:
        verdict = Verdict("stale", reasons=ages)
    elif source.history:
        verdict = Verdict("not_comparable", reasons=("it is no AUC", *measured.reasons))
    elif cell.published:
        verdict = cell_verdict(layout, cell.published, measured, margin)
    else:
        verdict = Verdict("missing")
    return replace(cell, measured=measured, verdict=verdict)


def _best_series(candidates: list[Series]) -> Series | None:
    """The first series with a result; None where there is none, or only a stale one beside a failed run of today."""
    done = next((series for series in candidates if series.runs), None)
    return None if done and done.stale and _failures(candidates) else done


def _failures(candidates: Iterable[Series]) -> list[str]:
    return [text for series in candidates if not series.stale and not series.runs for text in series.failures]


def _lost_runs(candidates: Iterable[Series], best: Series | None) -> list[str]:
    """The failed runs of today in the best series, and in those that would stand before or beside it."""
    return [
        text
        for series in candidates
        if not series.stale and (best is None or series.grade <= best.grade)
        for text in series.failures
    ]


def _absent(candidates: list[list[Series]], present: int) -> Verdict:
    failures = tuple(dict.fromkeys(text for series in candidates for text in _failures(series)))
    if failures:
        return Verdict("failed", reasons=failures)
    part = (f"{present} of {len(candidates)} subsets measured",) if present else ()
    return Verdict("missing", reasons=part)


def _passed_over(candidates: list[list[Series]], chosen: list[Series]) -> list[str]:
    """Remarks on the series beside the chosen ones."""
    rest = [series for group, best in zip(candidates, chosen, strict=True) for series in group if series is not best]
    done = sum(bool(series.runs) for series in rest)
    failed = dict.fromkeys(series.recipe for series in rest if not series.runs and not series.stale)
    notes = [f"{done} other series not shown"] if done else []
    return notes + [f"a series of recipe {recipe} failed" for recipe in failed]


def _values(cell: Cell, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(cell.coordinates[name] for name in names)
