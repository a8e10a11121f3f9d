"""Random-effects mean over sources: by hand, against a root found by bisection, and against statsmodels if it is there."""

from math import isclose, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtrit

from reports.stats.sources import between_variance, random_effects


def test_by_hand_with_equal_errors():
    """Equal errors v: the mean is the plain one, and tau^2 is the sample variance of the means less v."""
    pooled = random_effects([0.70, 0.80, 0.90], [0.0004] * 3)
    assert pooled.mean == pytest.approx(0.80)
    assert pooled.tau**2 == pytest.approx(0.01 - 0.0004)
    assert pooled.standard_error == pytest.approx(0.1 / sqrt(3))
    assert pooled.high - pooled.mean == pytest.approx(2.919986 * 0.1 / sqrt(3), rel=1e-6)
    assert pooled.sources == 3


def test_by_hand_where_sources_agree():
    """Sources that differ by less than their errors: tau is 0, the weights are 1 / v, and the error is not narrowed."""
    pooled = random_effects([0.75, 0.75, 0.76], [0.0001, 0.0002, 0.0002])
    assert pooled.tau == 0
    assert pooled.mean == pytest.approx((0.75 * 10000 + 0.75 * 5000 + 0.76 * 5000) / 20000)
    assert pooled.standard_error == pytest.approx(1 / sqrt(20000))


def deviation(means, variances, between):
    weights = [1 / (variance + between) for variance in variances]
    mean = sum(weight * value for weight, value in zip(weights, means, strict=True)) / sum(weights)
    return sum(weight * (value - mean) ** 2 for weight, value in zip(weights, means, strict=True)) - len(means) + 1


def bisected(means, variances):
    low, high = 0.0, 1.0
    if deviation(means, variances, low) <= 0:
        return 0.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if deviation(means, variances, middle) > 0 else (low, middle)
    return (low + high) / 2


@given(
    st.lists(st.tuples(st.floats(0.3, 1), st.floats(0.0005, 0.2)), min_size=2, max_size=8),
)
def test_the_variance_between_sources_is_the_root(sources):
    means, variances = [mean for mean, _ in sources], [std**2 / 3 for _, std in sources]
    assert between_variance(means, variances) == pytest.approx(bisected(means, variances), abs=1e-7)


def test_a_sample_stands_for_the_mean_in_a_verdict():
    pooled = random_effects([0.766, 0.771, 0.705], [0.029**2 / 3, 0.005**2 / 3, 0.050**2 / 3])
    sample = pooled.sample
    assert isclose(sample.mean_variance, pooled.standard_error**2)
    assert sample.freedom == 2
    half = float(stdtrit(2, 0.95)) * pooled.standard_error
    assert (pooled.low, pooled.high) == pytest.approx((pooled.mean - half, pooled.mean + half))


@pytest.mark.parametrize(("means", "variances"), [([0.7], [0.1]), ([0.7, 0.8], [0.1, 0.0]), ([0.7, 0.8], [0.1])])
def test_too_little_to_pool_is_refused(means, variances):
    with pytest.raises(ValueError, match="at least two"):
        random_effects(means, variances)


def test_statsmodels_agrees():
    meta_analysis = pytest.importorskip("statsmodels.stats.meta_analysis")
    means, variances = [0.766, 0.771, 0.705], [0.029**2 / 3, 0.005**2 / 3, 0.050**2 / 3]
    theirs = meta_analysis.combine_effects(np.array(means), np.array(variances), method_re="iterated", use_t=True)
    ours = random_effects(means, variances)
    assert ours.tau**2 == pytest.approx(theirs.tau2, abs=1e-6)
    assert ours.mean == pytest.approx(theirs.mean_effect_re, abs=1e-5)
    assert ours.standard_error == pytest.approx(theirs.sd_eff_w_re_hksj, abs=1e-5)
