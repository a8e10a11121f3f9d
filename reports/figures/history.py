"""History of one cell: every published value, every run of ours, and the verdicts between them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from protocols.text import near_miss
from protocols.values import ParamValue
from reports.errors import ReportError
from reports.layouts.layout import Layout
from reports.stats.sources import RandomEffects
from reports.stats.thresholds import MARGIN
from reports.stats.verdict import Verdict, judge
from reports.tables.judging import cell_samples
from reports.tables.lookup import Lookup, MeasuredIds, chosen_records, record_key
from reports.tables.measured import Measured, RunSeeds, Series, Stale, first_line, never_stale
from reports.tables.nesting import ScoresDigest, no_scores
from reports.tables.sources import PublishedSource, SourceIndex, pooled_sources, published_sources
from reports.tables.table import Cell, build_table, lookup_keys
from results.metrics import AUROC
from results.record import Record

FORM_OF_IDS = "an id is PROTOCOL/DATASET/[CLASS/]METHOD[/SHOTS|GAMMA], as in hard/elpv/mono/dra/10"


@dataclass(frozen=True, slots=True)
class JudgedSource:
    """A published value and the verdict of ours against it; None for a quote, or where ours are not asked for."""

    source: PublishedSource
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class HistoryRun:
    """One run of ours.

    name: the run's. subset: which part of a mean it is, empty for other cells. value: None where the run failed.
    in_tables: it belongs to the series that stands in the tables. reasons: why it does not count beside the papers,
    empty where it does.
    """

    name: str
    subset: str
    seeds: RunSeeds
    recipe: str
    precision: str
    value: float | None
    in_tables: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CellHistory:
    """All that is known of one cell, in the unit of the paper that printed it first.

    pooled: mean over the independent sources, None for fewer than three; against_all: the verdict against it. margin:
    in the unit of the paper. remarks: sentences on the records.
    """

    id: str
    sources: tuple[JudgedSource, ...]
    measured: Measured | None
    runs: tuple[HistoryRun, ...]
    pooled: RandomEffects | None
    against_all: Verdict | None
    margin: float
    remarks: tuple[str, ...] = ()
    published_only: bool = False

    @property
    def first(self) -> PublishedSource:
        return self.sources[0].source

    @property
    def layout(self) -> Layout:
        return self.first.layout

    @property
    def title(self) -> str:
        return ", ".join(self.layout.label(name, value) for name, value in self.first.coordinates.items() if value)


def cell_history(
    name: str,
    records: Iterable[Record],
    *,
    measures: MeasuredIds,
    versions: Mapping[str, int],
    stale: Stale = never_stale,
    remark: Callable[[list[Record]], str] = lambda _: "",
    margin: float = MARGIN,
    recipe: str | None = None,
    params: Mapping[str, ParamValue] | None = None,
    scores_digest: ScoresDigest = no_scores,
    published_only: bool = False,
) -> CellHistory:
    """Collect what is known of the cell of this id, with or without `PAPER:TABLE/` in front.

    Raises:
        ReportError: no paper prints such a cell, it holds no AUC, or there is no such recipe or hyper-parameter.
    """
    index = published_sources()
    id_ = known_id(index, name)
    sources = index.of(id_)
    if sources[0].coordinates.get("metric", AUROC.id) != AUROC.id:
        raise ReportError(f"{id_} holds no AUC: print it with bench report --table {sources[0].layout.id}")
    chosen = chosen_records(list(records), recipe, params or {})
    cells = []
    for source in sources:
        empty = build_table(source.layout, [], measures=measures, versions=versions, show="published").cells
        cell = next(cell for cell in empty if cell.coordinates == source.coordinates)
        keys = {*lookup_keys(source.layout, cell)}
        cell_records = [
            record for record in chosen if any(record_key(record, method) in keys for method in measures(record))
        ]
        table = build_table(
            source.layout,
            cell_records,
            measures=measures,
            versions=versions,
            stale=stale,
            margin=margin,
            scores_digest=scores_digest,
        )
        cells.append((next(cell for cell in table.cells if cell.coordinates == source.coordinates), cell_records))
    (first, cell_records), scale = cells[0], sources[0].layout.scale
    pooled = pooled_sources(sources, scale)
    return CellHistory(
        id=id_,
        sources=tuple(
            JudgedSource(source, None if published_only or source.kind == "quoted" else cell.verdict)
            for source, (cell, _) in zip(sources, cells, strict=True)
        ),
        measured=first.measured,
        runs=tuple(_runs(sources[0].layout, first, Lookup(cell_records, measures, versions, stale))),
        pooled=pooled,
        against_all=_against_all(sources[0], first, pooled, margin * scale),
        margin=margin * scale,
        remarks=(text,) if (text := remark(cell_records)) else (),
        published_only=published_only,
    )


def known_id(index: SourceIndex, name: str) -> str:
    """The id of a printed cell; raises ReportError for any other, with the one that was perhaps meant."""
    table, _, rest = name.strip().partition("/")
    id_ = rest if ":" in table else name.strip()
    sources = index.of(id_)
    tables = {f"{source.paper}:{number}" for source in sources for number in (source.layout.table, *source.also)}
    if sources and (":" not in table or table in tables):
        return id_
    if sources:
        raise ReportError(f"no cell {name!r}: {id_} is printed in {', '.join(sorted(tables))}")
    raise ReportError(f"no cell {name!r}: {near_miss(id_, index.ids, FORM_OF_IDS)}")


def _against_all(source: PublishedSource, cell: Cell, pooled: RandomEffects | None, margin: float) -> Verdict | None:
    """The verdict against the mean over sources, where there is one and ours can be judged."""
    if pooled is None or cell.measured is None or cell.verdict.comparison is None:
        return None
    _, ours = cell_samples(source.layout, source.value, cell.measured)
    comparison = judge(pooled.sample, ours, margin)
    name = "not_comparable" if cell.verdict.name == "not_comparable" else comparison.verdict
    return Verdict(name, comparison, cell.verdict.reasons)


def _runs(layout: Layout, cell: Cell, lookup: Lookup) -> Iterable[HistoryRun]:
    if cell.source is None:
        return
    in_tables = cell.measured.series if cell.measured else ()
    subsets = layout.subsets(cell.coordinates)
    for subset in subsets:
        differing = [name for name, value in subset.coordinates.items() if cell.coordinates.get(name) != value]
        label = ", ".join(layout.label(name, subset.coordinates[name]) for name in differing)
        for series in lookup.series(cell.source, subset.coordinates, partial(layout.other_data, cell.coordinates)):
            yield from _series_runs(series, label, in_tables=series.id in in_tables, scale=layout.scale)


def _series_runs(series: Series, subset: str, *, in_tables: bool, scale: float) -> Iterable[HistoryRun]:
    reasons = (*series.ages, *series.reasons)
    for seeds, record in series.runs.items():
        value = record.metrics.auroc * scale if record.metrics else None
        name, precision = record.spec.name, record.spec.fit.precision
        yield HistoryRun(name, subset, seeds, series.recipe, precision, value, in_tables, reasons)
    for seeds, record in series.failed.items():
        failure = (f"failed: {first_line(record.error)}",)
        yield HistoryRun(record.spec.name, subset, seeds, series.recipe, "", None, in_tables, failure)
