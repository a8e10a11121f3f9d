"""Scores behind records, and metrics that are computed from them, so that no run is made again."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from benchmark.paths import resolve_folders
from benchmark.views.records import REFERENCE
from results.errors import ResultsError
from results.maintenance.verification import SUMMATION_TOLERANCE
from results.metrics import AUROC, Metric, UndefinedMetricError, stored_value
from results.record import Metrics, Record
from results.scores import Scores
from results.store import Store

_NAMED_RUNS = 3
NO_SCORES = "no scores of it are stored: run it again with --force, or give the --results folder that has them"
OTHER_SCORES = "its scores do not give the AUC of its record: see bench results verify"


def scored_folders(folders: Sequence[Path]) -> list[Store]:
    """The results folders of `folders` that may hold scores (the packaged index has none); none given: the default."""
    return [Store(folder) for folder in folders or (resolve_folders().results,) if str(folder) != REFERENCE]


def scores_finder(stores: Sequence[Store], tell: Callable[[str], None]) -> Callable[[Record], Scores | None]:
    """Gives the scores behind a record, None where no folder has them; `tell` is told of damaged ones."""

    def find_scores(record: Record) -> Scores | None:
        for store in stores:
            if store.scores_path(record.key).exists():
                try:
                    return store.scores(record.key)
                except ResultsError as error:
                    tell(str(error))
        return None

    return find_scores


def scores_digest(find_scores: Callable[[Record], Scores | None], record: Record) -> str | None:
    """Digest of the scores behind a record, equal for equal scores of the same images; None where they are gone."""
    scores = find_scores(record)
    return scores.digest if scores else None


class MetricValues:
    """A metric of records: the number that they hold, else what their scores give; collects why a record has none."""

    def __init__(self, metric: Metric, scores: Callable[[Record], Scores | None]) -> None:
        self.metric = metric
        self._scores = scores
        self._values: dict[tuple[str, Metrics], float | None] = {}
        self._reasons: dict[str, list[str]] = {}

    def __call__(self, record: Record) -> float | None:
        """The number of a run; None where it failed or has none."""
        if record.metrics is None:
            return None
        stored = stored_value(self.metric, record)
        if stored is not None:
            return stored
        identity = record.key, record.metrics
        if identity not in self._values:
            try:
                self._values[identity] = self._computed(record)
            except UndefinedMetricError as error:
                self._values[identity] = None
                self._reasons.setdefault(str(error), []).append(record.spec.name)
        return self._values[identity]

    @property
    def remarks(self) -> list[str]:
        """One line a reason why records that were asked for have no such number, with their names."""
        return [f"{_named(names)}: no {self.metric.title}, {reason}" for reason, names in self._reasons.items()]

    def _computed(self, record: Record) -> float:
        scores = self._scores(record)
        if scores is None:
            raise UndefinedMetricError(NO_SCORES)
        known_class = record.spec.split.known_class
        if record.metrics is None or abs(AUROC.of(scores, known_class) - record.metrics.auroc) > SUMMATION_TOLERANCE:
            raise UndefinedMetricError(OTHER_SCORES)
        return self.metric.of(scores, known_class)


def tell_remarks(values: Iterable[MetricValues], tell: Callable[[str], None]) -> None:
    """Say why records that were asked for have no such number."""
    for metric_values in values:
        for remark in metric_values.remarks:
            tell(remark)


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED_RUNS} more" if len(names) > _NAMED_RUNS else ""
    return f"{', '.join(names[:_NAMED_RUNS])}{more}"
