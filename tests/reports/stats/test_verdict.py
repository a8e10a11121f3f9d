import importlib.util
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from repository import SHARED
from scipy import stats

from reports.stats.sample import Sample, pooling_errors, standard_error, std_interval
from reports.stats.verdict import VERDICT_NAMES, auc_standard_error, judge, verdict_name
from reports.stats.words import NUMBERS_OF_RUNS, settling_advice, settling_number

MEANS = st.floats(0, 1)
SPREADS = st.floats(1e-4, 0.3)
RUNS = st.integers(2, 12)
SAMPLES = st.builds(Sample, MEANS, SPREADS, RUNS)
MARGINS = st.floats(0.001, 0.2)
OPPOSITE = {"higher": "lower", "lower": "higher"}
RATES = SHARED / "verdict_sims" / "verdict_rates.py"


def test_welch_interval_by_hand():
    """Published 0.731 +- 0.021 (3 runs), ours 0.726 +- 0.020 (3 seeds).

    Variances of the means: 0.021^2 / 3 = 1.470e-4 and 0.020^2 / 3 = 1.3333e-4, so the error is sqrt(2.80333e-4) = 0.0167432.
    Degrees of freedom: 2.80333e-4^2 / ((1.470e-4^2 + 1.3333e-4^2) / 2) = 3.9905, whose 0.95 quantile is 2.1333.
    Half-width 0.035718; the interval -0.0407 to 0.0307 leaves the margin of 0.02.
    r = 4.302653 * 0.020 * sqrt(1/3 + 1/3) = 0.070262 is below five margins: consistent.
    """
    error, freedom = standard_error(Sample(0.731, 0.021, 3), Sample(0.726, 0.020, 3))
    assert error == pytest.approx(0.0167432, abs=1e-7)
    assert freedom == pytest.approx(3.9905, abs=1e-4)
    result = judge(Sample(0.731, 0.021, 3), Sample(0.726, 0.020, 3), 0.02)
    assert (result.low, result.high) == (pytest.approx(-0.040718, abs=2e-6), pytest.approx(0.030718, abs=2e-6))
    assert (result.verdict, result.told) == ("consistent", pytest.approx(0.070262, abs=1e-6))


@pytest.mark.parametrize(
    ("ours", "spread", "verdict"),
    [
        # Equal spreads s, n = 3 and 3: w = 2.13185 * s * sqrt(2/3), r = 4.302653 * s * sqrt(2/3).
        # s = 0.003: w = 0.0052220, r = 0.0105393.
        (0.725, 0.003, "reproduced"),  # d -0.006: |d| + w = 0.0112 < 0.02
        (0.715, 0.003, "close"),  # -0.016: beyond w and r, within the margin
        (0.749, 0.003, "close"),  # +0.018
        (0.706, 0.003, "lower"),  # -0.025
        (0.756, 0.003, "higher"),  # +0.025
        # s = 0.01: w = 0.0174065, r = 0.0351310.
        (0.721, 0.01, "consistent"),  # -0.010: |d| + w = 0.0274, |d| <= r
        (0.713, 0.01, "consistent"),  # -0.018: beyond w, not beyond r, within the margin
        (0.706, 0.01, "inconclusive"),  # -0.025: beyond margin and w, not beyond r: not consistent, not lower
        (0.690, 0.01, "lower"),  # -0.041: beyond all three
        # s = 0.03: r = 0.105393 is more than five margins.
        (0.731, 0.03, "inconclusive"),
    ],
)
def test_each_row_by_hand(ours, spread, verdict):
    assert judge(Sample(0.731, spread, 3), Sample(ours, spread, 3), 0.02).verdict == verdict


def test_edges_of_the_rows_are_those_of_the_table_in_spite_of_rounding():
    assert 0.87 - 0.85 > 0.02  # in binary floating point
    assert judge(Sample(0.85, 0.001, 3), Sample(0.87, 0.001, 3), 0.02).verdict == "close"
    assert verdict_name(0.01, 0.01 + 1e-12, 0.01, 0.02) == "consistent"  # |d| + w = margin is not below it
    assert verdict_name(0.01, 0.01 - 1e-6, 0.0, 0.02) == "reproduced"
    assert verdict_name(0.0, 0.1, 0.1 + 1e-12, 0.02) == "consistent"  # r is five margins
    assert verdict_name(0.0, 0.1, 0.1 + 1e-6, 0.02) == "inconclusive"
    assert verdict_name(0.03, 0.01, 0.03 + 1e-12, 0.02) == "inconclusive"  # |d| = r is not beyond it
    assert verdict_name(0.03, 0.03 + 1e-12, 0.03, 0.02) == "consistent"  # |d| = w neither


