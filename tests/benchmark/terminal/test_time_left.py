"""Forecasts of the time that is left."""

import pytest

from benchmark.terminal.time_left import TimeLeft, forecast_in_words, time_in_words


def test_pieces_that_wait_take_as_long_as_those_at_work():
    forecast = TimeLeft(3)
    forecast.see("a", 0.0, 0.0)
    forecast.see("a", 0.5, 50.0)
    assert forecast.seconds(50.0) == pytest.approx(50 + 2 * 100)


def test_nothing_is_foretold_before_anything_was_done():
    forecast = TimeLeft(1)
    assert forecast.seconds(0.0) is None
    forecast.see("a", 0.0, 0.0)
    assert forecast.seconds(1000.0) is None


def test_a_slow_first_step_is_left_out():
    forecast = TimeLeft(1)
    forecast.see("a", 0.0, 0.0)
    forecast.see("a", 0.001, 600.0)
    assert forecast.seconds(600.0) is None
    forecast.see("a", 0.101, 610.0)
    assert forecast.seconds(610.0) == pytest.approx(89.9)


def test_finished_pieces_are_the_measure_of_those_that_wait():
    forecast = TimeLeft(3)
    forecast.see("a", 0.0, 0.0)
    forecast.finish("a", 80.0, was_worked=True)
    assert forecast.seconds(80.0) == pytest.approx(160)
    forecast.see("b", 0.0, 80.0)
    forecast.see("b", 0.5, 100.0)
    assert forecast.seconds(100.0) == pytest.approx(60 + 80)


def test_what_follows_the_last_step_is_foretold_by_finished_pieces():
    forecast = TimeLeft(2)
    forecast.see("a", 0.0, 0.0)
    forecast.see("a", 1.0, 50.0)
    forecast.finish("a", 90.0, was_worked=True)
    forecast.see("b", 0.0, 90.0)
    forecast.see("b", 1.0, 140.0)
    assert forecast.seconds(140.0) == pytest.approx(40)


def test_a_piece_that_was_done_elsewhere_is_no_measure():
    forecast = TimeLeft(3)
    forecast.finish("a", 0.1, was_worked=False)
    assert forecast.seconds(0.1) is None
    forecast.see("b", 0.0, 1.0)
    forecast.see("b", 0.25, 2.0)
    assert forecast.seconds(2.0) == pytest.approx(3 + 4)


def test_pieces_at_work_share_what_waits_but_not_their_own_rest():
    forecast = TimeLeft(4)
    for piece, share in (("a", 0.5), ("b", 0.25)):
        forecast.see(piece, 0.0, 0.0)
        forecast.see(piece, share, 10.0)
    # a takes 20 s in all and has 10 left, b 40 and 30; two more of 30 on average: 100 in two at a time
    assert forecast.seconds(10.0) == pytest.approx(50)
    forecast = TimeLeft(2)
    for piece, share in (("a", 0.9), ("b", 0.1)):
        forecast.see(piece, 0.0, 0.0)
        forecast.see(piece, share, 9.0)
    assert forecast.seconds(9.0) == pytest.approx(81)


@pytest.mark.parametrize(
    ("seconds", "exact", "forecast"),
    [
        (0.4, "0 s", "0 s"),
        (59, "59 s", "59 s"),
        (80, "1 min 20 s", "1 min"),
        (3599, "59 min 59 s", "1 h 0 min"),
        (7500, "2 h 5 min", "2 h 5 min"),
    ],
)
def test_times_in_words(seconds, exact, forecast):
    assert time_in_words(seconds) == exact
    assert forecast_in_words(seconds) == forecast
