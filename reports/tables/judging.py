"""Verdict of a cell: both sides as samples, as the table prints them."""

from collections.abc import Mapping
from dataclasses import dataclass

from reports.layouts.layout import Layout
from reports.layouts.published import CellCoordinates, PublishedValue
from reports.stats.paired import PairedTest
from reports.stats.sample import Sample, pooling_errors
from reports.stats.table_verdict import CellDifference
from reports.stats.verdict import Verdict, judge
from reports.stats.words import settling_advice
from reports.tables.measured import Measured


@dataclass(frozen=True, slots=True)
class Baseline:
    """The method that the others of a table are compared with, and the paired test of a cell by its coordinates.

    Holm's correction is over the rows of the table, and over its means.
    """

    method: str
    tests: Mapping[CellCoordinates, PairedTest]


def cell_samples(layout: Layout, published: PublishedValue, measured: Measured) -> tuple[Sample, Sample]:
    """The published and the measured sample; spreads count as half a unit of the last printed digit at least."""
    ours = Sample(measured.mean, measured.seed_std, measured.n, measured.exact)
    return published_sample(layout, published), ours.with_least_spread(printed_half_unit(published))


def published_sample(layout: Layout, published: PublishedValue) -> Sample:
    """The published sample with a spread of half a unit of the last printed digit at least.

    A published std that is not over runs, or none, leaves a constant.
    """
    std = published.std if layout.std == "runs" else None
    sample = Sample(published.mean, std, 1 if std is None else layout.paper.counted_runs)
    return sample.with_least_spread(printed_half_unit(published))


def printed_half_unit(published: PublishedValue) -> float:
    """Half a unit of the last digit of the std, or of the mean where no std is printed."""
    _, _, decimals = (published.std_text or published.mean_text).partition(".")
    return 0.5 * 10.0 ** -len(decimals)


def cell_verdict(layout: Layout, published: PublishedValue, measured: Measured, margin: float) -> Verdict:
    """The verdict of a measured cell; `margin` as a fraction of AUC."""
    theirs, ours = cell_samples(layout, published, measured)
    comparison = judge(theirs, ours, margin * layout.scale)
    # Where the rule leaves nothing to draw, the paper's runs shared their split in any reading.
    reading = None
    if theirs.has_spread and ours.has_spread and measured.counts == "splits":
        reading = judge(theirs.as_constant, ours, margin * layout.scale).verdict
    return Verdict(
        name="not_comparable" if measured.reasons else comparison.verdict,
        comparison=comparison,
        reasons=measured.reasons,
        advice=settling_advice(comparison, theirs, ours, measured.counts if measured.n > 1 else "runs"),
        one_draw=reading if reading != comparison.verdict else None,
    )


def cell_difference(layout: Layout, published: PublishedValue, measured: Measured, fit: str) -> CellDifference | None:
    """The cell as tables and the gate pool it; None where neither side has a spread."""
    theirs, ours = cell_samples(layout, published, measured)
    errors = pooling_errors(theirs, ours)
    return None if errors is None else CellDifference(ours.mean - theirs.mean, errors, fit)
