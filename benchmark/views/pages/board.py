"""A site of all tables of all papers: each page as it comes, the index with the reproduction board last."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import benchmark
from benchmark.paths import resolve_folders
from benchmark.planning.equivalence import detector_versions, measures, method_titles
from benchmark.planning.installed import InstalledCode
from benchmark.views.metric_values import scores_digest
from benchmark.views.pages.cards import dataset_cards, detector_cards
from benchmark.views.pages.evidence import EvidenceSource, evidence_source
from benchmark.views.records import load_records
from benchmark.views.tables.fact_tables import measured_facts
from reports.layouts import layout, papers
from reports.pages.facts import build_fact_table, fact_page
from reports.pages.html.output import render_cards, render_facts, render_index, render_page
from reports.pages.html.site import BoardLine, BoardPaper, SiteIndex, board_line
from reports.tables import table
from results.record import Record

if TYPE_CHECKING:
    from reports.layouts.layout import FactLayout, Layout
    from reports.tables.table import Table

INDEX = "index.html"


@dataclass(frozen=True)
class SiteSource:
    """Results folders of a site, the margin of its verdicts, and what it shows."""

    folders: Sequence[Path]
    margin: float
    accept_stale_code: bool
    pictures: bool
    tell: Callable[[str], None]

    def pages(self) -> Iterator[tuple[str, str]]:
        """File names and contents of all pages."""
        records = load_records(self.folders, self.tell)
        evidence = evidence_source(records, self.folders, self.tell, pictures=self.pictures)
        board: list[BoardPaper] = []
        for paper in papers.every_paper():
            lines: list[BoardLine] = []
            for id_ in sorted({*paper.tables, *paper.facts}):
                chosen = layout.find_layout(f"{paper.paper}:{id_}")
                address = f"{paper.paper}-{id_}.html"
                if isinstance(chosen, layout.FactLayout):
                    lines.append(BoardLine(chosen.title, address))
                    yield address, self._facts(chosen)
                    continue
                built = self._table(chosen, records, evidence)
                behind = evidence.of_table(built)
                lines.append(board_line(built, address, sum(map(len, behind.runs.values()))))
                yield address, render_page(built, behind, home=INDEX)
            board.append(BoardPaper(paper.name, paper.citation, tuple(lines)))
        cards = detector_cards(evidence.finished), dataset_cards(evidence.finished)
        for page in cards:
            yield page.address, render_cards(page, INDEX)
        yield INDEX, render_index(SiteIndex(tuple(board), cards, f"swanbench {benchmark.__version__}"))

    def _facts(self, chosen: "FactLayout") -> str:
        measured = measured_facts(chosen, resolve_folders().data, self.tell)
        return render_facts(fact_page(build_fact_table(chosen, measured)), home=INDEX)

    def _table(self, chosen: "Layout", records: list[Record], evidence: EvidenceSource) -> "Table":
        code, measured_as = InstalledCode(accept=self.accept_stale_code), measures()
        return table.build_table(
            chosen,
            records,
            measures=measured_as,
            versions=detector_versions(),
            stale=code.stale,
            remark=code.note,
            margin=self.margin,
            added_methods=table.unprinted_methods(chosen, records, measured_as),
            titles=method_titles(),
            scores_digest=partial(scores_digest, evidence.scores),
        )
