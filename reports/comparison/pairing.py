"""Pairs of runs of two methods: those of one split and seed, scored on the same test images.

A method that is given no labelled anomalies has no shots and no share of its own: its one run of a split stands beside
the other method's of any number. Of several series of a split definition one of each method is taken.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reports.stats.paired import PairedTest, delong_test
from reports.stats.thresholds import EPSILON
from reports.tables.lookup import MeasuredIds
from reports.tables.measured import STORED_AUROC, CellValue, RunSeeds, Series, Stale, never_stale, series_of
from results.record import Record
from results.spec import SplitDefinition, canonical

if TYPE_CHECKING:
    from results.scores import Scores

ScoresOf = Callable[[Record], "Scores | None"]

LISTS_ALIKE = {"cross_domain": "general", "labelled_share": "one_class"}
"""For a method that is given no anomalies these rules have the same lists."""


@dataclass(frozen=True, slots=True)
class MethodSide:
    """A method, its records, and its series of those that have the value by split definition."""

    method: str
    records: tuple[Record, ...]
    splits: tuple[tuple[SplitDefinition, tuple[Series, ...]], ...]


@dataclass(frozen=True, slots=True)
class SeriesMatch:
    """The series of each method that are compared, with the runs that are pairs; `others` were not taken."""

    split: SplitDefinition
    a: Series
    b: Series
    others: int


def method_side(
    method: str,
    records: Iterable[Record],
    measures: MeasuredIds,
    versions: Mapping[str, int],
    stale: Stale = never_stale,
    value: CellValue = STORED_AUROC,
) -> MethodSide:
    """The side of one method; the records are those of any, one a key."""
    method_records = tuple(record for record in records if method in measures(record))
    by_split: dict[bytes, list[Record]] = {}
    for record in method_records:
        if record.metrics is None or value.of(record) is not None:
            by_split.setdefault(canonical(record.spec.split), []).append(record)
    splits = tuple((group[0].spec.split, tuple(series_of(group, versions, stale=stale))) for group in by_split.values())
    return MethodSide(method, method_records, splits)


def matched_series(first: MethodSide, second: MethodSide, alone: tuple[bool, bool]) -> Iterator[SeriesMatch]:
    """The split definitions at which both methods have a pair; `alone`: which of them is given no anomalies."""
    for split_a, ours in first.splits:
        for split_b, theirs in second.splits:
            if all(agree(split_a, split_b, any(alone)) for _, agree in AGREEMENTS):
                yield from _best(split_b if alone[0] else split_a, ours, theirs)


def unpaired_reason(record: Record, rival: MethodSide, value: CellValue, *, free: bool) -> str:
    """The reason why a run has no partner among the rival's; `free`: one of both is given no anomalies."""
    if record.status == "failed":
        return "failed"
    if value.of(record) is None:
        return f"without {value.metric.title}"
    if any(record.key == rival_record.key for rival_record in rival.records):
        return f"measures {rival.method} too, with equal parameters"
    return _unlike_reason(record, rival, value, free=free)


def _unlike_reason(record: Record, rival: MethodSide, value: CellValue, *, free: bool) -> str:
    """The first demand on a partner that no finished run of the rival meets."""
    partners = [partner for partner in rival.records if partner.status == "done"]
    spec = record.spec
    for reason, agree in AGREEMENTS:
        partners = [partner for partner in partners if agree(spec.split, partner.spec.split, free)]
        if not partners:
            return reason.format(method=rival.method)
    seeds = _seeds(record)
    partners = [partner for partner in partners if _seeds(partner) == seeds]
    if not partners:
        return f"no finished run of {rival.method} with the same seed"
    if all(partner.spec.test != spec.test for partner in partners):
        return f"{rival.method} was tested on other images"
    if all(value.of(partner) is None for partner in partners):
        return f"the run of {rival.method} is without {value.metric.title}"
    return "of a series that is not compared: choose with --recipe or --where"


