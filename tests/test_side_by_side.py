import sys

from side_by_side import run_checks


def test_each_check_is_printed_and_those_that_fail_are_named(capsys):
    good, bad = (f"{sys.executable} -c 'print({number}); raise SystemExit({number})'" for number in (0, 3))
    assert run_checks([good, bad]) == [bad]
    printed = capsys.readouterr().out
    assert f"$ {good}\n0\n" in printed
    assert f"$ {bad}\n3\n" in printed
