"""Two methods on the same test images: pairs of runs, the tests of each setting, and what holds over datasets.

Recipe, size and weights of the two may differ, and then the notes say so; test images may not.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import NamedTuple

from protocols.coordinates import CoordinateValue
from reports.comparison.pairing import (
    MethodSide,
    ScoresOf,
    SeriesMatch,
    matched_series,
    method_side,
    paired_scores,
    unpaired_reason,
)
from reports.stats.paired import PairedTest, datasets_test, holm_corrected, seeds_test
from reports.stats.thresholds import EPSILON
from reports.tables.lookup import MeasuredIds, latest_records
from reports.tables.measured import (
    STORED_AUROC,
    CellValue,
    Measured,
    RunSeeds,
    Series,
    Stale,
    average_series,
    never_stale,
)
from results.record import Record
from results.spec import SplitDefinition

_FEW_IMAGES = 10
_FEW = f"fewer than {_FEW_IMAGES} test images of a kind: DeLong's approximation is coarse"


class Tally(NamedTuple):
    """Counts of differences in which the first method is ahead, level and behind."""

    wins: int
    draws: int
    losses: int


@dataclass(frozen=True, slots=True)
class MethodPair:
    """A run of each method on the same test images, and DeLong's test of them."""

    run: RunSeeds
    a: Record
    b: Record
    test: PairedTest


@dataclass(frozen=True, slots=True)
class Setting:
    """One split definition: its pairs by seed, both means over them, and the test over seeds, or of the only pair."""

    split: SplitDefinition
    pairs: tuple[MethodPair, ...]
    a: Measured
    b: Measured
    test: PairedTest
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """The settings of one rule and number (or share) of labelled anomalies; its test is over datasets.

    `labels` are the coordinates that say how many those are.

    `datasets` has the difference of each, the mean of its settings; means and tally are over the datasets.
    """

    rule: str
    labels: Mapping[str, CoordinateValue]
    datasets: Mapping[str, float]
    settings: int
    mean_a: float
    mean_b: float
    tally: Tally
    test: PairedTest


@dataclass(frozen=True, slots=True)
class UnpairedRuns:
    """Runs of one method that have no partner, for one reason."""

    method: str
    reason: str
    runs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MethodComparison:
    """All that is said of two methods; Holm's correction is over the settings, over the pairs and over the families.

    `value` gives the number of a run that is compared.
    """

    a: str
    b: str
    settings: tuple[Setting, ...]
    families: tuple[Family, ...]
    unpaired: tuple[UnpairedRuns, ...]
    value: CellValue

    @property
    def tally(self) -> Tally:
        return tally_differences((setting.test.difference for setting in self.settings), self.value)

    @property
    def held(self) -> Tally:
        """The tally with wins and losses that hold after Holm only; draws are all others."""
        return tally_differences(
            (setting.test.difference if setting.test.holds else 0.0 for setting in self.settings), self.value
        )


def compare_methods(
    a: str,
    b: str,
    records: Iterable[Record],
    *,
    measures: MeasuredIds,
    versions: Mapping[str, int],
    scores: ScoresOf,
    stale: Stale = never_stale,
    alone: Collection[str] = (),
    value: CellValue = STORED_AUROC,
) -> MethodComparison:
    """Compare two methods on every split of which both have a finished run.

    Args:
        a: id of the first method; differences are its value minus the other's.
        b: id of the second method.
        records: of any method; others are passed over.
        measures: the ids of the detectors and variants that a record measures.
        versions: current version by detector.
        scores: the scores behind a record, None where they are gone.
        stale: what makes a record stale besides its version.
        alone: ids of methods that are given no labelled anomalies.
        value: the number of a run that is compared; runs without it have no partner.
    """
    latest = latest_records(records)
    first, second = (method_side(method, latest, measures, versions, stale, value) for method in (a, b))
    matches = matched_series(first, second, (a in alone, b in alone))
    settings = sorted(
        (_setting(match, (a, b), alone, scores, value) for match in matches),
        key=lambda setting: _order(setting.split),
    )
    free = a in alone or b in alone
    return MethodComparison(
        a=a,
        b=b,
        settings=tuple(_corrected(settings)),
        families=tuple(_families(settings, value)),
        unpaired=(
            *_unpaired(first, second, {pair.a.key for setting in settings for pair in setting.pairs}, value, free=free),
            *_unpaired(second, first, {pair.b.key for setting in settings for pair in setting.pairs}, value, free=free),
        ),
        value=value,
    )


def tally_differences(differences: Iterable[float], value: CellValue = STORED_AUROC) -> Tally:
    """Wins, draws and losses among differences."""
    gains = [value.metric.sign * difference for difference in differences]
    signs = [0 if abs(gain) < EPSILON else 1 if gain > 0 else -1 for gain in gains]
    return Tally(signs.count(1), signs.count(0), signs.count(-1))