def paired_scores(
    a: Record,
    b: Record,
    scores: tuple[ScoresOf, ScoresOf],
    names: tuple[str, str],
    values: tuple[CellValue, CellValue],
) -> PairedTest:
    """DeLong's test of two runs with one test list; no p value where scores are gone or are not those of the records.

    `scores` has those of each, `names` what the reasons call the two, `values` the number of each.
    """
    difference = values[0].number(a) - values[1].number(b)
    if not values[0].is_auroc:
        return PairedTest("DeLong", difference, reason="it is for the AUC on all test images alone")
    ours, theirs = scores[0](a), scores[1](b)
    if ours is None or theirs is None:
        missing = [name for name, side in zip(names, (ours, theirs), strict=True) if side is None]
        return PairedTest("DeLong", difference, reason=f"no scores of {' and '.join(missing)}")
    import numpy as np

    mine, yours = np.argsort(np.array(ours.ids)), np.argsort(np.array(theirs.ids))
    if sorted(zip(ours.ids, ours.labels, strict=True)) != sorted(zip(theirs.ids, theirs.labels, strict=True)):
        return PairedTest("DeLong", difference, reason="the scores are of other images than the records say")
    test = delong_test(ours.values[mine], theirs.values[yours], ours.labels[mine])
    if abs(test.difference - difference) > EPSILON:
        return PairedTest("DeLong", difference, reason="the scores do not give the AUCs of the records")
    return test


def _best(split: SplitDefinition, ours: Sequence[Series], theirs: Sequence[Series]) -> Iterator[SeriesMatch]:
    """At most one match.

    First current series, then those of one recipe, comparable ones, the best recipe, one size, the fewest deviations,
    the most pairs.
    """
    choices = [(first, second) for first in ours for second in theirs if _shared(first, second)]
    if choices:
        first, second = min(choices, key=_rank)
        shared = _shared(first, second)
        a, b = (
            replace(series, runs={run: series.runs[run] for run in shared}, failed={}) for series in (first, second)
        )
        others = {series.id for series in (*ours, *theirs) if series.runs} - {first.id, second.id}
        yield SeriesMatch(split, a, b, len(others))


def _rank(pair: tuple[Series, Series]) -> tuple[object, ...]:
    """Sorts the pairs of series to compare; the same whichever method comes first."""
    first, second = pair
    worse, better = sorted([first.grade, second.grade], reverse=True)
    ids = sorted([first.id, second.id])
    sizes = {next(iter(series.runs.values())).spec.fit.size for series in pair}
    return (
        first.stale + second.stale,
        first.recipe != second.recipe,
        worse,
        better,
        len(sizes),
        len(first.reasons) + len(second.reasons),
        -len(_shared(first, second)),
        ids,
    )


def _shared(first: Series, second: Series) -> list[RunSeeds]:
    """The seeds at which both have a run on one test list, and not the same run."""
    return sorted(
        run
        for run, record in first.runs.items()
        if (partner := second.runs.get(run)) and record.spec.test == partner.spec.test and record.key != partner.key
    )


def _seeds(record: Record) -> RunSeeds:
    return RunSeeds(record.spec.split_seed, record.spec.fit.seed)


def _rule(split: SplitDefinition, free: bool) -> str:
    return LISTS_ALIKE.get(split.rule, split.rule) if free else split.rule


def _classes(split: SplitDefinition) -> tuple[object, ...]:
    return tuple(value for name, value in split.subset.items() if name != "source_dataset")


def _labelled(split: SplitDefinition) -> tuple[object, ...]:
    return split.source_dataset, *split.labels.values()


Agree = Callable[[SplitDefinition, SplitDefinition, bool], bool]

AGREEMENTS: tuple[tuple[str, Agree], ...] = (
    (
        "no finished run of {method} on the dataset",
        lambda a, b, _: a.dataset.partition("@")[0] == b.dataset.partition("@")[0],
    ),
    (
        "{method} was run on other images or labels of the dataset",
        lambda a, b, _: (a.dataset, a.dataset_fingerprint) == (b.dataset, b.dataset_fingerprint),
    ),
    ("no finished run of {method} under the protocol", lambda a, b, free: _rule(a, free) == _rule(b, free)),
    ("no finished run of {method} with the same class", lambda a, b, _: _classes(a) == _classes(b)),
    (
        "no finished run of {method} with the same labelled anomalies",
        lambda a, b, free: free or _labelled(a) == _labelled(b),
    ),
    ("{method} was run with other split options", lambda a, b, _: a.options == b.options),
)
"""Demands on two splits in this order, each after the reason where it is not met; `free`: labels do not count."""
