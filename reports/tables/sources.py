"""Published sources of a cell across the papers: every printed value, what it is, and who measured it.

A cell is the same in two papers where its id is. What a paper prints twice with the same digits is one source.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from reports.layouts import cell_ids, layout
from reports.layouts.layout import Layout
from reports.layouts.paper import SourceKind
from reports.layouts.published import PublishedValue
from reports.stats.sample import Sample
from reports.stats.sources import RandomEffects, random_effects
from reports.stats.thresholds import FEWEST_SOURCES
from reports.stats.verdict import Verdict
from reports.tables.judging import cell_verdict, published_sample
from reports.tables.table import Cell, Table


@dataclass(frozen=True, slots=True)
class PublishedSource:
    """One published value of a cell, in the unit of its paper.

    by: who measured it. also: further tables of the paper that print the same digits. original: the digits of the paper
    that a quoted value is taken over from, where they are others.
    """

    layout: Layout
    coordinates: Mapping[str, str]
    value: PublishedValue
    kind: SourceKind
    by: str
    also: tuple[str, ...] = ()
    original: str = ""

    @property
    def paper(self) -> str:
        return self.layout.paper.paper

    @property
    def name(self) -> str:
        return f"{self.layout.paper.name} Table {self.layout.table}"

    @property
    def n(self) -> int | None:
        """The number of runs that the mean counts as; None where the paper prints no number and no std over runs."""
        return self.layout.paper.counted_runs or None

    @property
    def n_known(self) -> bool:
        return self.layout.paper.runs not in {0, "unknown"}

    def sample(self, scale: float) -> Sample:
        """The value as a sample in a unit with fractions at `scale`."""
        sample, factor = published_sample(self.layout, self.value), scale / self.layout.scale
        return replace(sample, mean=sample.mean * factor, std=None if sample.std is None else sample.std * factor)


class SourceIndex:
    """All published sources by the id of their cell."""

    def __init__(self, layouts: Iterable[Layout]) -> None:
        self._layouts = {table_layout.id: table_layout for table_layout in layouts}
        self._sources: dict[str, list[PublishedSource]] = {}
        names = {table_layout.paper.paper: table_layout.paper.measured_by for table_layout in self._layouts.values()}
        for table_layout in self._layouts.values():
            for cell in table_layout.published_cells:
                if cell.value:
                    self._add(table_layout, dict(cell.coordinates), cell.value, names)

    @property
    def layouts(self) -> list[Layout]:
        return list(self._layouts.values())

    @property
    def ids(self) -> list[str]:
        return list(self._sources)

    def of(self, cell: str) -> tuple[PublishedSource, ...]:
        """The sources of a cell by its id: the paper that printed it first, reruns, quotes."""
        sources = self._sources.get(cell, [])
        ordered = sorted(sources, key=lambda source: ("paper", "rerun", "quoted").index(source.kind))
        return tuple(_with_original(source, sources) for source in ordered)

    def of_cell(self, table_layout: Layout, coordinates: Mapping[str, str]) -> tuple[PublishedSource, ...]:
        """The sources of a printed cell."""
        return self.of(cell_ids.cell_id(table_layout, coordinates))

    def _add(
        self, table_layout: Layout, coordinates: Mapping[str, str], value: PublishedValue, names: Mapping[str, str]
    ) -> None:
        kind, quoted_from = table_layout.source_kind(coordinates)
        by = names.get(quoted_from, "unknown") if kind == "quoted" else table_layout.paper.measured_by
        sources = self._sources.setdefault(cell_ids.cell_id(table_layout, coordinates), [])
        for index, twin in enumerate(sources):
            if twin.paper == table_layout.paper.paper and _digits(twin.value) == _digits(value):
                sources[index] = replace(twin, also=(*twin.also, table_layout.table))
                return
        sources.append(PublishedSource(table_layout, coordinates, value, kind, by))


def published_sources() -> SourceIndex:
    """The sources in all tables of AUCs, of this package's papers and of others'."""
    return SourceIndex(map(layout.auc_layout, layout.auc_table_ids()))


def table_sources(table: Table) -> dict[int, tuple[PublishedSource, ...]]:
    """The sources of the published cells that a table shows, by the cell's number in it."""
    if table.show == "measured":
        return {}
    index = published_sources()
    return {
        number: index.of_cell(table.layout, cell.coordinates)
        for number, cell in enumerate(table.cells)
        if cell.published
    }


def other_sources(table: Table) -> dict[int, dict[str, PublishedSource]]:
    """Sources from other papers, of the cells of a table that asks for all: by the cell's number and the paper."""
    if not table.all_sources:
        return {}
    paper = table.layout.paper.paper
    return {
        number: {source.paper: source for source in reversed(sources) if source.paper != paper}
        for number, sources in table_sources(table).items()
    }


def source_verdict(source: PublishedSource, table: Table, cell: Cell) -> Verdict | None:
    """The verdict of a current measured cell of a table against another source of it; None where there is none."""
    is_judged = cell.measured and cell.verdict.comparison and source.layout.scale == table.layout.scale
    return (
        cell_verdict(source.layout, source.value, cell.measured, table.margin) if is_judged and cell.measured else None
    )


def source_fields(source: PublishedSource) -> dict[str, str | float | int | bool | None]:
    """A source as JSON has it, in the unit of its paper."""
    return {
        "paper": source.paper,
        "table": source.layout.table,
        "kind": source.kind,
        "by": source.by,
        "mean": source.value.mean,
        "std": source.value.std,
        "n": source.n,
        "n_known": source.n_known,
    }


def independent_sources(sources: Sequence[PublishedSource]) -> list[PublishedSource]:
    """Those with evidence of their own: no quotes, and one a paper."""
    by_paper = {source.paper: source for source in reversed(sources) if source.kind != "quoted"}
    return [source for source in sources if by_paper.get(source.paper) is source]


def pooled_sources(sources: Sequence[PublishedSource], scale: float) -> RandomEffects | None:
    """The mean over at least three independent sources with a spread, in a unit with fractions at `scale`."""
    samples = [source.sample(scale) for source in independent_sources(sources)]
    with_spread = [sample for sample in samples if sample.has_spread]
    if len(with_spread) < FEWEST_SOURCES:
        return None
    return random_effects([sample.mean for sample in with_spread], [sample.mean_variance for sample in with_spread])


def _digits(value: PublishedValue) -> tuple[str, str]:
    return value.mean_text, value.std_text


def _with_original(source: PublishedSource, sources: Sequence[PublishedSource]) -> PublishedSource:
    """A quoted value with the digits of the paper that it is taken over from, where that paper has others."""
    _, quoted_from = source.layout.source_kind(source.coordinates)
    originals = [twin for twin in sources if quoted_from and twin.paper == quoted_from and twin.kind != "quoted"]
    if not originals or any(_digits(twin.value) == _digits(source.value) for twin in originals):
        return source
    return replace(source, original="±".join(filter(None, _digits(originals[0].value))))
