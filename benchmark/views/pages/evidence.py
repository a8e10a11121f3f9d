"""Evidence behind a table for its page: runs with explanations, scores and pictures, and commands that make them."""

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.paths import resolve_folders
from benchmark.planning.equivalence import detector_versions, measures
from benchmark.views.metric_values import scored_folders, scores_finder
from benchmark.views.pages.pictures import WorstPictures
from benchmark.views.pages.reasons import reason_sentence
from benchmark.views.pages.remaking import fill_command, remake_command
from benchmark.views.runs.explanation import run_lines
from reports.pages.html.evidence import PageEvidence, RunEvidence, ScoredRun
from reports.tables.lookup import LookupKey, latest_records, record_key
from reports.tables.measured import record_age
from results.record import Record

if TYPE_CHECKING:
    from reports.tables.table import Table
    from results.scores import Scores


@dataclass(frozen=True)
class EvidenceSource:
    """Records of the results folders, and where their scores are; of one call, for any number of tables.

    finished: in the order in which they were made.
    """

    records: Sequence[Record]
    finished: Sequence[Record]
    scores: "Callable[[Record], Scores | None]"
    pictures: WorstPictures | None

    def of_table(self, table: "Table") -> PageEvidence:
        """The evidence behind the measured cells of a table."""
        shown = {series for cell in table.cells if cell.measured for series in cell.measured.series}
        runs: dict[str, list[RunEvidence]] = {}
        for record in self.finished:
            if record.series in shown:
                runs.setdefault(record.series, []).append(self._run(record))
        return PageEvidence(
            runs=runs,
            runs_at=self._at,
            scored=self.scored if shown else (),
            remake=remake_command,
            fill=fill_command,
            explain=reason_sentence,
        )

    def _run(self, record: Record) -> RunEvidence:
        scores = self.scores(record)
        pictures = self.pictures(record, scores) if self.pictures and scores else None
        return RunEvidence(record, tuple(run_lines(record)), scores, pictures)

    def _at(self, keys: Iterable[LookupKey]) -> Sequence[Record]:
        return [record for key in dict.fromkeys(keys) for record in self._by_key.get(key, ())]

    @functools.cached_property
    def _by_key(self) -> dict[LookupKey, list[Record]]:
        """Every record by the places at which it may stand."""
        measured_as, by_key = measures(), defaultdict[LookupKey, list[Record]](list)
        for record in self.records:
            for method in measured_as(record):
                by_key[record_key(record, method)].append(record)
        return by_key

    @functools.cached_property
    def scored(self) -> tuple[ScoredRun, ...]:
        """The runs of today in the general and hard settings whose scores are at hand."""
        return tuple(self._scored_runs())

    def _scored_runs(self) -> Iterator[ScoredRun]:
        measured_as, versions = measures(), detector_versions()
        for record in self.finished:
            split = record.spec.split
            if (split.rule == "general" or split.known_class is not None) and not record_age(record, versions):
                scores = self.scores(record)
                if scores is not None:
                    yield ScoredRun(measured_as(record), record, scores)


def evidence_source(
    records: Iterable[Record], folders: Sequence[Path], tell: Callable[[str], None], *, pictures: bool
) -> EvidenceSource:
    """The source of evidence on the records of results folders, which may hold their scores (none: the default one).

    `tell` is told of damaged scores.
    """
    latest = latest_records(records)
    latest.sort(key=lambda record: record.provenance.started if record.provenance else "")
    finished = [record for record in latest if record.metrics]
    worst = WorstPictures(resolve_folders().data, tell) if pictures else None
    return EvidenceSource(latest, finished, scores_finder(scored_folders(folders), tell), worst)
