import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.stats.nested import NestedRun, moment_stds, nested_sample


def runs(*values_of_splits):
    return [NestedRun(value, split) for split, values in enumerate(values_of_splits) for value in values]


def test_trainings_are_averaged_within_their_split_first():
    """Six trainings of 0.9 on one split, 0.6 on each of two others: the mean of 0.9, 0.6, 0.6, not of eight runs."""
    nested = nested_sample(runs([0.9] * 6, [0.6], [0.6]))
    assert nested.sample.mean == pytest.approx(0.7)
    assert nested.sample.std == pytest.approx(statistics.stdev([0.9, 0.6, 0.6]))
    assert (nested.sample.n, nested.counts, nested.runs, nested.one_split) == (3, "splits", 8, False)


def test_trainings_on_one_draw_are_told_apart_from_draws():
    nested = nested_sample(runs([0.7, 0.8]))
    assert (nested.sample.n, nested.counts, nested.one_split) == (2, "trainings", True)
    assert nested_sample(runs([0.7])).one_split is False


def test_trainings_count_where_the_rule_leaves_nothing_to_draw():
    nested = nested_sample(runs([0.7, 0.8, 0.9]), fixed_by_rule=True)
    assert (nested.sample.n, nested.counts, nested.one_split) == (3, "trainings", False)
    assert nested.sample.std == pytest.approx(0.1)


def test_copies_count_once():
    copies = [NestedRun(0.8, "a", "x"), NestedRun(0.8, "a", "x"), NestedRun(0.7, "b", "x"), NestedRun(0.7, "a", "y")]
    nested = nested_sample(copies)
    assert (nested.copies, nested.runs, nested.sample.n) == (1, 4, 2)
    assert nested.sample.mean == pytest.approx(((0.8 + 0.7) / 2 + 0.7) / 2)


def test_a_method_that_repeats_itself_on_a_fixed_split_is_exact():
    nested = nested_sample([NestedRun(0.8, "a", "x")] * 3, fixed_by_rule=True)
    assert (nested.sample.exact, nested.sample.n, nested.sample.std, nested.copies) == (True, 1, None, 2)
    assert not nested_sample([NestedRun(0.8, "a", None)] * 3, fixed_by_rule=True).sample.exact
    assert not nested_sample([NestedRun(0.8, "a", "x")], fixed_by_rule=True).sample.exact
    drawn = nested_sample([NestedRun(0.8, "a", "x")] * 3)
    assert (drawn.sample.exact, drawn.sample.n, drawn.one_split) == (False, 1, True)


def test_no_run_is_refused():
    with pytest.raises(ValueError, match="no run"):
        nested_sample([])


def test_moments_by_hand():
    """Groups (1, 3), (5), (6, 8, 10): within (2 + 8) / 3 = 10/3; means 2, 5, 8, grand mean 5.5.

    Between (2 * 12.25 + 1 * 0.25 + 3 * 6.25) / 2 = 21.75; size (6 - 14/6) / 2 = 11/6.
    """
    draw, training = moment_stds([(1, 3), (5,), (6, 8, 10)])
    assert training == pytest.approx(math.sqrt(10 / 3))
    assert draw == pytest.approx(math.sqrt((21.75 - 10 / 3) / (11 / 6)))
    assert moment_stds([(1,), (2,)]) == (None, None)
    assert moment_stds([(1, 2)]) == (None, None)
    assert moment_stds([(1, 3), (1, 3)])[0] == 0.0


def test_moments_find_the_true_stds():
    """400 draws of std 0.03 with three trainings of std 0.01: three standard errors are about 0.004."""
    generator = np.random.default_rng(3)
    values = 0.03 * generator.normal(size=(400, 1)) + 0.01 * generator.normal(size=(400, 3))
    draw, training = moment_stds([list(row) for row in values])
    assert draw == pytest.approx(0.03, abs=0.004)
    assert training == pytest.approx(0.01, abs=0.001)


@pytest.mark.filterwarnings("ignore:The MLE may be on the boundary")
def test_moments_agree_with_statsmodels_reml_on_a_balanced_layout():
    """On balanced data with a positive estimate, moments and restricted maximum likelihood are the same."""
    mixed = pytest.importorskip("statsmodels.regression.mixed_linear_model", reason="statsmodels is not installed")
    generator = np.random.default_rng(4)
    values = 0.03 * generator.normal(size=(12, 1)) + 0.01 * generator.normal(size=(12, 4))
    draw, training = moment_stds([list(row) for row in values])
    fit = mixed.MixedLM(values.ravel(), np.ones((48, 1)), np.repeat(np.arange(12), 4)).fit(reml=True)
    assert draw == pytest.approx(math.sqrt(fit.cov_re[0, 0]), rel=0.02)
    assert training == pytest.approx(math.sqrt(fit.scale), rel=0.02)


@given(st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=4), min_size=1, max_size=5), st.randoms())
def test_the_order_of_the_runs_says_nothing(values, random):
    straight = runs(*values)
    shuffled = random.sample(straight, len(straight))
    first, second = nested_sample(straight), nested_sample(shuffled)
    assert first.sample.mean == pytest.approx(second.sample.mean)
    assert first.sample.std == pytest.approx(second.sample.std, abs=1e-12)
    assert (first.sample.n, first.counts) == (second.sample.n, second.counts)
