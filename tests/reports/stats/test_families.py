import math
from statistics import fmean

import numpy as np
import pytest
from scipy import stats

from reports.stats.families import family_tests
from reports.stats.sample import Errors
from reports.stats.table_verdict import CellDifference, Pooled, pool


def test_p_and_drop_by_hand():
    """D = -0.06, SE 0.02, 8 degrees, margin 0.02, one family of two at 0.10: t = (-0.06 + 0.02) / 0.02 = -2."""
    low, level = Pooled(5, -0.06, 0.02, 8), Pooled(5, 0.0, 0.02, 8)
    ((first, second),) = family_tests([[low, level]], 0.02)
    assert first.p_value == pytest.approx(2 * stats.t.cdf(-2, 8))
    assert second.p_value == pytest.approx(max(2 * stats.t.cdf(-2, 8), stats.t.cdf(1, 8)))
    assert first.sees == pytest.approx(0.02 + (stats.t.ppf(1 - 0.1 / 2, 8) + stats.t.ppf(0.8, 8)) * 0.02)
    assert (first.regressed, second.regressed) == (True, False)


def test_alpha_is_shared_by_the_families():
    test = Pooled(1, -0.06, 0.02, 8)
    p_value = stats.t.cdf(-2, 8)
    assert family_tests([[test]], 0.02, alpha=1.01 * p_value)[0][0].regressed
    assert not family_tests([[test], []], 0.02, alpha=1.01 * p_value)[0][0].regressed
    assert family_tests([[test], []], 0.02, alpha=2.02 * p_value)[0][0].regressed


def test_lower_may_be_the_better_side():
    test = Pooled(1, 0.1, 0.01, 8)
    assert not family_tests([[test]], 0.02)[0][0].regressed
    assert family_tests([[test]], 0.02, sign=-1)[0][0].regressed


def test_without_scatter_the_margin_alone_decides():
    below, at = Pooled(1, -0.021, 0.0, math.inf), Pooled(1, -0.02, 0.0, math.inf)
    ((first, second),) = family_tests([[below, at]], 0.02)
    assert (first.regressed, second.regressed, first.sees) == (True, False, 0.02)


def test_the_named_drop_is_found_four_times_in_five():
    """4,000 seeded tables of ten cells whose true drop is the median of what their tests say that they see."""
    generator = np.random.default_rng(2)
    sigma, n, n_p, margin = 0.02, 5, 3, 0.02

    def table(drop):
        cells = []
        for _ in range(10):
            ours = generator.normal(-drop, sigma, n)
            theirs = generator.normal(0, sigma, n_p)
            errors = Errors(ours.var(ddof=1) / n, n - 1, theirs.var(ddof=1) / n_p, n_p - 1)
            cells.append(CellDifference(ours.mean() - theirs.mean(), errors))
        return family_tests([[pool(cells)]], margin)[0][0]

    drop = float(np.median([table(0).sees for _ in range(500)]))
    assert fmean(table(drop).regressed for _ in range(1500)) == pytest.approx(0.8, abs=0.05)
    assert fmean(table(margin).regressed for _ in range(1500)) == pytest.approx(0.1, abs=0.03)
