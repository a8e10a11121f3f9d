import importlib.util
import math

import numpy as np
import pytest
from repository import SHARED
from scipy import stats

from reports.stats.expected import expected_counts
from reports.stats.sample import Errors, Sample, pooling_errors
from reports.stats.table_verdict import CellDifference, Scatter, pool, table_verdict
from reports.stats.verdict import judge

RATES = SHARED / "verdict_sims" / "verdict_rates.py"
needs_rates = pytest.mark.skipif(not RATES.exists(), reason="shared/verdict_sims is not here")


@pytest.fixture
def plain():
    specification = importlib.util.spec_from_file_location("verdict_rates", RATES)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def cells(differences, ours=1e-4, theirs=2e-4, fit=None):
    return [CellDifference(value, Errors(ours, 4, theirs, 2), fit) for value in differences]


def test_pooling_by_hand():
    """Two cells of errors 1e-4 (4 degrees) and 2e-4 (2): SE = sqrt(6e-4) / 2 = 0.0122474.

    Degrees (6e-4)^2 / (2 * (1e-8 / 4 + 4e-8 / 2)) = 36e-8 / 4.5e-8 = 8.
    """
    pooled = pool(cells([0.01, 0.03]))
    assert pooled == (2, pytest.approx(0.02), pytest.approx(math.sqrt(6e-4) / 2), pytest.approx(8))


def test_cells_that_share_a_fit_add_their_errors_not_their_squares():
    """Ours (0.01 + 0.01)^2 = 4e-4 and the paper's 8e-4: SE = sqrt(12e-4) / 2, that of one cell."""
    pooled = pool(cells([0.01, 0.03], fit="f"))
    assert pooled.standard_error == pytest.approx(math.sqrt(3e-4))
    assert pooled.freedom == pytest.approx(144e-8 / (16e-8 / 4 + 64e-8 / 2))


def test_cells_without_any_error():
    pooled = pool([CellDifference(0.03, Errors(0, math.inf, 0, math.inf))] * 2)
    assert (pooled.standard_error, pooled.freedom) == (0, math.inf)
    result = table_verdict([CellDifference(0.03, Errors(0, math.inf, 0, math.inf))] * 2, 0.02)
    assert (result.verdict, result.low, result.tau) == ("higher", 0.03, 0.0)


def test_one_cell_has_no_table_verdict():
    result = table_verdict(cells([0.01]), 0.02)
    assert (result.verdict, result.tau, result.tau_low, result.tau_high) == (None, None, None, None)
    half = stats.t.ppf(0.95, 3e-4**2 / (1e-8 / 4 + 4e-8 / 2)) * math.sqrt(3e-4)
    assert result.high == pytest.approx(0.01 + half)


def test_tau_by_hand():
    """Differences -0.05, 0, 0.05, errors of 3e-4 each: mean square 0.005/3 - 0 - 3e-4 + 3 * 3e-4 / 9 = 0.00146667.

    Times 3/2: 0.0022, whose root is 0.0469.
    """
    assert Scatter(cells([-0.05, 0, 0.05])).tau == pytest.approx(math.sqrt(0.0022))
    assert Scatter(cells([0.01, 0.01, 0.01])).tau == 0


@pytest.mark.parametrize(
    ("differences", "error", "verdict"),
    [
        ([0.001, -0.001, 0.002, -0.002, 0.0], 1e-6, "reproduced"),
        ([0.05, -0.05, 0.04, -0.04, 0.03, -0.03, 0.0, 0.05, -0.05, 0.0], 1e-6, "reproduced on average"),
        ([0.03, 0.031, 0.029, 0.03], 1e-6, "higher"),
        ([-0.03, -0.031, -0.029, -0.03], 1e-6, "lower"),
        ([0.018, 0.019, 0.017, 0.0195], 1e-5, "close"),
        ([0.05, -0.05, 0.04], 1e-3, "inconclusive"),
    ],
)
def test_each_word(differences, error, verdict):
    assert table_verdict(cells(differences, error, error), 0.02).verdict == verdict


def test_draws_are_the_same_each_time_and_have_the_scatter_that_they_are_made_with():
    scatter = Scatter(cells([0.01 * index for index in range(40)]))
    assert np.array_equal(scatter.draws(0.03, 200), scatter.draws(0.03, 200))
    assert np.sqrt((scatter.draws(0.03, 2000) ** 2).mean()) == pytest.approx(0.03, rel=0.05)
    assert np.median(scatter.draws(0.0, 2000)) < 0.006


def test_shared_errors_are_no_scatter():
    """Ten cells of one fit err together: their differences are equal but for nothing, so tau is zero and stays so."""
    scatter = Scatter(cells([0.03] * 10, fit="f"))
    assert scatter.tau == 0
    assert scatter.draws(0.0, 500).max() == pytest.approx(0, abs=1e-6)