def test_constant_published_value_by_hand():
    """Ours 90, 92, 94 (mean 92, std 2) against 95 without a seed spread.

    w = 2.91999 * 2 / sqrt(3) = 3.3717 is that of our mean alone; r = 4.302653 * 2 * sqrt(1 + 1/3) = 9.9366, since the
    constant counts as one run. r is below five margins of 2: consistent.
    """
    result = judge(Sample(95, None, 1), Sample(92, 2, 3), 2.0)
    assert (result.low, result.high) == (pytest.approx(-6.3717, abs=1e-4), pytest.approx(0.3717, abs=1e-4))
    assert (result.verdict, result.told) == ("consistent", pytest.approx(9.9366, abs=1e-4))


def test_an_exact_hit_on_a_constant_is_reproduced():
    assert judge(Sample(0.9, None, 1), Sample(0.9, 1e-4, 10), 0.02).verdict == "reproduced"


def test_one_run_has_no_interval_and_is_inconclusive():
    result = judge(Sample(0.731, 0.021, 3), Sample(0.2, None, 1), 0.02)
    assert (result.verdict, result.low, result.high, result.told) == ("inconclusive", None, None, None)


def test_a_method_without_chance_is_judged_against_the_papers_scatter_alone():
    """W = 2.91999 * 0.006 / sqrt(3) = 0.010115 with two degrees of freedom; nothing of ours scatters, so r = 0."""
    exact = Sample(0.74, None, 1, exact=True)
    result = judge(Sample(0.731, 0.006, 3), exact, 0.02)
    assert (result.verdict, result.told) == ("reproduced", 0.0)
    assert result.high - result.difference == pytest.approx(0.010115, abs=1e-6)
    published = Sample(0.731, 0.03, 3)  # w = 0.050576
    result = judge(published, exact, 0.02)
    assert result.verdict == "inconclusive"
    assert settling_advice(result, published, exact) == (
        "no number of ours can settle it: the paper's 3 runs leave ±0.051"
    )


def test_no_spread_on_either_side():
    assert judge(Sample(0.5, 0, 3), Sample(0.5, 0, 3), 0.02).verdict == "reproduced"
    assert judge(Sample(0.5, 0, 3), Sample(0.6, 0, 3), 0.02).verdict == "higher"
    assert judge(Sample(0.5, None, 1), Sample(0.5, 0, 3), 0.02).verdict == "reproduced"


def test_a_printed_std_counts_as_half_a_unit_of_its_last_digit_at_least():
    assert Sample(0.5, 0.0, 3).with_least_spread(0.0005).std == 0.0005
    assert Sample(0.5, 0.01, 3).with_least_spread(0.0005).std == 0.01
    assert Sample(0.5, None, 1).with_least_spread(0.0005).std is None
    assert Sample(0.5, None, 1, exact=True).with_least_spread(0.0005).spread == 0


@pytest.mark.parametrize("margin", [-0.01, math.nan, math.inf])
def test_a_margin_must_be_a_number(margin):
    with pytest.raises(ValueError, match="margin"):
        judge(Sample(0.5, 0.1, 3), Sample(0.5, 0.1, 3), margin)


@settings(deadline=None)
@given(st.floats(-0.3, 0.3), st.floats(0, 0.3), st.floats(0, 0.3), MARGINS)
def test_exactly_one_row_applies_and_it_is_the_first(difference, half, told, margin):
    size = abs(difference)
    rows = {
        "reproduced": size + half < margin,
        "higher": size > margin and size > half and size > told and difference > 0,
        "lower": size > margin and size > half and size > told and difference < 0,
        "close": size <= margin and size > half and size > told,
        "consistent": size <= told <= 5 * margin and not (size > margin and size > half),
        "inconclusive": True,
    }
    edges = [(size + half, margin), (size, margin), (size, half), (size, told), (told, 5 * margin)]
    assume(all(abs(a - b) > 2e-9 for a, b in edges))
    assert tuple(rows) == VERDICT_NAMES
    assert verdict_name(difference, half, told, margin) == next(name for name, applies in rows.items() if applies)


def edges(result):
    """Distances of a comparison from the bounds of its rows."""
    size, half = abs(result.difference), result.high - result.difference
    return [size + half - result.margin, size - result.margin, size - half, size - result.told,
            result.told - 5 * result.margin]  # fmt: skip


