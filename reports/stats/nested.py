"""Runs on splits: what is averaged first, what n counts, and how much draws and trainings scatter."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, variance
from typing import Literal, NamedTuple

from reports.stats.sample import Sample, sample_std


class NestedRun(NamedTuple):
    """Value of a run, the split that it was trained on, and a mark that its copies share (None: it has none)."""

    value: float
    split: Hashable
    copy: Hashable | None = None


@dataclass(frozen=True, slots=True)
class NestedSample:
    """The sample of what varies, and how it came about.

    counts: what `sample.n` counts. copies: runs that repeat another one. draw_std, training_std: standard deviations of
    the draw and of the training, by moments; None where one of them cannot be told apart. one_split: several trainings
    on one draw, where the rule would draw.
    """

    sample: Sample
    counts: Literal["splits", "trainings"]
    runs: int
    copies: int
    one_split: bool
    draw_std: float | None = None
    training_std: float | None = None


def nested_sample(runs: Iterable[NestedRun], *, fixed_by_rule: bool = False) -> NestedSample:
    """Average runs within their splits, then over splits; copies count once.

    fixed_by_rule: rule and coordinates leave nothing to draw, so n counts trainings. A method that repeats itself on
    such a split has no chance in it: its value is exact.

    Raises:
        ValueError: no run.
    """
    by_split: dict[Hashable, list[float]] = {}
    seen: set[tuple[Hashable, Hashable]] = set()
    total = 0
    for run in runs:
        total += 1
        values = by_split.setdefault(run.split, [])
        if run.copy is not None:
            if (run.split, run.copy) in seen:
                continue
            seen.add((run.split, run.copy))
        values.append(run.value)
    if not total:
        raise ValueError("no run to average")
    groups = list(by_split.values())
    trainings = [value for values in groups for value in values]
    copies = total - len(trainings)
    if fixed_by_rule:
        # Runs without a copy mark are trainings of their own, so one value that was repeated knows no chance.
        exact = len(trainings) == 1 and copies > 0
        return NestedSample(_sample(trainings, exact=exact), "trainings", total, copies, one_split=False)
    if len(groups) == 1:
        return NestedSample(_sample(trainings), "trainings", total, copies, one_split=total > 1)
    draw_std, training_std = moment_stds(groups)
    means = [fmean(values) if values[1:] else values[0] for values in groups]
    return NestedSample(_sample(means), "splits", total, copies, False, draw_std, training_std)


def moment_stds(groups: Sequence[Sequence[float]]) -> tuple[float | None, float | None]:
    """Standard deviations of draw and training by the method of moments of a one-way layout, unequal groups allowed.

    Source: analysis of variance, Searle, Casella and McCulloch 1992, section 3.6. None, None where no group has two.
    """
    number, sizes = len(groups), [len(group) for group in groups]
    total = sum(sizes)
    if number < 2 or total == number:
        return None, None
    within = sum(variance(group) * (len(group) - 1) for group in groups if len(group) > 1) / (total - number)
    grand = sum(map(sum, groups)) / total
    between = sum(size * (fmean(group) - grand) ** 2 for size, group in zip(sizes, groups, strict=True)) / (number - 1)
    size = (total - sum(size**2 for size in sizes) / total) / (number - 1)
    return sqrt(max(0.0, (between - within) / size)), sqrt(within)


def _sample(values: Sequence[float], *, exact: bool = False) -> Sample:
    return Sample(fmean(values), sample_std(values) if len(values) > 1 else None, len(values), exact)
