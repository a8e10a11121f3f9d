"""Statistics in a file: computed once for equal inputs, and anew by other code."""

import math

import pytest

from reports.stats import kept
from reports.stats.expected import expected_counts
from reports.stats.kept import keep_statistics, statistics_file
from reports.stats.sample import Errors, Sample, sample_std, t_quantile
from reports.stats.table_verdict import CellDifference, scatter_interval


class Counted:
    """A kept function that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0
        self.square = kept.kept(self._square)

    def _square(self, sample: Sample, factor: float) -> tuple[float, str]:
        self.calls += 1
        return factor * sample.mean**2, "squared"


@pytest.fixture
def file(tmp_path):
    return statistics_file(tmp_path, "report", "dra:2")


def test_equal_inputs_are_computed_once(file):
    counted = Counted()
    for _ in range(2):
        with keep_statistics(file):
            assert counted.square(Sample(0.5, 0.1, 3), 2.0) == (0.5, "squared")
    assert counted.calls == 1
    with keep_statistics(file):
        assert counted.square(Sample(0.5, 0.1, 3), 4.0) == (1.0, "squared")
        assert counted.square(Sample(0.5, None, 3), 2.0) == (0.5, "squared")
    assert counted.calls == 3


def test_outside_of_a_block_nothing_is_kept(file):
    counted = Counted()
    assert [counted.square(Sample(1.0, None, 1), 1.0) for _ in range(2)] == [(1.0, "squared")] * 2
    assert (counted.calls, file.exists()) == (2, False)


def test_what_is_kept_has_the_same_bits(file):
    cells = tuple(CellDifference(0.01 * number, Errors(1e-4, 2.0, 2e-4, math.inf)) for number in range(6))
    pairs = [(Sample(0.8, 0.02, 3), Sample(0.8 + 0.01 * number, 0.03, 5)) for number in range(4)]

    def values():
        return t_quantile(2.7, 0.95), scatter_interval(cells, 500), expected_counts(pairs, 0.02, 0.0005, 200)

    with keep_statistics(file):
        first = values()
    with keep_statistics(file):
        assert values() == first == values()
    assert values() == first


@pytest.mark.parametrize("harm", ["cut", "bit", "code"])
def test_a_damaged_file_and_that_of_other_code_count_as_empty(file, harm, monkeypatch):
    counted = Counted()
    with keep_statistics(file):
        counted.square(Sample(1.0, None, 1), 1.0)
    content = file.read_bytes()
    if harm == "cut":
        file.write_bytes(content[:-1])
    elif harm == "bit":
        file.write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
    else:
        monkeypatch.setattr(kept, "version", lambda name: "1.0")
    with keep_statistics(file):
        assert counted.square(Sample(1.0, None, 1), 1.0) == (1.0, "squared")
    assert counted.calls == 2


def test_only_what_is_asked_for_again_stays(file):
    counted = Counted()
    for asked in ([1.0, 2.0], [2.0, 3.0], [1.0]):
        with keep_statistics(file):
            for factor in asked:
                counted.square(Sample(1.0, None, 1), factor)
    assert counted.calls == 4


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    tmp_path.joinpath("statistics").write_text("a file, not a folder")
    with keep_statistics(statistics_file(tmp_path, "report")):
        assert t_quantile(math.inf, 0.95) == pytest.approx(1.6448536269514722)


def test_equal_values_have_no_spread_and_others_that_of_the_standard_library():
    import statistics

    assert sample_std([0.1] * 7) == 0
    values = [0.8123, 0.7991, 0.9021, 0.5]
    assert sample_std(values) == pytest.approx(statistics.stdev(values), rel=1e-15)
    assert sample_std([1e9, 1e9 + 1]) == pytest.approx(math.sqrt(0.5))
