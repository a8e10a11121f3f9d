"""Which runs of two methods are pairs: those of one split and seed, scored on the same test images.

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
from results.key import canonical
from results.record import Record
from results.spec import SplitDefinition

if TYPE_CHECKING:
    from results.scores import Scores

ScoresOf = Callable[[Record], "Scores | None"]

LISTS_ALIKE = {"cross_domain": "general", "labelled_share": "one_class"}
"""For a method that is given no anomalies these rules have the same lists."""


@dataclass(frozen=True, slots=True)
class MethodSide:
    """A method, its records, and by split definition its series of those that have the value."""

    method: str
    records: tuple[Record, ...]
    places: tuple[tuple[SplitDefinition, tuple[Series, ...]], ...]


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
    """What is known of one method; the records are those of any, one a key."""
    own = tuple(record for record in records if method in measures(record))
    places: dict[bytes, list[Record]] = {}
    for record in own:
        if record.metrics is None or value.of(record) is not None:
            places.setdefault(canonical(record.spec.split), []).append(record)
    found = tuple((group[0].spec.split, tuple(series_of(group, versions, stale=stale))) for group in places.values())
    return MethodSide(method, own, found)


def matched_series(first: MethodSide, second: MethodSide, alone: tuple[bool, bool]) -> Iterator[SeriesMatch]:
    """The split definitions at which both methods have a pair; `alone`: which of them is given no anomalies."""
    for split_a, ours in first.places:
        for split_b, theirs in second.places:
            if all(agree(split_a, split_b, any(alone)) for _, agree in AGREEMENTS):
                yield from _best(split_b if alone[0] else split_a, ours, theirs)


def why_alone(record: Record, other: MethodSide, value: CellValue, *, free: bool) -> str:
    """What keeps a run from having a partner among the other method's; `free`: one of both is given no anomalies."""
    if record.status == "failed":
        return "failed"
    if value.of(record) is None:
        return f"without {value.metric.title}"
    if any(record.key == one.key for one in other.records):
        return f"measures {other.method} too, with equal parameters"
    return _why_unlike(record, other, value, free=free)


def _why_unlike(record: Record, other: MethodSide, value: CellValue, *, free: bool) -> str:
    """What no finished run of the other method shares with a run."""
    left = [one for one in other.records if one.status == "done"]
    spec = record.spec
    for reason, agree in AGREEMENTS:
        left = [one for one in left if agree(spec.split, one.spec.split, free)]
        if not left:
            return reason.format(other=other.method)
    left = [one for one in left if (one.spec.split_seed, one.spec.fit.seed) == (spec.split_seed, spec.fit.seed)]
    if not left:
        return f"no finished run of {other.method} with the same seed"
    if all(one.spec.test != spec.test for one in left):
        return f"{other.method} was tested on other images"
    if all(value.of(one) is None for one in left):
        return f"the run of {other.method} is without {value.metric.title}"
    return "of a series that is not compared: choose with --recipe or --where"


def paired_scores(
    a: Record, b: Record, scores: ScoresOf, names: tuple[str, str], values: tuple[CellValue, CellValue]
) -> PairedTest:
    """DeLong's test of two runs with one test list; no p value where scores are gone or are not those of the records.

    `names` says what the reasons call the two, `values` gives the number of each.
    """
    difference = values[0].number(a) - values[1].number(b)
    if not values[0].is_auroc:
        return PairedTest("DeLong", difference, reason="it is for the AUC on all test images alone")
    ours, theirs = scores(a), scores(b)
    if ours is None or theirs is None:
        missing = [name for name, one in zip(names, (ours, theirs), strict=True) if one is None]
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
        kept = [replace(one, runs={run: one.runs[run] for run in shared}, failed={}) for one in (first, second)]
        others = {series.id for series in (*ours, *theirs) if series.runs} - {first.id, second.id}
        yield SeriesMatch(split, kept[0], kept[1], len(others))


def _rank(pair: tuple[Series, Series]) -> tuple[object, ...]:
    """Sorts the pairs of series to compare; the same whichever method comes first."""
    first, second = pair
    worse, better = sorted([first.rank[:3], second.rank[:3]], reverse=True)
    ids = sorted([first.id, second.id])
    sizes = {next(iter(one.runs.values())).spec.fit.size for one in pair}
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
        if (other := second.runs.get(run)) and record.spec.test == other.spec.test and record.key != other.key
    )


def _rule(split: SplitDefinition, free: bool) -> str:
    return LISTS_ALIKE.get(split.rule, split.rule) if free else split.rule


def _part(split: SplitDefinition) -> tuple[object, ...]:
    return tuple(value for name, value in split.subset.items() if name != "source_dataset")


def _labelled(split: SplitDefinition) -> tuple[object, ...]:
    return split.source_dataset, *split.labels.values()


Agree = Callable[[SplitDefinition, SplitDefinition, bool], bool]

AGREEMENTS: tuple[tuple[str, Agree], ...] = (
    (
        "no finished run of {other} on the dataset",
        lambda one, two, _: one.dataset.partition("@")[0] == two.dataset.partition("@")[0],
    ),
    (
        "{other} was run on other images or labels of the dataset",
        lambda one, two, _: (one.dataset, one.dataset_fingerprint) == (two.dataset, two.dataset_fingerprint),
    ),
    ("no finished run of {other} under the protocol", lambda one, two, free: _rule(one, free) == _rule(two, free)),
    (
        "no finished run of {other} with the same class",
        lambda one, two, _: _part(one) == _part(two),
    ),
    (
        "no finished run of {other} with the same labelled anomalies",
        lambda one, two, free: free or _labelled(one) == _labelled(two),
    ),
    ("{other} was run with other split options", lambda one, two, _: one.options == two.options),
)
"""What two splits must agree in, in this order, and what is said where they do not; `free`: labels do not count."""