@settings(deadline=None)
@given(published=SAMPLES, ours=SAMPLES, margin=MARGINS)
def test_mirrored_values_get_the_mirrored_verdict(published, ours, margin):
    straight = judge(published, ours, margin)
    assume(all(abs(edge) > 1e-8 for edge in edges(straight)))
    mirrored = judge(
        Sample(1 - published.mean, published.std, published.n), Sample(1 - ours.mean, ours.std, ours.n), margin
    )
    assert mirrored.verdict == OPPOSITE.get(straight.verdict, straight.verdict)


@settings(deadline=None)
@given(published=SAMPLES, ours=SAMPLES, margin=MARGINS)
def test_percent_and_fraction_get_the_same_verdict(published, ours, margin):
    straight = judge(published, ours, margin)
    assume(all(abs(edge) > 1e-8 for edge in edges(straight)))
    in_percent = [Sample(100 * side.mean, 100 * side.std, side.n) for side in (published, ours)]
    assert judge(*in_percent, 100 * margin).verdict == straight.verdict


def values_of(sample):
    """Numbers with exactly this mean and sample std."""
    raw = [float(index) for index in range(sample.n)]
    centre = sum(raw) / sample.n
    scale = sample.std / math.sqrt(sum((value - centre) ** 2 for value in raw) / (sample.n - 1))
    return [sample.mean + scale * (value - centre) for value in raw]


@settings(deadline=None, max_examples=50)
@given(published=SAMPLES, ours=SAMPLES, margin=MARGINS)
def test_agrees_with_scipy_s_welch_and_two_one_sided_tests(published, ours, margin):
    result = judge(published, ours, margin)
    mine, theirs = values_of(ours), values_of(published)
    oracle = stats.ttest_ind(mine, theirs, equal_var=False).confidence_interval(0.90)
    assert result.low == pytest.approx(oracle.low, abs=1e-9)
    assert result.high == pytest.approx(oracle.high, abs=1e-9)
    above = stats.ttest_ind([value + margin for value in mine], theirs, equal_var=False, alternative="greater").pvalue
    below = stats.ttest_ind([value - margin for value in mine], theirs, equal_var=False, alternative="less").pvalue
    assume(abs(max(above, below) - 0.05) > 1e-8)
    assert (result.verdict == "reproduced") == (max(above, below) < 0.05)


@settings(deadline=None, max_examples=50)
@given(ours=SAMPLES, constant=MEANS)
def test_agrees_with_scipy_s_one_sample_interval(ours, constant):
    result = judge(Sample(constant, None, 1), ours, 0.02)
    oracle = stats.ttest_1samp(values_of(ours), constant).confidence_interval(0.90)
    assert result.low == pytest.approx(oracle.low - constant, abs=1e-9)
    assert result.high == pytest.approx(oracle.high - constant, abs=1e-9)


@pytest.mark.parametrize(("n", "runs"), [(3, 3), (10, 3), (5, 1), (2, 3)])
def test_the_prediction_interval_holds_in_95_of_100_draws(n, runs):
    """20,000 seeded draws: the mean of `runs` further runs lies within r of our mean; three standard errors are 0.5 %."""
    generator = np.random.default_rng(1)
    ours, further = generator.normal(size=(20_000, n)), generator.normal(size=(20_000, runs))
    width = stats.t.ppf(0.975, n - 1) * ours.std(axis=1, ddof=1) * math.sqrt(1 / runs + 1 / n)
    share = (np.abs(further.mean(axis=1) - ours.mean(axis=1)) <= width).mean()
    assert share == pytest.approx(0.95, abs=0.006)
    result = judge(Sample(0.5, 0.01, runs) if runs > 1 else Sample(0.5, None, 1), Sample(0.5, 0.01, n), 0.02)
    assert result.told == pytest.approx(stats.t.ppf(0.975, n - 1) * 0.01 * math.sqrt(1 / runs + 1 / n))


@pytest.mark.skipif(not RATES.exists(), reason="shared/verdict_sims is not here")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it leaves closing to Python
@pytest.mark.parametrize("n", [2, 3, 10])
def test_the_plain_form_of_the_rules_gives_the_same_verdicts(n):
    specification = importlib.util.spec_from_file_location("verdict_rates", RATES)
    plain = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(plain)
    rows = list(plain.leaf_cells("dra_table2.csv"))
    for difference in (0.0, -0.02, 0.05):
        made = plain.experiment(plain.true_stds(rows, 1), n, difference)
        for d, a, b in np.array(made)[:, :, 0].T:
            shares = plain.cell_verdicts(*(np.array([value]) for value in (d, a, b)), n)
            result = judge(Sample(0.8, math.sqrt(3 * b), 3), Sample(0.8 + d, math.sqrt(n * a), n), 0.02)
            word = "higher/lower" if result.verdict in OPPOSITE else result.verdict
            assert shares[word] == 1


