"""The measured side of a cell: the runs that are averaged, their mean, and remarks on them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from itertools import groupby
from statistics import fmean, pstdev
from typing import Any, Literal, NamedTuple

from protocols.text import plural, with_article
from reports.stats.nested import NestedRun, NestedSample, nested_sample
from reports.stats.verdict import auc_standard_error
from reports.tables.nesting import ScoresDigest, copy_marks, given_lists, is_fixed_by_rule, no_scores
from results.metrics import AUROC, Metric, stored_value
from results.record import Provenance, Record

RECIPE_ORDER = ("official", "paper", "quick")
COMPARABLE_RECIPES = frozenset({"official", "paper"})
LIMITS = ("limit_train", "limit_test")
CUTTING = {*LIMITS, "img_size"}
"""Settings of a smoke test: fewer images, or images of another size."""
GENUINE = "genuine:"

Stale = Callable[[Record], str]
"""Reason why a record counts no longer, besides the version of its detector; empty where it does count."""

ValueOf = Callable[[Record], float | None]
"""Number of a run; None where it has none."""

Spread = Literal["seeds", "classes"]


@dataclass(frozen=True, slots=True)
class CellValue:
    """The number of a run that stands in a cell: its `metric`, or the last entry of its `history` of this name."""

    metric: Metric
    metric_of: ValueOf
    history: str = ""

    def of(self, record: Record) -> float | None:
        return record.last(self.history) if self.history else self.metric_of(record)

    def number(self, record: Record) -> float:
        """The number of a run that has one.

        Raises:
            ValueError: it has none.
        """
        value = self.of(record)
        if value is None:
            raise ValueError(f"record {record.key} has no {self.history or self.metric.title}")
        return value

    def factor(self, scale: float) -> float:
        """Factor of the number in a table with fractions at `scale`; others stand as they are."""
        return scale if self.metric.unit == "fraction" and not self.history else 1.0

    @property
    def is_auroc(self) -> bool:
        """True for what the papers print, and what tests and errors of an AUC are for."""
        return self.metric.id == AUROC.id and not self.history

    def doubts(self, records: Sequence[Record]) -> list[str]:
        """Remarks where a run is worse than chance by the metric, or gave all images one score."""
        values = [value for record in records if (value := self.metric_of(record)) is not None]
        limit = self.metric.beyond_chance(values)
        doubts = [f"a run has {with_article(self.metric.title)} {limit}"] if limit else []
        return doubts + ["a run gave all images one score"] * any(record.has_one_score for record in records)


STORED_AUROC = CellValue(AUROC, partial(stored_value, AUROC))


class RunSeeds(NamedTuple):
    """The two seeds of a run: that of its split and that of its fit."""

    split_seed: int
    seed: int

    def __str__(self) -> str:
        return str(self.seed) if self.seed == self.split_seed else f"{self.seed} on split {self.split_seed}"


@dataclass(frozen=True, slots=True)
class Series:
    """Runs of one split definition that may be averaged, by their seeds.

    `failed` holds the runs without a result, `ages` the reasons why the series is stale, `settings` what the runs were
    given that their recipe does not have. `is_wanted` is False where whole runs of another recipe were asked for.
    """

    id: str
    runs: Mapping[RunSeeds, Record]
    failed: Mapping[RunSeeds, Record]
    ages: tuple[str, ...]
    reasons: tuple[str, ...]
    recipe: str
    settings: Mapping[str, str]
    is_wanted: bool = True

    @property
    def stale(self) -> bool:
        return bool(self.ages)

    @property
    def failures(self) -> list[str]:
        """One text a failed run."""
        return [f"seed {run} failed: {first_line(record.error)}" for run, record in self.failed.items()]

    @property
    def grade(self) -> tuple[bool, bool, bool, bool, int, bool]:
        """Sorts what a series is: current, wanted, comparable, not cut down, best recipe and its parameters."""
        is_cut, is_set = not CUTTING.isdisjoint(self.settings), not self.settings.keys() <= CUTTING
        return self.stale, not self.is_wanted, bool(self.reasons), is_cut, _recipe_rank(self.recipe), is_set

    @property
    def rank(self) -> tuple[tuple[bool, bool, bool, bool, int, bool], int, int, str]:
        """Sorts the series to show first: the best grade, then most splits, then most runs."""
        return self.grade, -len({run.split_seed for run in self.runs}), -len(self.runs), self.id


@dataclass(frozen=True, slots=True)
class Measured:
    """Measured value of a cell, in the unit of its table.

    `per_seed` holds one value a run (of a mean row: the mean over its subsets), `runs` the names behind it. `n` counts
    splits, whose trainings are averaged first, or trainings where the rule leaves nothing to draw or one draw is all
    that we hold (`counts`); copies of a run count once. `std` is what is printed beside the mean: the sample std over
    these, or for AGAD the population std over classes (`spread_over`; None for one class). `seed_std` is always the
    first, None for n = 1.
    `exact`: a method without chance on a split that leaves nothing to draw. `draw_std`, `training_std`: both parts of
    the scatter where both vary. `test_std` is the standard error that the finite test set alone gives one AUC
    (Hanley-McNeil; None for mean rows and for what is no AUC). `settings`: what the runs were given that their recipe
    does not have. `reasons`: why they are not comparable with the paper. `fits`: keys of the fits; cells that share one
    share its errors.
    """

    series: tuple[str, ...]
    per_seed: Mapping[RunSeeds, float]
    runs: Mapping[RunSeeds, tuple[str, ...]]
    mean: float
    n: int
    counts: Literal["splits", "trainings"]
    std: float | None
    seed_std: float | None
    exact: bool
    draw_std: float | None
    training_std: float | None
    spread_over: Spread
    recipe: str
    settings: Mapping[str, str]
    weights: str
    precision: str
    test_normal: int | None
    test_anomaly: int | None
    test_std: float | None
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    mixes_code: bool
    fits: frozenset[str]

    @property
    def run_names(self) -> list[str]:
        """The names of all runs behind the value."""
        return [name for names in self.runs.values() for name in names]


def limits_of(settings: Mapping[str, str]) -> tuple[str, ...]:
    """Numbers of images to which training and test were limited, each empty where they were not."""
    return tuple(settings.get(name, "") for name in LIMITS)


def measured_fields(measured: Measured) -> dict[str, Any]:
    """A measured value as JSON has it."""
    seeds = [{**run._asdict(), "value": value, "runs": measured.runs[run]} for run, value in measured.per_seed.items()]
    left_out = {"per_seed", "runs", "reasons", "fits"}
    fields = {name: value for name, value in asdict(measured).items() if name not in left_out}
    return fields | {"seeds": seeds}


def never_stale(_: Record) -> str:
    """The `Stale` by which every record counts."""
    return ""


def record_age(record: Record, versions: Mapping[str, int]) -> str:
    """Reason why a record is stale by the version of its detector; empty where it is not, or where nobody knows it."""
    fit = record.spec.fit
    now = versions.get(fit.detector, fit.version)
    return f"measured by version {fit.version} of {fit.detector}, now {now}" if fit.version < now else ""


def first_line(error: str | None) -> str:
    """The error of a failed run in one line."""
    return (error or "").strip().partition("\n")[0] or "no reason given"


def series_of(
    records: Iterable[Record],
    versions: Mapping[str, int],
    *,
    stale: Stale = never_stale,
    other_data: Callable[[str], str] = lambda _: "",
    wanted_recipe: str = "",
) -> list[Series]:
    """The series among the records of one split definition, the one to show first.

    `other_data` says of a dataset why it is not the paper's, if so. Series of `wanted_recipe` stand before others.
    """
    ordered = sorted(records, key=lambda record: record.series)
    every_series = [
        _series(list(group), versions, stale, other_data, wanted_recipe)
        for _, group in groupby(ordered, key=lambda record: record.series)
    ]
    return sorted(every_series, key=lambda series: series.rank)


def average_series(
    subsets: Sequence[Series],
    shares: Sequence[float],
    *,
    scale: float,
    spread_over: Spread,
    notes: Iterable[str],
    value: CellValue = STORED_AUROC,
    scores_digest: ScoresDigest = no_scores,
) -> Measured | None:
    """One cell of the series of its subsets (one, but for mean rows) and their shares of the mean.

    Of `value`, a fraction times `scale`, of runs that all have it. None where no seed is in all subsets.
    `scores_digest` tells copies of one run from runs that happen to have equal numbers.
    """
    shared = sorted(set.intersection(*(set(series.runs) for series in subsets)))
    if not shared:
        return None
    factor = value.factor(scale)
    values = [{run: factor * value.number(series.runs[run]) for run in shared} for series in subsets]
    per_seed = {run: fmean([subset[run] for subset in values], shares) for run in shared} if values[1:] else values[0]
    nested = _nested(subsets, per_seed, scores_digest)
    sample = nested.sample
    class_std = pstdev(fmean(subset.values()) for subset in values) if len(values) > 1 else None
    used = [series.runs[run] for series in subsets for run in shared]
    single = used[0].counts if len(subsets) == 1 and not value.history else None
    return Measured(
        series=tuple(series.id for series in subsets),
        per_seed=per_seed,
        runs={run: tuple(series.runs[run].spec.name for series in subsets) for run in shared},
        mean=sample.mean,
        n=sample.n,
        counts=nested.counts,
        std=class_std if spread_over == "classes" else sample.std,
        seed_std=sample.std,
        exact=sample.exact,
        draw_std=nested.draw_std,
        training_std=nested.training_std,
        spread_over=spread_over,
        recipe=_joined(series.recipe for series in subsets),
        settings={name: value for series in subsets for name, value in series.settings.items()},
        weights=_joined(label for record in used for label in weight_labels(record)),
        precision=_joined(record.spec.fit.precision for record in used),
        test_normal=single.test_normal if single else None,
        test_anomaly=single.test_anomaly if single else None,
        test_std=factor * auc_standard_error(sample.mean / factor, single.test_anomaly, single.test_normal)
        if single and value.is_auroc
        else None,
        reasons=_unique([*(reason for series in subsets for reason in series.reasons), *_one_split(nested)]),
        notes=_unique([*_remarks(subsets, used, value), *_counting(nested, value, factor), *notes]),
        mixes_code=any(len({origin.code_digest for origin in _provenances(group)}) > 1 for group in _by_detector(used)),
        fits=frozenset(record.fit_key for record in used),
    )


def _nested(subsets: Sequence[Series], per_seed: Mapping[RunSeeds, float], scores_digest: ScoresDigest) -> NestedSample:
    """The runs by their splits; a run of several subsets is a copy where each of its parts is one."""
    marks = [copy_marks([series.runs[run] for run in per_seed], scores_digest) for series in subsets]
    splits = zip(*(given_lists([series.runs[run] for run in per_seed]) for series in subsets), strict=True)
    runs = []
    for (run, number), split in zip(per_seed.items(), splits, strict=True):
        keys = [series.runs[run].key for series in subsets]
        parts = tuple(group.get(key) for group, key in zip(marks, keys, strict=True))
        runs.append(NestedRun(number, split, None if None in parts else parts))
    fixed = all(is_fixed_by_rule(series.runs[run] for run in per_seed) for series in subsets)
    return nested_sample(runs, fixed_by_rule=fixed)


def _one_split(nested: NestedSample) -> list[str]:
    return [f"one split only, {plural(nested.runs, 'run')} of it"] if nested.one_split else []


def _counting(nested: NestedSample, value: CellValue, factor: float) -> list[str]:
    """Remarks on what n counts, where that is not a split a run."""
    remarks = []
    if nested.copies:
        remarks.append(f"{nested.copies} of {nested.runs} runs are copies (same images, same scores) and do not count")
    if nested.sample.exact:
        remarks.append("one split by rule and no chance in the method: its value is exact")
    elif nested.counts == "trainings" and not nested.one_split and nested.runs > 1:
        remarks.append("one split by rule: n counts trainings")
    if nested.draw_std is not None and nested.training_std is not None:
        digits = 2 if factor > 1 or value.metric.unit != "fraction" else 4
        remarks.append(
            f"{nested.runs} runs on {nested.sample.n} splits: std of draws {nested.draw_std:.{digits}f}, "
            f"of trainings {nested.training_std:.{digits}f}"
        )
    return remarks


def weight_labels(record: Record) -> tuple[str, ...]:
    """`resnet18 genuine:resnet18-f37072fd.pth`, one text an architecture."""
    recorded = record.provenance.weights if record.provenance else {}
    return _labels(tuple(record.spec.fit.weights), tuple(recorded.items()))


@cache
def _labels(archs: tuple[str, ...], recorded: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    labels = dict.fromkeys(archs, "of unknown origin") | dict(recorded)
    return tuple(f"{arch} {label}" for arch, label in sorted(labels.items()))


def _series(
    records: list[Record],
    versions: Mapping[str, int],
    stale: Stale,
    other_data: Callable[[str], str],
    wanted_recipe: str,
) -> Series:
    records.sort(key=lambda record: record.provenance.started if record.provenance else "")
    done = {_run(record): record for record in records if record.status == "done" and record.metrics}
    failed = {_run(record): record for record in records if record.status == "failed"}
    ages = [record_age(records[0], versions), *map(stale, done.values())]
    recipe = min((record.spec.recipe for record in records), key=_recipe_rank)
    settings = records[0].spec.settings
    return Series(
        id=records[0].series,
        runs=done,
        failed={run: record for run, record in sorted(failed.items()) if run not in done},
        ages=_unique(text for text in ages if text),
        reasons=_reasons(recipe, records, other_data(records[0].spec.split.dataset)),
        recipe=recipe,
        settings=settings,
        is_wanted=not wanted_recipe or (recipe == wanted_recipe and CUTTING.isdisjoint(settings)),
    )


def _recipe_rank(recipe: str) -> int:
    return RECIPE_ORDER.index(recipe) if recipe in RECIPE_ORDER else len(RECIPE_ORDER)


def _reasons(recipe: str, records: Iterable[Record], other_data: str) -> tuple[str, ...]:
    reasons = [] if recipe in COMPARABLE_RECIPES else [f"recipe {recipe}"]
    reasons += [other_data] if other_data else []
    for record in records:
        if record.metrics:
            reasons += [f"weights {text}" for text in weight_labels(record) if f" {GENUINE}" not in text]
        reasons += record.spec.deviations
    return _unique(reasons)


def _remarks(subsets: Sequence[Series], used: Sequence[Record], value: CellValue) -> list[str]:
    remarks = [failure for series in subsets for failure in series.failures]
    recipes = list(dict.fromkeys(series.recipe for series in subsets))
    if len(recipes) > 1:
        remarks.append(f"mixes recipes {' and '.join(recipes)}")
    origins = _provenances(used)
    remarks += _mixture("code versions", [origin.code_digest[:8] for origin in origins])
    remarks += _mixture("numerics classes", [origin.numerics_class for origin in origins])
    remarks += value.doubts(used)
    return remarks + [note for record in used for note in record.notes]


def _provenances(records: Iterable[Record]) -> list[Provenance]:
    return [record.provenance for record in records if record.provenance]


def _by_detector(records: Iterable[Record]) -> Iterable[list[Record]]:
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.spec.fit.detector, []).append(record)
    return groups.values()


def _mixture(plural_name: str, values: Iterable[str]) -> list[str]:
    distinct = list(dict.fromkeys(values))
    return [f"mixes {len(distinct)} {plural_name} ({'; '.join(distinct)})"] if len(distinct) > 1 else []


def _run(record: Record) -> RunSeeds:
    return RunSeeds(record.spec.split_seed, record.spec.fit.seed)


def _unique(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _joined(texts: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(texts))
