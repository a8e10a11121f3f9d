import pytest

from reports.stats.friedman import compare_ranks, level_groups, nemenyi_quantile, row_ranks

# Demsar 2006, table 5a: critical values of Nemenyi's test at 0.05 for 2 to 10 methods.
TABLE = {2: 1.960, 3: 2.343, 4: 2.569, 5: 2.728, 6: 2.850, 7: 2.949, 8: 3.031, 9: 3.102, 10: 3.164}
# Demsar 2006, table 6: AUCs of C4.5 and three others on 14 datasets.
ROWS = [
    (0.763, 0.768, 0.771, 0.798),
    (0.599, 0.591, 0.590, 0.569),
    (0.954, 0.971, 0.968, 0.967),
    (0.628, 0.661, 0.654, 0.657),
    (0.882, 0.888, 0.886, 0.898),
    (0.936, 0.931, 0.916, 0.931),
    (0.661, 0.668, 0.609, 0.685),
    (0.583, 0.583, 0.563, 0.625),
    (0.775, 0.838, 0.866, 0.875),
    (1.000, 1.000, 1.000, 1.000),
    (0.940, 0.962, 0.965, 0.962),
    (0.619, 0.666, 0.614, 0.669),
    (0.972, 0.981, 0.9751, 0.975),
    (0.957, 0.978, 0.946, 0.970),
]


@pytest.mark.parametrize(("methods", "quantile"), TABLE.items())
def test_quantiles_are_those_of_the_table(methods, quantile):
    assert nemenyi_quantile(methods) == pytest.approx(quantile, abs=0.001)


def test_the_example_of_the_paper_comes_out():
    """Mean ranks 3.143, 2.000, 2.893, 1.964; F 3.69 with 3 and 39 degrees of freedom; critical difference 1.25."""
    compared = compare_ranks(ROWS)
    assert compared.ranks == pytest.approx((3.143, 2.000, 2.893, 1.964), abs=0.001)
    assert compared.p_value == pytest.approx(0.0197, abs=0.0005)
    assert compared.critical == pytest.approx(1.25, abs=0.005)


def test_wins_count_ties_one_half():
    compared = compare_ranks([(0.9, 0.8), (0.7, 0.7), (0.5, 0.6), (0.9, 0.1)])
    assert compared.wins == ((2.0, 2.5), (1.5, 2.0))


def test_few_rows_give_no_p_value():
    assert compare_ranks([(0.9, 0.8, 0.7)] * 5).p_value is None
    assert compare_ranks([(0.9, 0.8, 0.7)] * 6).p_value == 0.0


def test_equal_values_share_their_rank():
    assert row_ranks([0.5, 0.9, 0.5]) == [2.5, 1.0, 2.5]


def test_levels_are_the_largest_sets_within_the_critical_difference():
    assert level_groups([1.0, 2.0, 2.9, 4.0], 1.5) == [(1.0, 2.0), (2.0, 2.9), (2.9, 4.0)]
    assert level_groups([1.0, 1.2, 1.4], 1.5) == [(1.0, 1.4)]
    assert level_groups([1.0, 3.0], 1.5) == []