def test_the_interval_of_a_std_by_tables_and_by_drawing():
    """Chi-squared with one degree of freedom: 3.841 and 0.00393 at 5 % from each end."""
    low, high = std_interval(0.048, 1)
    assert low == pytest.approx(0.048 / math.sqrt(3.8415), rel=1e-4)
    assert high == pytest.approx(0.048 / math.sqrt(0.0039321), rel=1e-4)
    generator = np.random.default_rng(5)
    stds = generator.normal(scale=0.03, size=(4000, 4)).std(axis=1, ddof=1)
    bounds = np.array([std_interval(std, 3) for std in stds])
    held = np.mean((bounds[:, 0] <= 0.03) & (bounds[:, 1] >= 0.03))
    assert held == pytest.approx(0.9, abs=0.015)


def test_advice_by_brute_force():
    """Of seeded further runs, as many as the advice says, about four in five settle it; of half as many fewer do."""
    published, ours = Sample(0.731, 0.010, 3), Sample(0.690, 0.03, 3)
    result = judge(published, ours, 0.02)
    assert result.verdict == "inconclusive"
    number = settling_number(published, ours, 0.02)
    assert number in NUMBERS_OF_RUNS
    assert f"about {number} runs in all would settle it in 4 of 5 cases" == settling_advice(result, published, ours)
    generator = np.random.default_rng(0)

    def settled(total):
        """Our mean is the truth up to its own error; the spread is taken as known, as the advice takes it."""
        truths = ours.mean + ours.std / math.sqrt(ours.n) * generator.normal(size=2000)
        further = truths + ours.std / math.sqrt(total - ours.n) * generator.normal(size=2000)
        means = (ours.n * ours.mean + (total - ours.n) * further) / total
        names = [judge(published, Sample(mean, ours.std, total), 0.02).verdict for mean in means]
        return 1 - names.count("inconclusive") / len(names)

    assert settled(number) > 0.72
    assert settled(max(4, number // 2)) < 0.8


def test_advice_says_when_nothing_of_ours_can_settle_it_and_never_counts_from_one_run():
    """The published error 0.06 / sqrt(3) times 2.92 is 0.101; no spread of ours makes r small enough to say consistent."""
    published = Sample(0.731, 0.06, 3)
    ours = Sample(0.700, 0.001, 5)
    assert settling_advice(judge(published, ours, 0.02), published, ours) == (
        "no number of ours can settle it: the paper's 3 runs leave ±0.101"
    )
    single = Sample(0.9, None, 1)
    advice = settling_advice(judge(published, single, 0.02), published, single, "splits")
    assert advice == "one of our splits tells no spread: at least two"
    settled = Sample(0.731, 0.001, 5)
    assert settling_advice(judge(Sample(0.731, 0.001, 3), settled, 0.02), Sample(0.731, 0.001, 3), settled) == ""


def test_errors_for_pooling_by_hand():
    """Ours 0.02^2 / 4 and the paper's 0.03^2 / 3; one run of ours has the paper's std, a constant is one draw of ours."""
    both = pooling_errors(Sample(0.7, 0.03, 3), Sample(0.7, 0.02, 4))
    assert both == (pytest.approx(1e-4), 3, pytest.approx(3e-4), 2)
    assert pooling_errors(Sample(0.7, 0.03, 3), Sample(0.7, None, 1)) == (pytest.approx(12e-4), 2, 0, math.inf)
    assert pooling_errors(Sample(0.7, None, 1), Sample(0.7, 0.02, 4)) == (pytest.approx(5e-4), 3, 0, math.inf)
    assert pooling_errors(Sample(0.7, None, 1), Sample(0.7, None, 1)) is None


def test_hanley_mcneil_by_hand():
    """AUC 0.8, two anomalies, three normals: Q1 = 0.8 / 1.2 = 0.66667, Q2 = 1.28 / 1.8 = 0.71111.

    (0.16 + 1 * (0.66667 - 0.64) + 2 * (0.71111 - 0.64)) / 6 = 0.0548148, whose root is 0.234126.
    """
    assert auc_standard_error(0.8, anomalies=2, normals=3) == pytest.approx(0.234126, abs=1e-6)
    assert auc_standard_error(1.0, 10, 10) == 0
