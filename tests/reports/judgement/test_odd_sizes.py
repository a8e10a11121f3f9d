"""Numbers of very different sizes in one table, and numbers at the edge of what a float holds."""

import pytest

from reports.errors import ReportError
from reports.judgement.judge import judge_table
from reports.judgement.numbers import NumberFormat
from reports.judgement.output import JUDGEMENT_FORMATS, render_judgement

SMALL = {"a": "small", "mean": "1.00", "std": "0.10", "n": "3"}


def rows(name, *values):
    return [{"a": name, "value": str(value)} for value in values]


@pytest.mark.parametrize("big", ["2e9", "1e12", "1e15"])
def test_a_large_cell_changes_no_verdict_of_a_small_one(big):
    """D is 1.25, its interval 1.10 to 1.40, r about 0.18: higher than the margin of 0.5, whatever else is in the table."""
    measured = rows("small", 2.20, 2.25, 2.30)
    (alone,) = judge_table([SMALL], measured, margin=0.5).cells
    beside = judge_table(
        [{"a": "big", "mean": big, "std": "1e6", "n": "3"}, SMALL],
        [*measured, *rows("big", big, float(big) + 1e6, float(big) - 1e6)],
        margin=0.5,
    )
    assert alone.verdict == beside.cells[1].verdict == "higher"
    assert beside.cells[1].comparison.told == pytest.approx(alone.comparison.told)


def test_margins_far_below_the_values_are_margins_all_the_same():
    """|d| + w is 2.9e-10, below a margin of 1e-9, though 1e-9 is what comparisons of AUCs carry."""
    published = [{"a": "x", "mean": "0.9000000000", "std": "0.0000000001", "n": "3"}]
    measured = rows("x", "0.9000000000", "0.9000000001", "0.8999999999")
    (cell,) = judge_table(published, measured, margin=1e-9).cells
    assert cell.verdict == "reproduced"


@pytest.mark.parametrize(
    "published", [{"mean": "0e300"}, {"mean": "0e400"}, {"mean": "0.9", "std": "0e200"}, {"mean": "1e299"}]
)
@pytest.mark.parametrize("form", JUDGEMENT_FORMATS)
def test_numbers_at_the_edge_are_judged_and_printed(published, form):
    cell = {"a": "x", "std": "", "n": "3"} | published
    assert render_judgement(judge_table([cell], rows("x", 0.9, 0.91)), form)


@pytest.mark.parametrize(
    ("published", "sentence"),
    [
        ({"mean": "1e-99999999999999999999999"}, "has a power of ten beyond 400"),
        ({"mean": "0.9", "std": "0e401"}, "has a power of ten beyond 400"),
        ({"mean": "0.9", "n": "100000000000000000000"}, "give a whole number from 1 to 1,000,000,000"),
        ({"mean": "0.9", "n": "1e300"}, "give a whole number from 1 to 1,000,000,000"),
    ],
)
def test_numbers_beyond_it_are_refused_in_a_sentence(published, sentence):
    with pytest.raises(ReportError, match=sentence):
        judge_table([{"a": "x", "std": "", "n": "3"} | published], rows("x", 0.9, 0.91))


def test_blanks_around_a_split_name_no_other_split():
    runs = [{"a": "x", "value": value, "split": split} for value, split in (("0.9", "0"), ("0.8", "0 "), ("0.7", "1"))]
    (cell,) = judge_table([{"a": "x", "mean": "0.8", "std": "0.1", "n": "3"}], runs).cells
    assert cell.sample.n == 2


@pytest.mark.parametrize(("ours", "theirs", "told"), [("x ", "x", "a='x '"), ("e\u0301", "\u00e9", r"a='e\\u0301'")])
def test_a_coordinate_that_looks_like_another_is_shown_as_it_is(ours, theirs, told):
    with pytest.raises(ReportError, match=told):
        judge_table([{"a": theirs, "mean": "0.8", "std": "0.1", "n": "3"}], rows(ours, 0.9))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [({"margin": "0.02"}, "margin must be a number"), ({"margin": None}, "margin must be a number"),
     ({"by": [1]}, "give a column, or several")],
)  # fmt: skip
def test_wrong_arguments_are_refused_in_a_sentence(options, sentence):
    with pytest.raises(ReportError, match=sentence):
        judge_table([SMALL], rows("small", 1.0), **options)
    assert judge_table([SMALL], rows("small", 1.0), by=None).families == ((),)


def test_what_the_gate_sees_is_rounded_up():
    show = NumberFormat(3)
    assert show.rounded_up(0.04509) == "0.046"
    assert show.rounded_up(0.045) == "0.045"
