import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from reports.stats.verdict import Sample, auc_standard_error, judge, standard_error

MEANS = st.floats(0, 1)
SPREADS = st.floats(1e-4, 0.3)
RUNS = st.integers(2, 12)
SAMPLES = st.builds(Sample, MEANS, SPREADS, RUNS)
MARGINS = st.floats(0.001, 0.2)
AGREEMENTS = {"reproduced", "close", "better", "worse", "inconclusive"}


def test_welch_interval_by_hand():
    """Published 0.731 +- 0.021 (3 runs), ours 0.726 +- 0.020 (3 seeds).

    Variances of the means: 0.021^2 / 3 = 1.470e-4 and 0.020^2 / 3 = 1.3333e-4, so the error is sqrt(2.80333e-4) = 0.0167432.
    Degrees of freedom: 2.80333e-4^2 / ((1.470e-4^2 + 1.3333e-4^2) / 2) = 3.9905, whose 0.95 quantile is 2.1333.
    Half-width 0.035718; the interval -0.0407 to 0.0307 holds zero and leaves the margin of 0.02: inconclusive.
    """
    error, freedom = standard_error(Sample(0.731, 0.021, 3), Sample(0.726, 0.020, 3))
    assert error == pytest.approx(0.0167432, abs=1e-7)
    assert freedom == pytest.approx(3.9905, abs=1e-4)
    found = judge(Sample(0.731, 0.021, 3), Sample(0.726, 0.020, 3), 0.02)
    assert found.agreement == "inconclusive"
    assert (found.low, found.high) == (pytest.approx(-0.040718, abs=2e-6), pytest.approx(0.030718, abs=2e-6))


@pytest.mark.parametrize(
    ("ours", "agreement"),
    [
        # Equal spreads s, n = 3 and 3: error s * sqrt(2/3), 4 degrees of freedom, quantile 2.13185.
        # s = 0.003: half-width 0.0052220.
        (0.725, "reproduced"),  # -0.006: interval -0.0112 to -0.0008, within 0.02
        (0.715, "close"),  # -0.016: interval -0.0212 to -0.0108, off zero, mean within 0.02
        (0.749, "close"),  # +0.018: interval 0.0128 to 0.0232
        (0.706, "worse"),  # -0.025: interval -0.0302 to -0.0198
        (0.756, "better"),  # +0.025
    ],
)
def test_settled_verdicts_by_hand(ours, agreement):
    assert judge(Sample(0.731, 0.003, 3), Sample(ours, 0.003, 3), 0.02).agreement == agreement


def test_a_difference_equal_to_the_margin_is_close_in_spite_of_rounding():
    assert 0.87 - 0.85 > 0.02  # in binary floating point
    assert judge(Sample(0.85, 0.001, 3), Sample(0.87, 0.001, 3), 0.02).agreement == "close"


def test_constant_published_value_by_hand():
    """Ours 90, 92, 94 (mean 92, std 2) against 95 without a seed spread.

    Error 2 / sqrt(3) = 1.1547, quantile of t with 2 degrees of freedom 2.91999: -3 +- 3.3717 holds zero: inconclusive.
    With four seeds: 2.35336 * 2 / 2 = 2.35336 < 3: settled.
    """
    found = judge(Sample(95, None, 3), Sample(92, 2, 3), 2.0)
    assert found.agreement == "inconclusive"
    assert (found.low, found.high) == (pytest.approx(-6.3717, abs=1e-4), pytest.approx(0.3717, abs=1e-4))
    assert found.seeds_to_settle == 4
    assert found.advice == "4 seeds in all would settle it"


def test_a_constant_is_never_reproduced():
    found = judge(Sample(0.9, None, 0), Sample(0.9, 1e-6, 10), 0.02)
    assert found.agreement == "inconclusive"
    assert found.seeds_to_settle is None
    assert not found.capped


def test_few_published_runs_cap_what_our_seeds_can_settle():
    """However many seeds: published error 0.021 / sqrt(3) = 0.01212 times t(2) 2.92 = 0.0354 is wider than the margin."""
    found = judge(Sample(0.731, 0.021, 3), Sample(0.730, 0.001, 5), 0.02)
    assert (found.agreement, found.seeds_to_settle, found.capped) == ("inconclusive", None, True)
    assert "cap it" in found.advice


def test_number_of_seeds_that_would_settle_it():
    ours = Sample(0.690, 0.03, 3)
    found = judge(Sample(0.731, 0.010, 3), ours, 0.02)
    assert found.agreement == "inconclusive"
    assert found.seeds_to_settle is not None
    more = [judge(Sample(0.731, 0.010, 3), Sample(0.690, 0.03, n), 0.02) for n in range(4, found.seeds_to_settle + 1)]
    assert {one.agreement for one in more[:-1]} <= {"inconclusive"}
    assert more[-1].agreement == "worse"


def test_one_seed_has_no_interval_and_is_inconclusive():
    found = judge(Sample(0.731, 0.021, 3), Sample(0.2, None, 1), 0.02)
    assert (found.agreement, found.low, found.high) == ("inconclusive", None, None)
    assert found.seeds_to_settle == 2
    assert judge(Sample(95, None, 3), Sample(60, None, 1), 2).seeds_to_settle == 2