@needs_rates
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_reruns_of_others_are_judged_as_the_plain_form_judges_them(plain):
    """AHL's and Qsco's runs of DRA and DevNet beside DRA's paper; both make their own 2,000 draws for tau's interval."""
    paper = {key: value for name in ("dra_table1.csv", "dra_table2.csv") for key, *value in plain.leaf_cells(name)}
    words = {}
    for name in ("ahl_table7.csv", "ahl_table8.csv", "qsco.csv"):
        groups = {}
        for key, mean, std in plain.leaf_cells(name):
            if key in paper and key[3] in {"dra", "devnet"}:
                groups.setdefault((name, key[0], key[3], key[4]), []).append((*paper[key], mean, std))
        for group, values in groups.items():
            if len(values) > 4:
                differences = [
                    CellDifference(ours - theirs, pooling_errors(Sample(theirs, their_std, 3), Sample(ours, std, 3)))
                    for theirs, their_std, ours, std in values
                ]
                result = table_verdict(differences, 0.02)
                d, a, b = (
                    np.array(column)
                    for column in zip(*((m - t, s**2 / 3, p**2 / 3) for t, p, m, s in values), strict=True)
                )
                word, mean, se, (low, high), tau, (tau_low, tau_high), told = plain.table_verdict(d, a, b, 3)
                assert (result.verdict, result.told_from_zero) == (word, told)
                assert result.pooled.difference == pytest.approx(mean)
                assert result.pooled.standard_error == pytest.approx(se)
                assert (result.low, result.high) == (pytest.approx(low), pytest.approx(high))
                assert result.tau == pytest.approx(tau)
                assert (result.tau_low, result.tau_high) == (
                    pytest.approx(tau_low, abs=0.003),
                    pytest.approx(tau_high, abs=0.003),
                )
                words[group] = result
    hard = words["ahl_table8.csv", "hard", "dra", "10"]
    assert hard.verdict == "reproduced"
    assert (round(hard.pooled.difference, 4), round(hard.pooled.standard_error, 4)) == (0.0039, 0.0052)
    other = words["ahl_table7.csv", "general", "devnet", "1"]
    assert (other.verdict, round(other.pooled.difference, 4), round(other.tau, 2)) == ("higher", 0.0489, 0.09)


@needs_rates
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_perfect_table_is_reproduced_about_as_often_as_the_design_says(plain):
    """DRA's 30 ten-shot cells of Table 2 at ten seeds, 120 draws: 75 % reproduced, standard error 4 %."""
    rows = [cell for cell in plain.leaf_cells("dra_table2.csv") if cell[0][3] == "dra" and cell[0][4] == "10"]
    d, a, b = plain.experiment(plain.true_stds(rows, 120), 10, 0.0)
    words = [
        table_verdict(
            [CellDifference(*values) for values in zip(d[:, i], [Errors(x, 9, y, 2) for x, y in zip(a[:, i], b[:, i], strict=True)], strict=True)],
            0.02,
            draws=400,
        ).verdict
        for i in range(120)
    ]  # fmt: skip
    assert 0.6 < words.count("reproduced") / 120 < 0.9
    assert words.count("higher") + words.count("lower") <= 6


def test_expected_counts_by_brute_force():
    """One cell drawn and judged 4,000 times with the same prior of its spread; three standard errors are 2.4 %."""
    published, ours = Sample(0.8, 0.02, 3), Sample(0.8, 0.015, 5)
    expected = expected_counts([(published, ours)], 0.02, 0.0005)
    assert sum(expected.values()) == pytest.approx(1)
    generator = np.random.default_rng(9)
    names = []
    for _ in range(4000):
        sigma = math.sqrt((4 * 0.015**2 + 2 * 0.02**2) / generator.chisquare(6))
        theirs, mine = generator.normal(0, sigma, 3), generator.normal(0, sigma, 5)
        samples = [
            Sample(side.mean(), side.std(ddof=1), len(side)).with_least_spread(0.0005) for side in (theirs, mine)
        ]
        names.append(judge(*samples, 0.02).verdict)
    for name, share in expected.items():
        assert share == pytest.approx(names.count(name) / 4000, abs=0.05)


def test_expected_counts_of_one_run_of_constants_and_of_exact_values():
    assert expected_counts([(Sample(0.8, 0.02, 3), Sample(0.8, None, 1))], 0.02)["inconclusive"] == 1
    constant = expected_counts([(Sample(0.8, None, 1), Sample(0.8, 0.001, 10))], 0.02)
    assert constant["reproduced"] > 0.95
    exact = expected_counts([(Sample(0.8, 0.002, 3), Sample(0.8, None, 1, exact=True))], 0.02)
    assert exact["reproduced"] > 0.8
    assert sum(exact.values()) == pytest.approx(1)
    assert expected_counts([], 0.02) == dict.fromkeys(expected_counts([], 0.02), 0.0)
