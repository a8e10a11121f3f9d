"""Choice of what to run within a time: by expected decisions an hour, the same for equal inputs."""

import itertools
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

TIME_ROUNDING = 1e-9
"""Share of a time, or difference of a value, that is of rounding alone."""


@dataclass(frozen=True)
class Step:
    """One more step of an offer, on top of those before it: the seconds that it takes and what all steps are worth.

    seconds: machine time of its fits together. longest: of its longest fit, which nothing can shorten. value: expected
    decisions of all steps of the offer so far.
    """

    seconds: float
    longest: float
    value: float


@dataclass(frozen=True)
class Offer:
    """Something that can be run in steps, such as the seeds of a cell, each after the one before."""

    name: Hashable
    steps: tuple[Step, ...]


class Increment(NamedTuple):
    """Steps of an offer that are worth taking together, from `start` up to `end`."""

    ratio: float
    offer: int
    start: int
    end: int
    seconds: float
    longest: float
    value: float


def choose_steps(offers: Sequence[Offer], *, seconds: float, longest: float) -> dict[Hashable, int]:
    """Numbers of steps to take of each offer, best value a second first; offers of which none is taken are left out.

    seconds: machine time for all together; longest: time of the whole call, which no fit may exceed. Of an offer those
    steps stand together that are worth more so. An increment that does not fit is passed over, with those behind it.
    With one fit at a time a larger budget never has less value than a smaller one: what the smaller one passes over is
    worth more than all that it can still take.
    """
    increments = sorted(
        (increment for number, offer in enumerate(offers) for increment in _increments(number, offer.steps)),
        key=lambda increment: (-increment.ratio, increment.offer, increment.start),
    )
    step_counts: dict[int, int] = {}
    seconds_left = seconds
    for increment in increments:
        fits = increment.seconds <= seconds_left * (1 + TIME_ROUNDING) and increment.longest <= longest
        if fits and step_counts.get(increment.offer, 0) == increment.start:
            step_counts[increment.offer] = increment.end
            seconds_left -= increment.seconds
    return {offers[number].name: end for number, end in sorted(step_counts.items())}


def _increments(number: int, steps: Sequence[Step]) -> list[Increment]:
    """The upper concave hull of value over time: increments whose value a second falls from one to the next."""
    points = [(0.0, 0.0)]
    for step in steps:
        points.append((points[-1][0] + step.seconds, step.value))
    hull = [0]
    for index in range(1, len(points)):
        if points[index][1] <= points[hull[-1]][1] + TIME_ROUNDING:
            continue
        while len(hull) > 1 and _ratio(points, hull[-1], index) > _ratio(points, hull[-2], hull[-1]):
            hull.pop()
        hull.append(index)
    return [
        Increment(
            ratio=_ratio(points, start, end),
            offer=number,
            start=start,
            end=end,
            seconds=points[end][0] - points[start][0],
            longest=max(step.longest for step in steps[start:end]),
            value=points[end][1] - points[start][1],
        )
        for start, end in itertools.pairwise(hull)
    ]


def _ratio(points: Sequence[tuple[float, float]], start: int, end: int) -> float:
    return (points[end][1] - points[start][1]) / max(points[end][0] - points[start][0], TIME_ROUNDING)