def test_no_spread_on_either_side():
    assert judge(Sample(0.5, 0, 3), Sample(0.5, 0, 3), 0.02).agreement == "reproduced"
    assert judge(Sample(0.5, 0, 3), Sample(0.6, 0, 3), 0.02).agreement == "better"
    assert judge(Sample(0.5, None, 3), Sample(0.5, 0, 3), 0.02).agreement == "inconclusive"


@pytest.mark.parametrize("margin", [-0.01, math.nan, math.inf])
def test_a_margin_must_be_a_number(margin):
    with pytest.raises(ValueError, match="margin"):
        judge(Sample(0.5, 0.1, 3), Sample(0.5, 0.1, 3), margin)


@settings(deadline=None)
@given(published=SAMPLES, ours=SAMPLES, margin=MARGINS)
def test_exactly_one_verdict_and_it_follows_the_rules(published, ours, margin):
    found = judge(published, ours, margin)
    assert found.agreement in AGREEMENTS
    within = -margin < found.low and found.high < margin
    off_zero = found.low > 0 or found.high < 0
    assert (found.agreement == "reproduced") == within
    assert (found.agreement == "inconclusive") == (not within and not off_zero)
    if found.agreement in {"better", "worse"}:
        assert (found.difference > 0) == (found.agreement == "better")
    assert bool(found.advice) == (found.agreement == "inconclusive")


@settings(deadline=None)
@given(published=SAMPLES, ours=SAMPLES, margin=MARGINS)
def test_mirrored_values_get_the_mirrored_verdict(published, ours, margin):
    mirrored = judge(
        Sample(1 - published.mean, published.std, published.n), Sample(1 - ours.mean, ours.std, ours.n), margin
    )
    straight = judge(published, ours, margin)
    assume(all(abs(abs(edge) - limit) > 1e-9 for edge in (straight.low, straight.high) for limit in (0, margin)))
    assume(abs(abs(straight.difference) - margin) > 1e-8)
    opposite = {"better": "worse", "worse": "better"}
    assert mirrored.agreement == opposite.get(straight.agreement, straight.agreement)


@settings(deadline=None)
@given(SAMPLES, SAMPLES, MARGINS)
def test_where_lower_is_better_the_better_value_is_the_lower_one(published, ours, margin):
    higher, lower = (judge(published, ours, margin, better) for better in ("higher", "lower"))
    swapped = {"better": "worse", "worse": "better"}
    assert lower.agreement == swapped.get(higher.agreement, higher.agreement)
    assert (lower.difference, lower.low, lower.high) == (higher.difference, higher.low, higher.high)


@settings(deadline=None)
@given(published=SAMPLES, ours=SAMPLES, margin=MARGINS)
def test_percent_and_fraction_get_the_same_verdict(published, ours, margin):
    straight = judge(published, ours, margin)
    assume(all(abs(abs(edge) - limit) > 1e-9 for edge in (straight.low, straight.high) for limit in (0, margin)))
    assume(abs(abs(straight.difference) - margin) > 1e-8)
    in_percent = [Sample(100 * one.mean, 100 * one.std, one.n) for one in (published, ours)]
    scaled = judge(*in_percent, 100 * margin)
    assert (scaled.agreement, scaled.capped) == (straight.agreement, straight.capped)


def _values(sample):
    """Numbers with exactly this mean and sample std."""
    raw = [float(index) for index in range(sample.n)]
    centre = sum(raw) / sample.n
    scale = sample.std / math.sqrt(sum((value - centre) ** 2 for value in raw) / (sample.n - 1))
    return [sample.mean + scale * (value - centre) for value in raw]


@settings(deadline=None, max_examples=50)
@given(published=SAMPLES, ours=SAMPLES, margin=MARGINS)
def test_agrees_with_scipy_s_welch_and_two_one_sided_tests(published, ours, margin):
    found = judge(published, ours, margin)
    mine, theirs = _values(ours), _values(published)
    oracle = stats.ttest_ind(mine, theirs, equal_var=False).confidence_interval(0.90)
    assert found.low == pytest.approx(oracle.low, abs=1e-9)
    assert found.high == pytest.approx(oracle.high, abs=1e-9)
    above = stats.ttest_ind([value + margin for value in mine], theirs, equal_var=False, alternative="greater").pvalue
    below = stats.ttest_ind([value - margin for value in mine], theirs, equal_var=False, alternative="less").pvalue
    assume(abs(max(above, below) - 0.05) > 1e-9)
    assert (found.agreement == "reproduced") == (max(above, below) < 0.05)


@settings(deadline=None, max_examples=50)
@given(ours=SAMPLES, constant=MEANS)
def test_agrees_with_scipy_s_one_sample_interval(ours, constant):
    found = judge(Sample(constant, None, 0), ours, 0.02)
    oracle = stats.ttest_1samp(_values(ours), constant).confidence_interval(0.90)
    assert found.low == pytest.approx(oracle.low - constant, abs=1e-9)
    assert found.high == pytest.approx(oracle.high - constant, abs=1e-9)
    assert found.agreement != "reproduced"


def test_hanley_mcneil_by_hand():
    """AUC 0.8, two anomalies, three normals: Q1 = 0.8 / 1.2 = 0.66667, Q2 = 1.28 / 1.8 = 0.71111.

    (0.16 + 1 * (0.66667 - 0.64) + 2 * (0.71111 - 0.64)) / 6 = 0.0548148, whose root is 0.234126.
    """
    assert auc_standard_error(0.8, anomalies=2, normals=3) == pytest.approx(0.234126, abs=1e-6)
    assert auc_standard_error(1.0, 10, 10) == 0