def _setting(
    match: SeriesMatch, names: tuple[str, str], alone: Collection[str], scores: ScoresOf, value: CellValue
) -> Setting:
    partners = match.b.runs
    pairs = tuple(
        MethodPair(run, a, partners[run], paired_scores(a, partners[run], (scores, scores), names, (value, value)))
        for run, a in match.a.runs.items()
    )
    return Setting(
        split=match.split,
        pairs=pairs,
        a=(first := _mean(match.a, value, scores)),
        b=(second := _mean(match.b, value, scores)),
        test=pairs[0].test
        if len(pairs) == 1
        else seeds_test([value.number(pair.a) - value.number(pair.b) for pair in pairs]),
        notes=(
            *_measurement(names, match, first, second),
            *(f"{name} is given no labelled anomalies" for name in names if name in alone),
            *_remarks(names[0], match.a, match.b, first),
            *_remarks(names[1], match.b, match.a, second),
            *_of_tests(pairs, value),
            *([f"{match.others} other series not compared"] if match.others else []),
        ),
    )


def _mean(series: Series, value: CellValue, scores: ScoresOf) -> Measured:
    def digest(record: Record) -> str | None:
        of_record = scores(record)
        return of_record.digest if of_record else None

    mean = average_series([series], [1.0], scale=1.0, spread_over="seeds", notes=(), value=value, scores_digest=digest)
    if mean is None:
        raise ValueError(f"series {series.id} has no run")
    return mean


def _measurement(names: tuple[str, str], match: SeriesMatch, first: Measured, second: Measured) -> Iterator[str]:
    """Recipe, size, precision and weights of both, in one text where they are alike."""
    texts = []
    for series, measured in ((match.a, first), (match.b, second)):
        fit = next(iter(series.runs.values())).spec.fit
        size = "images as they are" if fit.resize == "none" else f"{fit.size} px ({fit.resize})"
        weights = [f"weights {measured.weights}"] if measured.weights else []
        texts.append(", ".join([f"recipe {measured.recipe}", size, f"precision {measured.precision}", *weights]))
    if texts[0] == texts[1]:
        yield f"both: {texts[0]}"
    else:
        yield from (f"{name}: {text}" for name, text in zip(names, texts, strict=True))


def _remarks(name: str, series: Series, rival: Series, measured: Measured) -> Iterator[str]:
    """Remarks on one method's runs that do not hold of the rival's too."""
    shared = _deviations(rival)
    deviations = [reason for reason in _deviations(series) if reason not in shared]
    if deviations:
        yield f"{name}: {'; '.join(deviations)}"
    yield from (f"{name}: {text}" for text in series.ages)
    yield from (f"{name}: {note}" for note in measured.notes)


def _deviations(series: Series) -> list[str]:
    return list(dict.fromkeys(text for record in series.runs.values() for text in record.spec.deviations))


def _of_tests(pairs: Sequence[MethodPair], value: CellValue) -> Iterator[str]:
    counts = [pair.a.counts for pair in pairs if pair.a.counts]
    if value.is_auroc and any(min(count.test_normal, count.test_anomaly) < _FEW_IMAGES for count in counts):
        yield _FEW
    yield from dict.fromkeys(f"DeLong: {pair.test.reason}" for pair in pairs if pair.test.reason)


def _corrected(settings: Sequence[Setting]) -> Iterator[Setting]:
    """The settings with Holm's correction over them, and over all their pairs."""
    over_settings = holm_corrected([setting.test for setting in settings])
    over_pairs = iter(holm_corrected([pair.test for setting in settings for pair in setting.pairs]))
    for setting, test in zip(settings, over_settings, strict=True):
        pairs = tuple(replace(pair, test=next(over_pairs)) for pair in setting.pairs)
        yield replace(setting, test=test, pairs=pairs)


def _families(settings: Sequence[Setting], value: CellValue) -> Iterator[Family]:
    groups: dict[tuple[object, ...], list[Setting]] = {}
    for setting in settings:
        groups.setdefault((setting.split.rule, *setting.split.labels.values()), []).append(setting)
    families = [_family(group, value) for group in groups.values()]
    for family, test in zip(families, holm_corrected([family.test for family in families]), strict=True):
        yield replace(family, test=test)


def _family(settings: Sequence[Setting], value: CellValue) -> Family:
    by_dataset: dict[str, list[Setting]] = {}
    for setting in settings:
        by_dataset.setdefault(setting.split.dataset, []).append(setting)
    differences = {name: fmean(setting.test.difference for setting in group) for name, group in by_dataset.items()}
    return Family(
        rule=settings[0].split.rule,
        labels=settings[0].split.labels,
        datasets=differences,
        settings=len(settings),
        mean_a=fmean(fmean(setting.a.mean for setting in group) for group in by_dataset.values()),
        mean_b=fmean(fmean(setting.b.mean for setting in group) for group in by_dataset.values()),
        tally=tally_differences(differences.values(), value),
        test=datasets_test(list(differences.values())),
    )


def _unpaired(
    side: MethodSide, rival: MethodSide, paired: Collection[str], value: CellValue, *, free: bool
) -> Iterator[UnpairedRuns]:
    reasons: dict[str, list[str]] = {}
    for record in side.records:
        if record.key not in paired:
            reasons.setdefault(unpaired_reason(record, rival, value, free=free), []).append(record.spec.name)
    yield from (UnpairedRuns(side.method, reason, tuple(sorted(names))) for reason, names in sorted(reasons.items()))


def _order(split: SplitDefinition) -> tuple[object, ...]:
    labels = ((value is not None, value or 0) for value in split.labels.values())
    return split.rule, *labels, split.dataset, *(name or "" for name in split.subset.values())
