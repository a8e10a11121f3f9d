"""Chances of a verdict with further runs, beside runs that are drawn one by one and judged as a report judges them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.stats.expected import SpreadGuess, decision_chances, pooled_guess, spread_guess
from reports.stats.sample import Sample, sample_std
from reports.stats.verdict import judge

MARGIN, LEAST = 0.02, 0.0005
PRINTED = Sample(0.80, 0.02, 3)
CONSTANT = Sample(0.80, None, 1)


def brute_force(published, values, spread, added, draws=3000):
    """The share of decided cells among draws of a true std and mean, then of runs."""
    generator = np.random.default_rng(7)
    decided = 0
    for _ in range(draws):
        sigma = np.sqrt(spread.freedom * spread.std**2 / generator.chisquare(spread.freedom))
        behind = len(values) or published.n
        true = generator.normal(np.mean(values) if values else published.mean, sigma / np.sqrt(behind))
        runs = [*values, *generator.normal(true, sigma, added)]
        ours = Sample(float(np.mean(runs)), sample_std(runs), len(runs)).with_least_spread(LEAST)
        decided += judge(published, ours, MARGIN).verdict != "inconclusive"
    return decided / draws


def sample(values):
    return Sample(float(np.mean(values)), sample_std(values) if len(values) > 1 else None, len(values))


@pytest.mark.parametrize("published", [PRINTED, CONSTANT])
@pytest.mark.parametrize(
    ("values", "added"),
    [([], 3), ([], 10), ([0.83], 2), ([0.83], 7), ([0.80, 0.86], 1), ([0.78, 0.86, 0.83], 5), ([0.6, 0.7, 0.65], 4)],
)
def test_chances_are_those_of_runs_drawn_one_by_one(published, values, added):
    """Of 1,000 and 3,000 draws a share of one half has standard errors of 0.016 and 0.009: four of both are 0.073."""
    spread = spread_guess(published, sample(values) if values else None) or SpreadGuess(0.03, 2.0)
    measured = sample(values) if values else None
    (chance,) = decision_chances(published, measured, spread, MARGIN, LEAST, (added,))
    assert chance == pytest.approx(brute_force(published, values, spread, added), abs=0.075)


def test_one_run_in_all_decides_nothing():
    assert decision_chances(PRINTED, None, SpreadGuess(0.01, 2.0), MARGIN, LEAST, (1,)) == (0.0,)


def test_two_equal_means_with_little_scatter_are_soon_settled_and_with_much_never():
    close, wide = Sample(0.80, 0.001, 3), Sample(0.80, 0.5, 3)
    assert decision_chances(close, sample([0.80, 0.801]), SpreadGuess(0.001, 3.0), MARGIN, LEAST, (3,))[0] > 0.95
    assert decision_chances(wide, sample([0.3, 0.9]), SpreadGuess(0.5, 3.0), MARGIN, LEAST, (998,))[0] < 0.1


@given(
    st.floats(0.5, 0.99),
    st.floats(0.001, 0.1),
    st.lists(st.floats(0.4, 1.0), min_size=0, max_size=4),
    st.lists(st.integers(1, 12), min_size=1, max_size=4, unique=True),
)
@settings(max_examples=30, deadline=None)
def test_chances_are_shares_and_the_same_whichever_numbers_are_asked_before(mean, std, values, numbers):
    published, measured = Sample(mean, std, 3), sample(values) if values else None
    spread = spread_guess(published, measured)
    asked = tuple(sorted(numbers))
    chances = decision_chances(published, measured, spread, MARGIN, LEAST, asked)
    assert chances == decision_chances(published, measured, spread, MARGIN, LEAST, asked)
    assert all(0 <= chance <= 1 for chance in chances)
    first = decision_chances(published, measured, spread, MARGIN, LEAST, asked[:1])
    assert first == chances[:1]


def test_both_spreads_of_a_cell_are_pooled_and_those_of_others_count_little():
    """Two degrees of 0.02 and one of 0.05: (2 * 0.0004 + 0.0025) / 3."""
    guess = spread_guess(PRINTED, Sample(0.8, 0.05, 2))
    assert (guess.std, guess.freedom) == (pytest.approx((0.0033 / 3) ** 0.5), 3)
    assert spread_guess(PRINTED, Sample(0.8, None, 1)) == SpreadGuess(pytest.approx(0.02), 2.0)
    assert spread_guess(CONSTANT, Sample(0.8, 0.0, 3, exact=True)) is None
    others = [Sample(0.8, 0.03, 5), Sample(0.7, 0.03, 9), Sample(0.7, None, 1)]
    assert pooled_guess(others, 2.0) == SpreadGuess(pytest.approx(0.03), 2.0)
    assert pooled_guess([]) is None
